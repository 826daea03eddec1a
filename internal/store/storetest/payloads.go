package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var payloadTests = []test{
	{"Take hands out what it erases", payloadErasedByTake},
	{"an ended payload does not come back", payloadGone},
	{"what was taken can be read to its end", payloadHeld},
}

func payloadErasedByTake(k *kit) {
	for _, size := range sizes {
		d, payload := k.draft(time.Hour), noise(size)
		k.put(d, payload)
		s, r, err := k.store.Take(k.Context(), d.Alias(), end)
		if err != nil || s.Held() {
			k.Errorf("size %d: %+v, %v", size, s, err)
			continue
		}
		if got := k.read(r); !bytes.Equal(got, payload) {
			k.Errorf("size %d: Take gives %d other bytes", size, len(got))
		}
		if got := k.get(d.Alias()); got != s {
			k.Errorf("size %d: kept %+v, want %+v", size, got, s)
		}
	}
}

// payloadGone: no rule brings a payload back, not even one that lies about the state.
func payloadGone(k *kit) {
	revive := func(_ vault.Time, s *vault.Secret) error { s.State, s.Ended = vault.Waiting, 0; return nil }
	for _, size := range sizes {
		d, payload := k.draft(time.Hour), noise(size)
		k.put(d, payload)
		if _, err := k.store.Update(k.Context(), d.Alias(), end); err != nil {
			k.Fatal(err)
		}
		_, r, err := k.store.Take(k.Context(), d.Alias(), revive)
		if err == nil || r != nil || errors.Is(err, vault.ErrNotFound) {
			k.Errorf("size %d: Take of what was erased gives a payload (%t), %v", size, r != nil, err)
		}
	}
}

func payloadHeld(k *kit) {
	for _, size := range []int{256, 3 << 20} {
		d, payload := k.draft(time.Hour), noise(size)
		k.put(d, payload)
		_, r, err := k.store.Take(k.Context(), d.Alias(), keep)
		if err != nil {
			k.Fatal(err)
		}
		half := make([]byte, size/2)
		if _, err := io.ReadFull(r, half); err != nil {
			k.Error(err)
		}
		if _, err := k.store.Update(k.Context(), d.Alias(), forget); err != nil {
			k.Error(err)
		}
		if rest := k.read(r); !bytes.Equal(half, payload[:size/2]) || !bytes.Equal(rest, payload[size/2:]) {
			k.Errorf("size %d: other bytes", size)
		}
	}
}

var sweepTests = []test{
	{"only what is due", sweepDue},
	{"in batches", sweepBatches},
	{"follows every change", sweepFollows},
	{"drops what is forgotten", sweepForgotten},
}

func (k *kit) sweep(limit, want int, rule vault.Rule) {
	k.Helper()
	if n, err := k.store.Sweep(k.Context(), limit, rule); n != want || err != nil {
		k.Errorf("Sweep(%d) = %d, %v, want %d", limit, n, err, want)
	}
}

func sweepDue(k *kit) {
	k.sweep(10, 0, keep)
	soon, later := k.draft(100*time.Millisecond), k.draft(time.Hour)
	k.put(soon, noise(200_000))
	made := k.put(later, noise(256))
	if !k.clock.own { // else the moment cannot be met
		k.clock.Pass(k.T, 99*time.Millisecond)
		k.sweep(10, 0, keep)
		k.clock.Pass(k.T, -99*time.Millisecond)
	}
	k.clock.PassDue(k.T, 100*time.Millisecond)
	k.sweep(10, 1, func(now vault.Time, s *vault.Secret) error {
		if s.Alias != soon.Alias() || now < s.Due() {
			k.Errorf("at %d the rule got %+v", now, *s)
		}
		return vault.Settle(now, s)
	})
	if got := k.get(soon.Alias()); got.State != vault.Expired || got.Ended != got.Expires {
		k.Errorf("after the sweep %+v, want it expired when it was due", got)
	}
	if got := k.get(later.Alias()); got != made {
		k.Errorf("swept before its time: %+v", got)
	}
	k.sweep(10, 0, keep)
}

func sweepBatches(k *kit) {
	for i := range 7 {
		k.put(k.draft(time.Duration(i+1)*time.Millisecond), noise(i*20_000))
	}
	k.clock.PassDue(k.T, 20*time.Millisecond)
	for _, want := range []int{3, 3, 1, 0} {
		k.sweep(3, want, vault.Settle)
	}
}

// sweepFollows: a record is due when its last change says so.
func sweepFollows(k *kit) {
	d := k.draft(time.Hour)
	k.put(d, noise(256))
	lease := func(now vault.Time, s *vault.Secret) error {
		s.State, s.Opened, s.LeaseEnds = vault.Leased, now, now.Add(50*time.Millisecond)
		return nil
	}
	if _, err := k.store.Update(k.Context(), d.Alias(), lease); err != nil {
		k.Fatal(err)
	}
	k.clock.PassDue(k.T, 60*time.Millisecond)
	k.sweep(10, 1, vault.Settle)
	if got := k.get(d.Alias()); got.State != vault.Unconfirmed || got.Ended != got.LeaseEnds {
		k.Errorf("after the sweep %+v, want it unconfirmed when the lease ended", got)
	}
	k.sweep(10, 0, vault.Settle)
}

func sweepForgotten(k *kit) {
	small, large := k.draft(time.Millisecond), k.draft(time.Millisecond)
	for range 2 { // the second time under names that were used before
		k.put(small, noise(256))
		k.put(large, noise(200_000))
		k.clock.PassDue(k.T, 10*time.Millisecond)
		k.sweep(10, 2, forget)
		for _, d := range []vault.Draft{small, large} {
			if _, err := k.store.Get(k.Context(), d.Alias(), keep); !errors.Is(err, vault.ErrNotFound) {
				k.Errorf("forgotten, but Get gives %v", err)
			}
		}
		k.sweep(10, 0, forget)
	}
}

var closeTests = []test{{"a closed store is in trouble", closed}}

// closed: trouble is never "not found" (PROTOCOL 4.7), and nobody waits for an answer that cannot come.
func closed(k *kit) {
	d := k.draft(time.Hour)
	k.put(d, noise(256))
	if err := k.store.Close(); err != nil {
		k.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(k.Context(), 5*time.Second)
	defer cancel()
	_, _, put := k.store.Put(ctx, d, bytes.NewReader(nil))
	_, get := k.store.Get(ctx, d.Alias(), keep)
	_, update := k.store.Update(ctx, d.Alias(), keep)
	_, _, take := k.store.Take(ctx, d.Alias(), keep)
	_, sweep := k.store.Sweep(ctx, 10, keep)
	_, replace := k.store.Replace(ctx, d.Alias(), keep, bytes.NewReader(nil))
	_, _, list := k.store.List(ctx, vault.HashOf([]byte("list")), 0, 10)
	for verb, err := range map[string]error{
		"Put": put, "Get": get, "Update": update, "Take": take, "Sweep": sweep, "Replace": replace, "List": list,
	} {
		if err == nil || ctx.Err() != nil || errors.Is(err, vault.ErrNotFound) || errors.Is(err, vault.ErrConflict) || errors.Is(err, vault.ErrFull) {
			k.Errorf("%s after Close: %v", verb, err)
		}
	}
}
