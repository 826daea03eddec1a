package httpd_test

import (
	"net/http"
	"slices"
	"time"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// careful is a creator whose UID is a proof.
const careful = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789"

func carefully(r *wire.KeepRequest) { r.CreatorUID = careful }

func revision(n int) func(*wire.ClaimRequest) {
	return func(c *wire.ClaimRequest) { c.IfRevision = &n }
}

func withClaimToken(token []byte) func(*wire.ClaimRequest) {
	return func(c *wire.ClaimRequest) { c.ClaimToken = wire.Token(testenv.B64u(token)) }
}

// proofTests are what inigma lacks (PROTOCOL 5.1).
var proofTests = []transcript{
	{"ClaimToken", func(w *keptWorld) {
		token := testenv.Random(32)
		r := asking(func(r *wire.KeepRequest) { r.ClaimHash = testenv.HashOf(token) })
		view := w.keep(r)
		if got := w.view(view, stranger); !got.ClaimRequired {
			w.t.Errorf("%+v", got)
		}
		w.fails(http.StatusConflict, "update", claiming(view, stranger))
		w.fails(http.StatusConflict, "update", claiming(view, stranger, withClaimToken(testenv.Random(32))))
		w.fails(http.StatusConflict, "update", claiming(view, stranger, withClaimToken(make([]byte, 32))))
		if got := w.view(view, stranger); !same(got, r.Message, r.IV, r.Salt) || got.Revision != 0 {
			w.t.Error("a claim without proof has changed the message")
		}
		w.claims(claiming(view, recipient, withClaimToken(token)))
		w.fails(http.StatusConflict, "update", claiming(view, stranger, withClaimToken(token)))
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: creator})
	}},
	{"ProvenClaimsStay", func(w *keptWorld) {
		token := testenv.Random(32)
		view := w.keep(asking(carefully, func(r *wire.KeepRequest) { r.ClaimHash = testenv.HashOf(token) }))
		w.claims(claiming(view, recipient, withClaimToken(token)))
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: careful})
	}},
	{"SealedWithProof", func(w *keptWorld) { // as our own clients do it
		key, own := seal.NewKept(), seal.NewKept()
		c, err := key.Seal("attack at dawn")
		if err != nil {
			w.t.Fatal(err)
		}
		view := w.keep(wire.KeepRequest{
			Message: c.Message, IV: c.IV, Salt: c.Salt, CreatorUID: wire.Token(keyring.UID(seal.NewKept())),
			ClaimHash: key.ClaimToken(c.Salt).HashText(),
		})
		s := w.view(view, "anonymous")
		mine, err := keyring.Reseal(seal.Claimable{Message: s.Message, IV: s.IV, Salt: s.Salt}, key, own)
		if err != nil {
			w.t.Fatal(err)
		}
		claim := wire.ClaimRequest{
			View: view, UID: wire.Token(keyring.UID(own)), Message: mine.Message, IV: mine.IV, Salt: mine.Salt,
			ClaimToken: wire.Token(own.ClaimToken(s.Salt).Reveal()), IfRevision: &s.Revision,
		}
		w.fails(http.StatusConflict, "update", claim)
		claim.ClaimToken = wire.Token(key.ClaimToken(s.Salt).Reveal())
		w.claims(claim)
		if got := w.view(view, claim.UID); !got.IsOwner {
			w.t.Errorf("%+v", got)
		}
	}},
	{"Strict", func(w *keptWorld) {
		token := testenv.Random(32)
		plain := w.keep(asking())
		w.options.Strict = true
		w.restart()
		proven := w.keep(asking(func(r *wire.KeepRequest) { r.ClaimHash = testenv.HashOf(token) }))
		other := w.keep(asking())
		for _, view := range []string{plain, other} {
			w.view(view, recipient)
			w.fails(http.StatusConflict, "update", claiming(view, recipient))
			w.fails(http.StatusConflict, "update", claiming(view, recipient, withClaimToken(token)))
		}
		w.claims(claiming(proven, recipient, withClaimToken(token)))
		w.does("delete-secret", wire.ViewRequest{View: plain, UID: creator})
		if l := w.pending(creator); !slices.Equal(views(l), []string{other}) {
			w.t.Errorf("%+v", l)
		}
	}},
	{"IfRevision", func(w *keptWorld) {
		view := w.keep(asking(carefully))
		w.fails(http.StatusConflict, "update", claiming(view, recipient, revision(1)))
		w.claims(claiming(view, stranger, revision(0)))
		w.does("undo-claim", wire.ViewRequest{View: view, UID: careful})
		w.fails(http.StatusConflict, "update", claiming(view, recipient, revision(0)))
		w.claims(claiming(view, recipient, revision(w.view(view, recipient).Revision)))
	}},
	{"UndoClaim", func(w *keptWorld) {
		r := asking(carefully)
		view := w.keep(r)
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: careful})
		for _, thief := range []wire.Token{stranger, "another-thief"} {
			w.claims(claiming(view, thief))
			for _, uid := range []wire.Token{thief, creator, recipient, wire.Token(testenv.B64u(make([]byte, 32)))} {
				w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: uid})
			}
			w.does("undo-claim", wire.ViewRequest{View: view, UID: careful})
			if got := w.view(view, recipient); !same(got, r.Message, r.IV, r.Salt) || got.IsOwner {
				w.t.Errorf("%+v", got)
			}
			if a, b := w.owned(thief), w.pending(careful); a.Total != 0 || !slices.Equal(views(b), []string{view}) {
				w.t.Errorf("%+v, %+v", a, b)
			}
		}
		w.restart()
		c := w.claims(claiming(view, recipient))
		if got := w.view(view, recipient); !same(got, c.Message, c.IV, c.Salt) {
			w.t.Errorf("%+v", got)
		}
	}},
	{"UndoNeedsALongUID", func(w *keptWorld) {
		view := w.keep(asking())
		w.claims(claiming(view, stranger))
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: creator})
		w.view(view, stranger)
	}},
	{"UndoWithinADay", func(w *keptWorld) {
		view := w.keep(asking(carefully))
		w.claims(claiming(view, stranger))
		w.pass(24 * time.Hour)
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: careful})
		w.view(view, stranger)
	}},
	{"DeletedIsNotUndone", func(w *keptWorld) {
		view := w.keep(asking(carefully))
		w.claims(claiming(view, recipient))
		w.does("delete-secret", wire.ViewRequest{View: view, UID: recipient})
		w.fails(http.StatusNotFound, "undo-claim", wire.ViewRequest{View: view, UID: careful})
	}},
}
