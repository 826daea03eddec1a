package storetest

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// putGone: a name is free when the tombstone's time is over, whether or not a sweep has passed since. Nothing of what
// had it before is seen again.
func putGone(k *kit) {
	k.needsClock()
	for _, size := range raceSizes {
		waiting, read, claimed := k.keptDraft("author", time.Hour), k.draft(time.Hour), k.keptDraft("author", time.Hour)
		all := []vault.Draft{waiting, read, claimed}
		for _, d := range all {
			k.put(d, noise(size))
		}
		pending := k.listOf(k.get(waiting.Alias()))
		owned := k.listOf(k.update(claimed.Alias(), claimBy(ann)))
		k.clock.Pass(k.T, time.Hour)
		k.update(read.Alias(), end)
		k.clock.Pass(k.T, 7*24*time.Hour-time.Millisecond)
		for _, d := range all {
			if _, created, err := k.store.Put(k.Context(), d, bytes.NewReader(noise(size))); created || !errors.Is(err, vault.ErrConflict) {
				k.Errorf("in the place of a tombstone: created %t, %v, want a conflict", created, err)
			}
		}
		k.clock.Pass(k.T, time.Millisecond)
		var made []vault.Secret
		for i, d := range all {
			payload := noise(size + i)
			s := k.put(d, payload)
			if want := d.Secret(vault.At(k.clock.Now()), int64(len(payload))); s != want {
				k.Errorf("Put gives %+v, want %+v", s, want)
			}
			k.holds(s, payload)
			made = append(made, s)
		}
		got, total, err := k.store.List(k.Context(), pending, 0, 10)
		if !slices.Contains(got, made[0]) || !slices.Contains(got, made[2]) || total != 2 || err != nil {
			k.Errorf("the list has %+v of %d, %v", got, total, err)
		}
		k.lists(owned)
		k.sweep(10, 0, vault.Settle)
		for _, d := range all {
			k.update(d.Alias(), forget)
		}
	}
}

// putGoneAnswer: what remembers an answered request has no tombstone: its name is free when its time is over.
func putGoneAnswer(k *kit) {
	first := k.answer("request", ann, 600*time.Millisecond)
	made := k.put(first, nil)
	again, created, err := k.store.Put(k.Context(), first, bytes.NewReader(nil))
	if again != made || created || err != nil {
		k.Errorf("the same request: %+v, created %t, %v, want %+v", again, created, err, made)
	}
	other := k.answer("request", bob, 600*time.Millisecond)
	if _, created, err := k.store.Put(k.Context(), other, bytes.NewReader(nil)); created || !errors.Is(err, vault.ErrConflict) {
		k.Errorf("another request under its key: created %t, %v, want a conflict", created, err)
	}
	k.clock.Pass(k.T, 610*time.Millisecond)
	if fresh := k.put(other, nil); fresh.Link != bob || fresh.Created == made.Created {
		k.Errorf("after its time: %+v", fresh)
	}
	k.clock.PassDue(k.T, 610*time.Millisecond)
	if n, err := k.store.Sweep(k.Context(), 10, vault.Settle); err != nil || n != 1 && !k.clock.own { // an engine with a clock of its own may forget by itself
		k.Errorf("Sweep: %d, %v", n, err)
	}
	if _, err := k.store.Get(k.Context(), other.Alias(), keep); !errors.Is(err, vault.ErrNotFound) {
		k.Errorf("swept, but Get gives %v", err)
	}
}

// putGoneRace: of many that find a forgotten record, one takes its place, and it is dropped once.
func putGoneRace(k *kit) {
	for _, size := range raceSizes {
		d := k.answer("request", ann, 20*time.Millisecond)
		k.put(d, noise(size))
		k.clock.Pass(k.T, 40*time.Millisecond)
		d.TTL = time.Hour
		payload := noise(size)
		got := together(16, func(int) string {
			_, created, err := k.store.Put(k.Context(), d, bytes.NewReader(payload))
			switch {
			case err != nil:
				return err.Error()
			case created:
				return "created"
			default:
				return "same"
			}
		})
		if got["created"] != 1 || got["same"] != 15 {
			k.Errorf("size %d: %v", size, got)
		}
		k.holds(k.get(d.Alias()), payload)
		k.update(d.Alias(), forget)
	}
}
