package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing/iotest"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var replaceTests = []test{
	{"from every size to every size", replaceSizes},
	{"every kind of reader", replaceReaders},
	{"again and again", replaceAgain},
	{"a refusal keeps the old payload", replaceRefused},
	{"a refusal keeps its changes", replaceRefusedChanges},
	{"an end keeps no payload", replaceEnds},
	{"unknown", replaceUnknown},
	{"ended", replaceEnded},
	{"cut uploads", replaceCut},
	{"a context that has ended", replaceCancelled},
	{"what was taken can be read to its end", replaceBesideReader},
	{"replacing beside taking", raceReplaces},
	{"replacing beside the end", raceReplaceEnd},
}

// replaceFrom and replaceTo lie around SQLite's limit for files.
var replaceFrom, replaceTo = []int{0, 256, 64 << 10, 64<<10 + 1, 200_000}, []int{0, 257, 64 << 10, 64<<10 + 1, 300_000}

// claimBy is a rule that gives a kept secret to owner, as a claim would.
func claimBy(owner vault.Hash) vault.Rule {
	return func(now vault.Time, s *vault.Secret) error {
		s.State, s.Owner, s.Opened = vault.Claimed, owner, now
		s.IV, s.Salt = "another iv", "another salt"
		s.Revision++
		return nil
	}
}

// holds checks that the store keeps want, with this payload.
func (k *kit) holds(want vault.Secret, payload []byte) {
	k.Helper()
	if got := k.get(want.Alias); got != want {
		k.Errorf("kept %+v, want %+v", got, want)
	}
	if got := k.take(want.Alias); !bytes.Equal(got, payload) {
		k.Errorf("kept %d other bytes, want the %d of the payload", len(got), len(payload))
	}
}

func replaceSizes(k *kit) {
	for _, from := range replaceFrom {
		for _, to := range replaceTo {
			d, payload := k.keptDraft("author", time.Hour), noise(to)
			want := k.put(d, noise(from))
			k.clock.Pass(k.T, time.Millisecond)
			got, err := k.store.Replace(k.Context(), d.Alias(), func(now vault.Time, s *vault.Secret) error {
				if *s != want {
					k.Errorf("the rule got %+v, want %+v", *s, want)
				}
				defer func() { want = *s }()
				return claimBy(ann)(now, s)
			}, bytes.NewReader(payload))
			want.Size = int64(to)
			if got != want || err != nil {
				k.Errorf("from %d to %d bytes: %+v, %v, want %+v", from, to, got, err, want)
			}
			k.holds(want, payload)
		}
	}
}

func replaceReaders(k *kit) {
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"byte by byte": iotest.OneByteReader, "end beside data": iotest.DataErrReader,
		"only a reader": func(r io.Reader) io.Reader { return struct{ io.Reader }{r} },
	} {
		for _, size := range replaceTo {
			d, payload := k.keptDraft("author", time.Hour), noise(size)
			k.put(d, noise(256))
			got, err := k.store.Replace(k.Context(), d.Alias(), keep, wrap(bytes.NewReader(payload)))
			if err != nil || got.Size != int64(size) {
				k.Errorf("%s, %d bytes: size %d, %v", name, size, got.Size, err)
				continue
			}
			k.holds(got, payload)
		}
	}
}

// replaceAgain: the length of a payload may be all that changes, or not even that.
func replaceAgain(k *kit) {
	for _, size := range []int{256, 200_000} {
		d := k.keptDraft("author", time.Hour)
		want := k.put(d, noise(size))
		for _, change := range []int{0, 0, 1, -1, -size} {
			payload := noise(int(want.Size) + change)
			want.Size = int64(len(payload))
			if got, err := k.store.Replace(k.Context(), d.Alias(), keep, bytes.NewReader(payload)); got != want || err != nil {
				k.Errorf("%+v, %v, want %+v", got, err, want)
			}
			k.holds(want, payload)
		}
	}
}

func replaceRefused(k *kit) {
	for _, from := range replaceFrom {
		for _, to := range replaceTo {
			d, payload := k.keptDraft("author", time.Hour), noise(from)
			made := k.put(d, payload)
			refuse := func(vault.Time, *vault.Secret) error { return errRule }
			got, err := k.store.Replace(k.Context(), d.Alias(), refuse, bytes.NewReader(noise(to)))
			if got != made || err != errRule { //nolint:errorlint // vault tells its refusals apart by value
				k.Errorf("%+v, %v, want %+v and the rule's own error, bare", got, err, made)
			}
			k.holds(made, payload)
		}
	}
}

func replaceRefusedChanges(k *kit) {
	for _, size := range raceSizes {
		for _, ends := range []bool{false, true} {
			d, payload := k.keptDraft("author", time.Hour), noise(size)
			made := k.put(d, payload)
			got, err := k.store.Replace(k.Context(), d.Alias(), func(now vault.Time, s *vault.Secret) error {
				s.Wrong++
				if ends {
					_ = end(now, s)
				}
				return errRule
			}, bytes.NewReader(noise(size+1)))
			if err != errRule { //nolint:errorlint // vault tells its refusals apart by value
				k.Errorf("%v, want the rule's own error, bare", err)
			}
			if kept := k.get(d.Alias()); got.Wrong != 1 || got != kept || kept.Held() == ends || kept.Size != made.Size {
				k.Errorf("answered %+v, kept %+v", got, kept)
			}
			if ends {
				k.empty(d.Alias())
			} else {
				k.holds(got, payload)
			}
		}
	}
}

// empty checks that nothing is left of the payload of a secret that has ended.
func (k *kit) empty(a vault.Alias) {
	k.Helper()
	_, payload, err := k.store.Take(k.Context(), a, keep)
	if payload != nil || err == nil || errors.Is(err, vault.ErrNotFound) {
		k.Errorf("the payload of an ended secret: %t, %v", payload != nil, err)
	}
}

// replaceEnds: a rule that allows the change, and ends the secret, has ended it.
func replaceEnds(k *kit) {
	for _, size := range raceSizes {
		d := k.keptDraft("author", time.Hour)
		made := k.put(d, noise(size))
		got, err := k.store.Replace(k.Context(), d.Alias(), end, bytes.NewReader(noise(size+1)))
		if err != nil || got.Held() || got.Size != made.Size || got != k.get(d.Alias()) {
			k.Errorf("%+v, %v", got, err)
		}
		k.empty(d.Alias())
		other := k.keptDraft("author", time.Hour)
		k.put(other, noise(size))
		if _, err := k.store.Replace(k.Context(), other.Alias(), forget, bytes.NewReader(noise(size+1))); err != nil {
			k.Error(err)
		}
		if _, err := k.store.Get(k.Context(), other.Alias(), keep); !errors.Is(err, vault.ErrNotFound) {
			k.Errorf("forgotten, but Get gives %v", err)
		}
	}
}

func replaceUnknown(k *kit) {
	k.put(k.keptDraft("author", time.Hour), nil)
	for _, size := range replaceTo {
		unknown, ran := k.keptDraft("author", time.Hour), false
		rule := func(vault.Time, *vault.Secret) error { ran = true; return nil }
		if _, err := k.store.Replace(k.Context(), unknown.Alias(), rule, bytes.NewReader(noise(size))); !errors.Is(err, vault.ErrNotFound) || ran {
			k.Errorf("%v, want ErrNotFound; the rule ran: %t", err, ran)
		}
		k.put(unknown, noise(size)) // nothing was kept under its name
	}
}

func replaceEnded(k *kit) {
	for _, size := range raceSizes {
		d := k.keptDraft("author", time.Hour)
		k.put(d, noise(size))
		if _, err := k.store.Update(k.Context(), d.Alias(), end); err != nil {
			k.Fatal(err)
		}
		got, err := k.store.Replace(k.Context(), d.Alias(), func(_ vault.Time, s *vault.Secret) error { s.Refused++; return nil }, bytes.NewReader(noise(size)))
		if err != nil || got.Refused != 1 || got.Held() || got != k.get(d.Alias()) {
			k.Errorf("%+v, %v", got, err)
		}
		k.empty(d.Alias())
	}
}

// replaceCut: an upload that breaks off has not happened, and its rule neither.
func replaceCut(k *kit) {
	lost := errors.New("connection lost")
	for _, cause := range []error{lost, io.ErrUnexpectedEOF, fmt.Errorf("reading: %w", io.EOF)} {
		for _, size := range raceSizes {
			d, payload := k.keptDraft("author", time.Hour), noise(size)
			made := k.put(d, payload)
			for _, after := range []int{0, 1, 64 << 10, 64<<10 + 1, 1 << 20} {
				cut := io.MultiReader(bytes.NewReader(noise(after)), iotest.ErrReader(cause))
				if _, err := k.store.Replace(k.Context(), d.Alias(), claimBy(ann), cut); !errors.Is(err, cause) {
					k.Errorf("%v after %d bytes: %v", cause, after, err)
				}
			}
			k.holds(made, payload)
		}
	}
}

// replaceCancelled: whatever a store makes of a context that ended before, its answer is what it did.
func replaceCancelled(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	for range 20 {
		d, old, fresh := k.keptDraft("author", time.Hour), noise(100), noise(200_000)
		want, payload := k.put(d, old), old
		if got, err := k.store.Replace(ctx, d.Alias(), claimBy(ann), bytes.NewReader(fresh)); err == nil {
			want, payload = got, fresh
		}
		k.holds(want, payload)
	}
}

// replaceBesideReader: who has begun to read the old payload reads it to its end.
func replaceBesideReader(k *kit) {
	for _, size := range []int{256, 3 << 20} {
		d, payload := k.keptDraft("author", time.Hour), noise(size)
		k.put(d, payload)
		_, r, err := k.store.Take(k.Context(), d.Alias(), keep)
		if err != nil {
			k.Fatal(err)
		}
		half := make([]byte, size/2)
		if _, err := io.ReadFull(r, half); err != nil {
			k.Error(err)
		}
		if _, err := k.store.Replace(k.Context(), d.Alias(), claimBy(ann), bytes.NewReader(noise(size))); err != nil {
			k.Error(err)
		}
		if rest := k.read(r); !bytes.Equal(half, payload[:size/2]) || !bytes.Equal(rest, payload[size/2:]) {
			k.Errorf("size %d: other bytes", size)
		}
	}
}
