package httpd_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

func withIdempotency(key string) func(*wire.KeepRequest) {
	return func(r *wire.KeepRequest) { r.IdempotencyKey = key }
}

// againTests are requests that come twice (PROTOCOL 5).
var againTests = []transcript{
	{"SameAnswer", func(w *keptWorld) {
		r := asking(withIdempotency("0123456789abcdef"))
		first := w.post("create", r)
		for range 2 {
			if a := w.post("create", r); a.Status != http.StatusOK || string(a.Body) != string(first.Body) {
				w.t.Errorf("%d %s, first %s", a.Status, a.Body, first.Body)
			}
		}
		if l := w.pending(creator); l.Total != 1 {
			w.t.Errorf("it is kept %d times", l.Total)
		}
	}},
	{"AfterARestart", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		view := w.keep(r)
		w.restart()
		if again := w.keep(r); again != view {
			w.t.Error("another view")
		}
		if got := w.view(view, stranger); !same(got, r.Message, r.IV, r.Salt) {
			w.t.Error("another message")
		}
	}},
	{"WhateverHasBecomeOfIt", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		view := w.keep(r)
		c := w.claims(claiming(view, recipient))
		if w.keep(r) != view {
			w.t.Error("claimed: another view")
		}
		if got := w.view(view, recipient); !same(got, c.Message, c.IV, c.Salt) {
			w.t.Error("the second create has changed the message")
		}
		w.does("delete-secret", wire.ViewRequest{View: view, UID: recipient})
		if w.keep(r) != view {
			w.t.Error("deleted: another view")
		}
		w.unreadable(http.StatusNotFound, view, recipient)
	}},
	{"AnotherBody", func(w *keptWorld) {
		r := asking(withIdempotency("key"), forDays(7))
		view := w.keep(r)
		for name, change := range map[string]func(*wire.KeepRequest){
			"message":    func(r *wire.KeepRequest) { r.Message = b64(testenv.Random(100)) },
			"iv":         func(r *wire.KeepRequest) { r.IV = b64(testenv.Random(12)) },
			"salt":       func(r *wire.KeepRequest) { r.Salt = b64(testenv.Random(16)) },
			"ttl":        forDays(8),
			"no ttl":     func(r *wire.KeepRequest) { r.TTL = nil },
			"name":       func(r *wire.KeepRequest) { r.CustomName = "n" },
			"claim hash": func(r *wire.KeepRequest) { r.ClaimHash = testenv.HashOf(nil) },
		} {
			other := r
			change(&other)
			d := expect[wire.KeptInvalid](w.world, http.StatusUnprocessableEntity, "create", other)
			if len(d.Detail) != 1 || len(d.Detail[0].Loc) != 2 || d.Detail[0].Loc[1] != "idempotency_key" {
				w.t.Errorf("%s: %+v", name, d)
			}
		}
		if w.keep(r) != view || w.pending(creator).Total != 1 {
			w.t.Error("the refusals have changed something")
		}
		if w.keep(asking(withIdempotency("another key"))) == view {
			w.t.Error("another key has the same view")
		}
	}},
	{"DefaultsAreTheSameBody", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		view := w.keep(r)
		forDays(30)(&r)
		if w.keep(r) != view {
			w.t.Error("a ttl of 30 is what no ttl says")
		}
	}},
	{"AnotherCreator", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		view := w.keep(r)
		r.CreatorUID = stranger
		if w.keep(r) == view {
			w.t.Error("two creators with one key share a message")
		}
	}},
	{"AtOnce", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		var all sync.WaitGroup
		var mu sync.Mutex
		seen := make(map[string]int)
		for range 12 {
			all.Go(func() {
				a := w.post("create", r)
				if a.Status != http.StatusOK {
					w.t.Errorf("%d %s", a.Status, a.Body)
				}
				mu.Lock()
				defer mu.Unlock()
				seen[string(a.Body)]++
			})
		}
		all.Wait()
		if len(seen) != 1 || w.pending(creator).Total != 1 {
			w.t.Errorf("%d answers, %d messages", len(seen), w.pending(creator).Total)
		}
	}},
	{"ForADay", func(w *keptWorld) {
		r := asking(withIdempotency("key"))
		view := w.keep(r)
		w.pass(24*time.Hour - time.Millisecond)
		if w.keep(r) != view {
			w.t.Error("forgotten too early")
		}
		w.pass(time.Millisecond)
		other := asking(withIdempotency("key"))
		if w.keep(other) == view {
			w.t.Error("remembered for too long")
		}
		if got := w.view(view, stranger); !same(got, r.Message, r.IV, r.Salt) {
			w.t.Error("the first message is another one")
		}
	}},
}

// TestNoKeyIsNoRepetition: without an idempotency key the same request makes two messages.
func TestNoKeyIsNoRepetition(t *testing.T) {
	w := newWorld(t)
	r := asking()
	if first := w.keep(r); w.keep(r) == first {
		t.Error("two requests share a view")
	}
}
