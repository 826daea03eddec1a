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

var putTests = []test{
	{"every size", putSizes},
	{"every kind of reader", putReaders},
	{"conflicts", putConflicts},
	{"a lifetime is not compared", putLifetime},
	{"what has ended is no twin", putEnded},
	{"what is forgotten is in nobody's way", putGone},
	{"nor is what has answered", putGoneAnswer},
	{"many at once in the place of one", putGoneRace},
	{"cut uploads", putCut},
	{"a context that has ended", putCancelled},
}

// sizes lie around what stores treat differently: nothing, a padded text, and SQLite's limit for files.
var sizes = []int{0, 1, 256, 64 << 10, 64<<10 + 1, 3 << 20}

func putSizes(k *kit) {
	for _, size := range sizes {
		d, payload := k.draft(time.Hour), noise(size)
		made := k.put(d, payload)
		if want := d.Secret(made.Created, int64(size)); made != want {
			k.Errorf("size %d: Put gives %+v, want %+v", size, made, want)
		}
		if at := vault.At(k.clock.Now()); !k.clock.own && made.Created != at {
			k.Errorf("size %d: created at %d, want %d", size, made.Created, at)
		}
		k.clock.Pass(k.T, time.Millisecond) // a repetition must not renew it
		again, created, err := k.store.Put(k.Context(), d, bytes.NewReader(payload))
		if again != made || created || err != nil {
			k.Errorf("size %d, repeated: %+v, created %t, %v, want %+v", size, again, created, err, made)
		}
		if got := k.get(d.Alias()); got != made {
			k.Errorf("size %d: Get gives %+v, want %+v", size, got, made)
		}
		for _, other := range others(payload) {
			if _, created, err := k.store.Put(k.Context(), d, bytes.NewReader(other)); created || !errors.Is(err, vault.ErrConflict) {
				k.Errorf("size %d, again with %d other bytes: created %t, %v", size, len(other), created, err)
			}
		}
		if got := k.take(d.Alias()); !bytes.Equal(got, payload) {
			k.Errorf("size %d: Take gives %d other bytes", size, len(got))
		}
	}
}

// others gives payloads that are easily mistaken for p.
func others(p []byte) [][]byte {
	longer := append(bytes.Clone(p), 0)
	if len(p) == 0 {
		return [][]byte{longer}
	}
	first, last := bytes.Clone(p), bytes.Clone(p)
	first[0] ^= 1
	last[len(last)-1] ^= 1
	return [][]byte{longer, p[:len(p)-1], first, last, nil}
}

func putReaders(k *kit) {
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"byte by byte": iotest.OneByteReader, "halves": iotest.HalfReader,
		"end beside data": iotest.DataErrReader, "only a reader": func(r io.Reader) io.Reader { return struct{ io.Reader }{r} },
	} {
		for _, size := range []int{0, 256, 64 << 10, 64<<10 + 1, 200_000} {
			d, payload := k.draft(time.Hour), noise(size)
			made, created, err := k.store.Put(k.Context(), d, wrap(bytes.NewReader(payload)))
			if err != nil || !created || made.Size != int64(size) {
				k.Errorf("%s, %d bytes: size %d, created %t, %v", name, size, made.Size, created, err)
				continue
			}
			if got := k.take(d.Alias()); !bytes.Equal(got, payload) {
				k.Errorf("%s, %d bytes: Take gives %d other bytes", name, size, len(got))
			}
		}
	}
}

func putConflicts(k *kit) {
	d, payload := k.draft(time.Hour), noise(256)
	made := k.put(d, payload)
	for name, change := range map[string]func(*vault.Draft){
		"id":                 func(d *vault.Draft) { d.ID[0] ^= 1 }, // of the same alias
		"link hash":          func(d *vault.Draft) { d.Link[31] ^= 1 },
		"manage hash":        func(d *vault.Draft) { d.Manage[0] ^= 1 },
		"passphrase hash":    func(d *vault.Draft) { d.Passphrase[0] ^= 1 },
		"creator":            func(d *vault.Draft) { d.Creator = "another" },
		"no creator":         func(d *vault.Draft) { d.Creator = "" },
		"no link hash":       func(d *vault.Draft) { d.Link = vault.Hash{} },
		"no manage hash":     func(d *vault.Draft) { d.Manage = vault.Hash{} },
		"no passphrase hash": func(d *vault.Draft) { d.Passphrase = vault.Hash{} },
	} {
		other := d
		change(&other)
		_, created, err := k.store.Put(k.Context(), other, bytes.NewReader(payload))
		if created || !errors.Is(err, vault.ErrConflict) {
			k.Errorf("another %s: created %t, %v, want a conflict", name, created, err)
		}
	}
	if got := k.get(d.Alias()); got != made {
		k.Errorf("conflicts changed the record to %+v, want %+v", got, made)
	}
}

func putLifetime(k *kit) {
	d := k.draft(time.Hour)
	made := k.put(d, nil)
	d.TTL = 2 * time.Hour
	again, created, err := k.store.Put(k.Context(), d, bytes.NewReader(nil))
	if again != made || created || err != nil { // PROTOCOL 4.1: same id, hashes and payload
		k.Errorf("%+v, created %t, %v, want %+v", again, created, err, made)
	}
}

func putEnded(k *kit) {
	for _, size := range []int{256, 200_000} {
		d, payload := k.draft(time.Hour), noise(size)
		k.put(d, payload)
		if _, err := k.store.Update(k.Context(), d.Alias(), end); err != nil {
			k.Fatal(err)
		}
		if _, created, err := k.store.Put(k.Context(), d, bytes.NewReader(payload)); created || !errors.Is(err, vault.ErrConflict) {
			k.Errorf("after its end: created %t, %v, want a conflict", created, err)
		}
		late := k.draft(50 * time.Millisecond)
		k.put(late, payload)
		k.clock.Pass(k.T, 60*time.Millisecond)
		if _, created, err := k.store.Put(k.Context(), late, bytes.NewReader(payload)); created || !errors.Is(err, vault.ErrConflict) {
			k.Errorf("expired, not yet swept: created %t, %v, want a conflict", created, err)
		}
	}
}

// putCut: nothing is kept of an upload that breaks off, however the reader says so. net/http's says
// io.ErrUnexpectedEOF, the name that io.ReadFull has for a good end.
func putCut(k *kit) {
	lost := errors.New("connection lost")
	for _, cause := range []error{lost, io.ErrUnexpectedEOF, fmt.Errorf("reading: %w", io.EOF), context.Canceled} {
		for _, after := range []int{0, 1, 256, 64 << 10, 64<<10 + 1, 2 * (64<<10 + 1), 1 << 20} {
			d, payload := k.draft(time.Hour), noise(after)
			cut := io.MultiReader(bytes.NewReader(payload), iotest.ErrReader(cause))
			if _, created, err := k.store.Put(k.Context(), d, cut); created || !errors.Is(err, cause) {
				k.Errorf("%v after %d bytes: created %t, %v", cause, after, created, err)
			}
			if _, err := k.store.Get(k.Context(), d.Alias(), keep); !errors.Is(err, vault.ErrNotFound) {
				k.Errorf("%v after %d bytes: something was kept: %v", cause, after, err)
				continue
			}
			k.put(d, payload) // the client tries again
		}
	}
}

// putCancelled: whatever a store makes of a context that ended before, its answer is what it did.
func putCancelled(k *kit) {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	for range 20 {
		d := k.draft(time.Hour)
		_, created, err := k.store.Put(ctx, d, bytes.NewReader(noise(10)))
		if created != (err == nil) {
			k.Errorf("created %t beside %v", created, err)
		}
		if _, err := k.store.Get(k.Context(), d.Alias(), keep); errors.Is(err, vault.ErrNotFound) == created {
			k.Errorf("created %t, but Get gives %v", created, err)
		}
	}
}
