package httpd_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hushpost/hushpost/internal/wire"
)

var listTests = []transcript{
	{"Pages", func(w *keptWorld) {
		var all []string
		for i := range 7 {
			all = append(all, w.keep(asking(func(r *wire.KeepRequest) { r.CustomName = fmt.Sprint(i) })))
			w.tick()
		}
		slices.Reverse(all) // the newest first
		for _, route := range []string{"list-pending-secrets", "list-secrets"} {
			uid := wire.Token(creator)
			if route == "list-secrets" {
				for _, view := range slices.Backward(all) {
					w.claims(claiming(view, recipient))
				}
				uid = recipient
			}
			for page, want := range map[int][]string{1: all[:3], 2: all[3:6], 3: all[6:], 4: nil, 1_000_000: nil} {
				l := expect[wire.KeptList](w.world, http.StatusOK, route, wire.ListRequest{UID: uid, Page: page, PerPage: 3})
				if !slices.Equal(views(l), want) || l.Page != page || l.PerPage != 3 || l.Total != 7 || l.HasMore != (page < 3) {
					w.t.Errorf("%s, page %d: %+v", route, page, l)
				}
			}
			if l := expect[wire.KeptList](w.world, http.StatusOK, route, wire.ListRequest{UID: uid, Page: 1, PerPage: 7}); l.HasMore || len(l.Secrets) != 7 {
				w.t.Errorf("%s, all: %+v", route, l)
			}
		}
		if l := w.pending(creator); l.Total != 0 || l.Secrets == nil || l.Page != 1 || l.PerPage != 10 || l.HasMore {
			w.t.Errorf("claimed is not pending: %+v", l)
		}
	}},
	{"WhoseTheyAre", func(w *keptWorld) {
		view := w.keep(asking())
		if a, b := w.pending(creator), w.owned(creator); !slices.Equal(views(a), []string{view}) || b.Total != 0 {
			w.t.Errorf("%+v, %+v", a, b)
		}
		w.claims(claiming(view, recipient))
		if a, b := w.owned(recipient), w.pending(creator); !slices.Equal(views(a), []string{view}) || b.Total != 0 {
			w.t.Errorf("%+v, %+v", a, b)
		}
		if a, b := w.owned(stranger), w.pending(recipient); a.Total != 0 || b.Total != 0 {
			w.t.Errorf("%+v, %+v", a, b)
		}
	}},
	{"WhatIsLeft", func(w *keptWorld) {
		left := func(want wire.KeptEntry) {
			w.t.Helper()
			l := w.pending(creator)
			if len(l.Secrets) != 1 {
				w.t.Fatalf("%+v", l)
			}
			if got := l.Secrets[0]; got.Days != want.Days || got.Display != want.Display || got.Type != want.Type {
				w.t.Errorf("%+v, want %+v", got, want)
			}
		}
		view := w.keep(asking(forDays(0)))
		left(wire.KeptEntry{Days: -1, Display: "Permanent", Type: "permanent"})
		w.does("delete-secret", wire.ViewRequest{View: view, UID: creator})
		w.keep(asking(forDays(3)))
		for _, c := range []struct {
			pass time.Duration
			want wire.KeptEntry
		}{
			{0, wire.KeptEntry{Days: 3, Display: "3 days", Type: "days"}},
			{time.Second, wire.KeptEntry{Days: 2, Display: "2 days", Type: "days"}},
			{48*time.Hour - time.Second, wire.KeptEntry{Days: 1, Display: "1 day", Type: "days"}},
			{time.Second, wire.KeptEntry{Days: 23, Display: "23 hours", Type: "hours"}},
			{23*time.Hour - time.Second, wire.KeptEntry{Days: 1, Display: "1 hour", Type: "hours"}},
			{time.Second, wire.KeptEntry{Days: 59, Display: "59 minutes", Type: "minutes"}},
			{58 * time.Minute, wire.KeptEntry{Days: 1, Display: "1 minute", Type: "minutes"}},
			{59 * time.Second, wire.KeptEntry{Days: 1, Display: "1 minute", Type: "minutes"}},
		} {
			w.pass(c.pass)
			left(c.want)
		}
	}},
	{"Rename", func(w *keptWorld) {
		view := w.keep(asking(func(r *wire.KeepRequest) { r.CustomName = "original" }))
		w.fails(http.StatusNotFound, "update-custom-name", wire.RelabelRequest{View: view, UID: creator, CustomName: "pending"})
		w.claims(claiming(view, recipient))
		for name, want := range map[string]string{
			"renamed": "renamed", "": "", `<b>bold</b> <i`: "bold i", `a<>"/\b`: "ab", "Ωμέγα 🔐": "Ωμέγα 🔐", "<script>alert(1)</script>": "alert(1)",
			strings.Repeat("🔐", 101): strings.Repeat("🔐", 100), strings.Repeat("x", 5000): strings.Repeat("x", 100),
		} {
			w.does("update-custom-name", wire.RelabelRequest{View: view, UID: recipient, CustomName: name})
			if got := w.view(view, recipient).CustomName; got != want {
				w.t.Errorf("%q became %q, want %q", name, got, want)
			}
			if l := w.owned(recipient); len(l.Secrets) != 1 || l.Secrets[0].CustomName != want {
				w.t.Errorf("%+v", l)
			}
		}
		for _, uid := range []wire.Token{creator, stranger} {
			w.fails(http.StatusNotFound, "update-custom-name", wire.RelabelRequest{View: view, UID: uid, CustomName: "hacked"})
		}
		w.fails(http.StatusNotFound, "update-custom-name", wire.RelabelRequest{View: "nonexistent", UID: recipient, CustomName: "n"})
		if got := w.view(view, recipient).CustomName; got == "hacked" {
			w.t.Error("a stranger has renamed it")
		}
	}},
}

// tick lets so much time go by that two records have an order.
func (w *keptWorld) tick() {
	if w.moves {
		w.clock.Pass(time.Millisecond)
		return
	}
	<-time.After(2 * time.Millisecond)
}
