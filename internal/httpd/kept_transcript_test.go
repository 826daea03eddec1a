package httpd_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestKeptTranscripts are conversations as inigma's own server would have them, over every store (PROTOCOL 5).
func TestKeptTranscripts(t *testing.T) {
	for _, e := range engines {
		for _, part := range []struct {
			name  string
			tests []transcript
		}{{"Messages", messageTests}, {"Claims", claimTests}, {"Lists", listTests}, {"Again", againTests}, {"Proof", proofTests}} {
			t.Run(e.name+"/"+part.name, func(t *testing.T) {
				for _, c := range part.tests {
					t.Run(c.name, func(t *testing.T) { c.run(newKeptWorld(t, e)) })
				}
			})
		}
	}
}

type transcript struct {
	name string
	run  func(*keptWorld)
}

var messageTests = []transcript{
	{"Health", func(w *keptWorld) {
		if a := w.do("GET", "/health", nil, ""); a.Status != http.StatusOK || strings.TrimSpace(string(a.Body)) != `{"status":"healthy"}` {
			w.t.Errorf("%d %s", a.Status, a.Body)
		}
	}},
	{"CreateAndView", func(w *keptWorld) {
		for name, change := range map[string]func(*wire.KeepRequest){
			"by default": func(*wire.KeepRequest) {}, "for a week": forDays(7), "for a year": forDays(365), "for ever": forDays(0),
		} {
			r := asking(change)
			made := members(w.t, w.post("create", r), "url", "view")
			view := made["view"].(string)
			if made["url"] != w.URL+"/" || len(view) != 25 {
				w.t.Errorf("%s: %v", name, made)
			}
			for range 3 { // reading is no use
				a := w.post("view", wire.ViewRequest{View: view, UID: "anonymous"})
				members(w.t, a, "encrypted_message", "iv", "salt", "custom_name", "is_owner", "claim_required", "rev")
				got := testenv.JSON[wire.KeptSecret](w.t, a)
				if !same(got, r.Message, r.IV, r.Salt) || got.CustomName != "" || got.IsOwner || got.ClaimRequired || got.Revision != 0 {
					w.t.Errorf("%s: %+v", name, got)
				}
			}
		}
	}},
	{"Names", func(w *keptWorld) {
		view := w.keep(asking(func(r *wire.KeepRequest) { r.CustomName = "my-secret Ωμέγα 🔐" }))
		if got := w.view(view, "anonymous").CustomName; got != "my-secret Ωμέγα 🔐" {
			w.t.Errorf("%q", got)
		}
		if l := w.pending(creator); len(l.Secrets) != 1 || l.Secrets[0].ID != view || l.Secrets[0].CustomName != "my-secret Ωμέγα 🔐" {
			w.t.Errorf("%+v", l)
		}
	}},
	{"LargeMessage", func(w *keptWorld) {
		for _, size := range []int{1, 2, 3, 64<<10 + 1, 1572864} {
			r := asking(func(r *wire.KeepRequest) { r.Message = b64(testenv.Random(size)) })
			view := w.keep(r)
			if got := w.view(view, stranger); !same(got, r.Message, r.IV, r.Salt) {
				w.t.Errorf("%d bytes came back as %d characters", size, len(got.Message))
			}
			c := w.claims(claiming(view, recipient, func(c *wire.ClaimRequest) { c.Message = b64(testenv.Random(size)) }))
			if got := w.view(view, recipient); !same(got, c.Message, c.IV, c.Salt) {
				w.t.Errorf("%d bytes, claimed, came back as %d characters", size, len(got.Message))
			}
		}
	}},
	{"Refusals", func(w *keptWorld) {
		message, iv, salt := sealed()
		w.unreadable(http.StatusNotFound, "nonexistent_id_12345", "someuser")
		w.unreadable(http.StatusNotFound, strings.Repeat("A", 25), "someuser")
		for _, body := range []any{
			wire.KeepRequest{Message: "not-valid-base64!!!@@@", IV: "also-bad!!!", Salt: "nope!!!", CreatorUID: creator},
			wire.KeepRequest{Message: message, IV: iv, Salt: salt, CreatorUID: "invalid uid with spaces & <script>"},
			asking(forDays(9999)),
			asking(func(r *wire.KeepRequest) { r.Message = "" }),
		} {
			expect[wire.KeptInvalid](w.world, http.StatusUnprocessableEntity, "create", body)
		}
		expect[wire.KeptInvalid](w.world, http.StatusUnprocessableEntity, "view", `{"uid":"abc"}`)
	}},
	{"Delete", func(w *keptWorld) {
		mine := w.keep(asking())
		w.fails(http.StatusNotFound, "delete-secret", wire.ViewRequest{View: mine, UID: stranger})
		w.does("delete-secret", wire.ViewRequest{View: mine, UID: creator})
		theirs := w.keep(asking())
		w.claims(claiming(theirs, recipient))
		for _, uid := range []wire.Token{creator, stranger} {
			w.fails(http.StatusNotFound, "delete-secret", wire.ViewRequest{View: theirs, UID: uid})
		}
		w.does("delete-secret", wire.ViewRequest{View: theirs, UID: recipient})
		for _, view := range []string{mine, theirs} {
			for _, uid := range []wire.Token{creator, recipient, stranger} {
				w.unreadable(http.StatusNotFound, view, uid)
				w.fails(http.StatusNotFound, "delete-secret", wire.ViewRequest{View: view, UID: uid})
				w.fails(http.StatusNotFound, "update", claiming(view, uid))
				w.fails(http.StatusNotFound, "update-custom-name", wire.RelabelRequest{View: view, UID: uid, CustomName: "n"})
			}
		}
		if a, b := w.owned(recipient), w.pending(creator); a.Total != 0 || b.Total != 0 {
			w.t.Errorf("%+v, %+v", a, b)
		}
	}},
	{"Expiry", func(w *keptWorld) {
		mine, theirs := w.keep(asking(forDays(1))), w.keep(asking(forDays(1)))
		w.claims(claiming(theirs, recipient))
		w.keep(asking(forDays(0)))
		w.pass(24*time.Hour - time.Millisecond)
		w.view(mine, stranger)
		w.view(theirs, recipient)
		w.pass(time.Millisecond)
		for _, view := range []string{mine, theirs} {
			for _, uid := range []wire.Token{creator, recipient, stranger} {
				w.unreadable(http.StatusGone, view, uid)
				w.fails(http.StatusNotFound, "update", claiming(view, uid))
				w.fails(http.StatusNotFound, "update-custom-name", wire.RelabelRequest{View: view, UID: uid, CustomName: "n"})
				w.fails(http.StatusNotFound, "delete-secret", wire.ViewRequest{View: view, UID: uid})
			}
		}
		if a, b := w.owned(recipient), w.pending(creator); a.Total != 0 || len(a.Secrets) != 0 || b.Total != 1 || len(b.Secrets) != 1 {
			w.t.Errorf("%+v, %+v", a, b)
		}
		w.pass(7 * 24 * time.Hour)
		w.unreadable(http.StatusNotFound, mine, creator)
	}},
}

var claimTests = []transcript{
	{"Claim", func(w *keptWorld) {
		view := w.keep(asking(func(r *wire.KeepRequest) { r.CustomName = "a name" }))
		if w.view(view, creator).IsOwner {
			w.t.Error("its creator owns it")
		}
		c := w.claims(claiming(view, recipient))
		for range 3 {
			if got := w.view(view, recipient); !got.IsOwner || !same(got, c.Message, c.IV, c.Salt) || got.CustomName != "a name" || got.Revision != 1 {
				w.t.Errorf("%+v", got)
			}
		}
		for _, uid := range []wire.Token{creator, stranger, "anonymous"} {
			w.unreadable(http.StatusForbidden, view, uid)
		}
	}},
	{"SecondClaim", func(w *keptWorld) {
		view := w.keep(asking())
		c := w.claims(claiming(view, recipient))
		for _, uid := range []wire.Token{stranger, recipient, creator} {
			w.fails(http.StatusConflict, "update", claiming(view, uid))
		}
		if got := w.view(view, recipient); !same(got, c.Message, c.IV, c.Salt) {
			w.t.Error("a claim that failed has changed the message")
		}
	}},
	{"ClaimsAtOnce", func(w *keptWorld) {
		view := w.keep(asking())
		var won, late atomic.Int32
		var winner atomic.Value
		var all sync.WaitGroup
		for i := range 12 {
			c := claiming(view, wire.Token(fmt.Sprintf("claimer%02d", i)))
			all.Go(func() {
				switch a := w.post("update", c); a.Status {
				case http.StatusOK:
					won.Add(1)
					winner.Store(c)
				case http.StatusConflict:
					late.Add(1)
				default:
					w.t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || late.Load() != 11 {
			w.t.Fatalf("%d won, %d were late", won.Load(), late.Load())
		}
		c := winner.Load().(wire.ClaimRequest)
		if got := w.view(view, c.UID); !got.IsOwner || !same(got, c.Message, c.IV, c.Salt) {
			w.t.Error("it holds what a loser sent")
		}
	}},
	{"Sealed", func(w *keptWorld) { // with the real sealing, from the sender to the recipient
		text := "Привет мир! 🔐 こんにちは 中文"
		key, own := seal.NewKept(), seal.NewKept()
		c, err := key.Seal(text)
		if err != nil {
			w.t.Fatal(err)
		}
		sender := wire.Token(keyring.LegacyUID(seal.NewKept()))
		view := w.keep(wire.KeepRequest{Message: c.Message, IV: c.IV, Salt: c.Salt, CreatorUID: sender})
		opened := func(uid wire.Token, with seal.Kept) (seal.Claimable, string) {
			s := w.view(view, uid)
			c := seal.Claimable{Message: s.Message, IV: s.IV, Salt: s.Salt}
			got, err := with.Open(c)
			if err != nil {
				w.t.Fatal(err)
			}
			return c, got
		}
		read, got := opened("anonymous", key)
		if got != text {
			w.t.Errorf("%q", got)
		}
		mine, err := keyring.Reseal(read, key, own)
		if err != nil {
			w.t.Fatal(err)
		}
		reader := wire.Token(keyring.LegacyUID(own))
		w.claims(wire.ClaimRequest{View: view, UID: reader, Message: mine.Message, IV: mine.IV, Salt: mine.Salt})
		if _, got := opened(reader, own); got != text {
			w.t.Errorf("%q", got)
		}
		w.unreadable(http.StatusForbidden, view, sender)
	}},
}
