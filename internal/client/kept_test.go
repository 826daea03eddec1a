package client_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

func owner() client.Owner { return client.Owner{Key: seal.NewKept()} }

// readySealed is a text under a key. To seal another one takes a second where the race detector looks on.
var readySealed = sync.OnceValues(func() (seal.Kept, seal.Claimable) {
	key := seal.NewKept()
	sealed, err := key.Seal(text)
	if err != nil {
		panic(err)
	}
	return key, sealed
})

// keep puts a secret of o into the fake, as SendKept does.
func (f *fakeKept) keep(t *testing.T, c *client.Client, o client.Owner) client.KeptSent {
	t.Helper()
	key, sealed := readySealed()
	v, err := c.Keep(t.Context(), client.NewKept{Sealed: sealed, Creator: o.UID(), Days: 30, Label: "wifi", Claim: key.ClaimToken(sealed.Salt)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.NewKept(c.Base(), v.Reveal(), key)
	if err != nil {
		t.Fatal(err)
	}
	return client.KeptSent{Link: l, View: v}
}

func TestKeepReadAndClaim(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	sender, alice, bob := owner(), owner(), owner()
	stages := map[client.Stage]bool{}
	p := func(s client.Stage, _, _ int64) { stages[s] = true }
	sent, err := c.SendKept(t.Context(), sender, client.KeptDraft{Text: text, Label: "wifi", Days: 30, Progress: p})
	if err != nil {
		t.Fatal(err)
	}
	if l, err := link.Parse(sent.Link.Reveal()); err != nil || l.Kind != link.Kept || l.Base != c.Base() || l.Ref != string(sent.View) {
		t.Fatalf("link: %v, %v", l, err) // and not at the address that the answer names
	}
	s := f.secrets[string(sent.View)]
	if *s.TTL != 30 || s.CustomName != "wifi" || len(s.CreatorUID) != 64 || s.ClaimHash == "" || len(s.IdempotencyKey) != 22 {
		t.Errorf("sent: %+v", s.KeepRequest)
	}
	for _, who := range []client.Owner{{}, alice} {
		got, err := c.ReceiveKept(t.Context(), sent.Link, who, nil)
		if err != nil || got.Text != text || got.Owned || got.Label != "wifi" {
			t.Fatal(got.Owned, err)
		}
	}
	if a, b := client.Anonymous(), (client.Owner{}).UID(); a == b || len(a) != 64 {
		t.Error("somebody without a key is known again")
	}
	for range 2 { // the second time it is hers already
		got, err := c.ClaimKept(t.Context(), sent.Link, alice, p)
		if err != nil || got.Text != text || !got.Owned {
			t.Fatal(got.Owned, err)
		}
	}
	for _, s := range []client.Stage{client.Sealing, client.Uploading, client.Downloading, client.Opening} {
		if !stages[s] {
			t.Errorf("stage %d was not reported", s)
		}
	}
	if n := strings.Count(f.routes(), "update"); n != 1 {
		t.Errorf("claimed %d times", n)
	}
	if got, err := c.ReceiveOwned(t.Context(), sent.View, alice, nil); err != nil || got.Text != text {
		t.Error(err)
	}
	if _, err := c.ReceiveKept(t.Context(), sent.Link, bob, nil); client.Code(err) != client.CodeNotOwner {
		t.Error("bob reads what is Alice's:", err)
	}
	if _, err := c.ClaimKept(t.Context(), sent.Link, bob, nil); client.Code(err) != client.CodeNotOwner {
		t.Error("bob claims what is Alice's:", err)
	}
}

func TestOwnerOfAnInigmaKeyHasTwoNames(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	o := owner()
	sent := f.keep(t, c, owner())
	s := f.secrets[string(sent.View)]
	own, err := o.Key.Seal(text)
	if err != nil {
		t.Fatal(err)
	}
	s.owner, s.Message, s.IV, s.Salt = keyring.LegacyUID(o.Key), own.Message, own.IV, own.Salt
	if _, err := c.ReceiveOwned(t.Context(), sent.View, o, nil); client.Code(err) != client.CodeNotOwner {
		t.Errorf("a key of ours is asked about by its short UID: %v", err)
	}
	o.Inigma = true
	for _, receive := range []func() (client.KeptReceived, error){
		func() (client.KeptReceived, error) { return c.ReceiveOwned(t.Context(), sent.View, o, nil) },
		func() (client.KeptReceived, error) { return c.ReceiveKept(t.Context(), sent.Link, o, nil) },
		func() (client.KeptReceived, error) { return c.ClaimKept(t.Context(), sent.Link, o, nil) },
	} {
		if got, err := receive(); err != nil || got.Text != text || !got.Owned {
			t.Error(got.Owned, err)
		}
	}
}

// losing drops the first answers of a route.
func losing(route string, times int) func(int, string) bool {
	return func(_ int, r string) bool {
		if r == route && times > 0 {
			times--
			return true
		}
		return false
	}
}

func TestLostAnswersOfKeptSecrets(t *testing.T) {
	f := &fakeKept{after: losing("create", 2)}
	c := startKept(t, f)
	o := owner()
	sent := f.keep(t, c, o)
	if n := f.count(); n != 1 {
		t.Fatalf("stored %d times", n)
	}
	f.hooks(nil, losing("update", 1))
	if got, err := c.ClaimKept(t.Context(), sent.Link, o, nil); err != nil || !got.Owned {
		t.Fatal("claiming:", err)
	}
	if want := "create, create, create, view, update, update, view"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
	f.hooks(nil, losing("update-custom-name", 1))
	if err := c.Relabel(t.Context(), sent.View, o.UID(), "x"); err != nil {
		t.Error("naming:", err)
	}
	f.hooks(nil, losing("undo-claim", 1))
	if err := c.UndoClaim(t.Context(), sent.View, o.UID()); err != nil {
		t.Error("undoing:", err)
	}
	f.hooks(nil, losing("delete-secret", 1))
	if err := c.Delete(t.Context(), sent.View, o.UID()); err != nil {
		t.Error("deleting:", err)
	}
	// Without a lost answer, "unknown" is no success.
	if err := c.Delete(t.Context(), sent.View, o.UID()); client.Code(err) != wire.CodeNotFound {
		t.Error("deleting what is not there:", err)
	}
	if err := c.UndoClaim(t.Context(), sent.View, o.UID()); client.Code(err) != wire.CodeNotFound {
		t.Error("undoing nothing:", err)
	}
}

// A claim that comes second, after its first answer was lost or not, is somebody else's success.
func TestLostRaceIsNoSuccess(t *testing.T) {
	for _, answerLost := range []bool{false, true} {
		f := &fakeKept{}
		c := startKept(t, f)
		sent := f.keep(t, c, owner())
		f.hooks(func(_ int, route string, _ http.ResponseWriter) bool {
			if s := f.secrets[string(sent.View)]; route == "update" && s.owner == "" {
				s.owner = "somebody else"
				if answerLost {
					panic(http.ErrAbortHandler)
				}
			}
			return false
		}, nil)
		_, err := c.ClaimKept(t.Context(), sent.Link, owner(), nil)
		if client.Code(err) != client.CodeOwned || errors.Is(err, client.ErrMaybeClaimed) {
			t.Errorf("lost %v: %v", answerLost, err)
		}
	}
}

// A server in strict mode says of an unclaimed secret that it is owned.
func TestServerThatLetsNobodyClaim(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	sent := f.keep(t, c, owner())
	f.hooks(func(_ int, route string, w http.ResponseWriter) bool {
		if route == "update" {
			failed(w, http.StatusConflict)
		}
		return route == "update"
	}, nil)
	if _, err := c.ClaimKept(t.Context(), sent.Link, owner(), nil); !errors.Is(err, client.ErrUnclaimable) {
		t.Error(err)
	}
}

// Two machines of one user claim at once: for both it is theirs.
func TestRaceOfOneOwner(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	sent, o := f.keep(t, c, owner()), owner()
	other, err := o.Key.Seal(text)
	if err != nil {
		t.Fatal(err)
	}
	f.hooks(func(_ int, route string, _ http.ResponseWriter) bool {
		if s := f.secrets[string(sent.View)]; route == "update" && s.owner == "" {
			s.owner, s.Message, s.IV, s.Salt = o.UID().Reveal(), other.Message, other.IV, other.Salt
		}
		return false
	}, nil)
	if got, err := c.ClaimKept(t.Context(), sent.Link, o, nil); err != nil || got.Text != text || !got.Owned {
		t.Error(err)
	}
	// What is there is not what this request sent, and only that would be its success.
	_, mine := readySealed()
	if err := c.Claim(t.Context(), client.NewClaim{View: sent.View, UID: o.UID(), Sealed: mine}, nil); client.Code(err) != client.CodeOwned {
		t.Errorf("claimed with another message: %v", err)
	}
}

func TestUnknownOutcomesOfKeptSecretsAreSaid(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	sent, o := f.keep(t, c, owner()), owner()
	f.hooks(func(n int, route string, w http.ResponseWriter) bool {
		if route == "view" && n > 2 {
			reply(w, http.StatusServiceUnavailable, wire.Error{Code: wire.CodeUnavailable})
			return true
		}
		return false
	}, func(_ int, route string) bool { return route == "update" })
	if _, err := c.ClaimKept(t.Context(), sent.Link, o, nil); !errors.Is(err, client.ErrMaybeClaimed) {
		t.Errorf("claim: %v", err)
	}
	f.hooks(nil, func(_ int, route string) bool { return route == "create" })
	if _, err := c.SendKept(t.Context(), o, client.KeptDraft{Text: text}); !errors.Is(err, client.ErrMaybeStored) {
		t.Errorf("create: %v", err)
	}
	f.hooks(func(_ int, _ string, w http.ResponseWriter) bool {
		reply(w, http.StatusInsufficientStorage, wire.Error{Code: wire.CodeFull})
		return true
	}, nil)
	if _, err := c.SendKept(t.Context(), o, client.KeptDraft{Text: text}); errors.Is(err, client.ErrMaybeStored) || client.Code(err) != wire.CodeFull {
		t.Errorf("refused create: %v", err)
	}
}

func TestInterruptedKeepIsTakenBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeKept{after: func(n int, _ string) bool {
		if n == 1 {
			cancel() // stored, and Ctrl-C before the answer is read
		}
		return n == 1
	}}
	c := startKept(t, f)
	_, err := c.SendKept(ctx, owner(), client.KeptDraft{Text: text})
	if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrMaybeStored) {
		t.Fatal(err)
	}
	if f.count() > 0 {
		t.Error("the secret is still stored")
	}
	if want := "create, create, delete-secret"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
}

func TestWhatCannotBeKept(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	o := owner()
	for name, test := range map[string]struct {
		who   client.Owner
		draft client.KeptDraft
		want  error
	}{
		"no key":    {client.Owner{}, client.KeptDraft{Text: text}, client.ErrNoKey},
		"too large": {o, client.KeptDraft{Text: strings.Repeat("x", client.MaxKeptText+1)}, client.ErrKeptTooLarge},
		"not text":  {o, client.KeptDraft{Text: "\xff"}, seal.ErrFormat},
		"too long":  {o, client.KeptDraft{Text: text, Days: 366}, client.ErrKeptTTL},
	} {
		if _, err := c.SendKept(t.Context(), test.who, test.draft); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.routes() != "" {
		t.Errorf("asked: %s", f.routes())
	}
	if _, err := c.SendKept(t.Context(), o, client.KeptDraft{Text: strings.Repeat("x", client.MaxKeptText)}); err != nil {
		t.Errorf("the longest: %v", err)
	}
	sent := f.keep(t, c, o)
	elsewhere, err := link.NewKept("https://other.example", string(sent.View), seal.NewKept())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReceiveKept(t.Context(), elsewhere, o, nil); !errors.Is(err, client.ErrElsewhere) {
		t.Errorf("another server: %v", err)
	}
	once, err := link.NewOneTime(c.Base(), alias, seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ClaimKept(t.Context(), once, o, nil); !errors.Is(err, client.ErrLinkKind) {
		t.Errorf("a one-time link: %v", err)
	}
	if _, err := c.ClaimKept(t.Context(), sent.Link, client.Owner{}, nil); !errors.Is(err, client.ErrNoKey) {
		t.Errorf("a claim without a key: %v", err)
	}
	if _, err := c.ReceiveOwned(t.Context(), sent.View, o, nil); !errors.Is(err, client.ErrUnclaimed) {
		t.Errorf("by its author without the link: %v", err)
	}
	wrong, err := link.NewKept(c.Base(), string(sent.View), seal.NewKept())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ClaimKept(t.Context(), wrong, owner(), nil); !errors.Is(err, seal.ErrOpen) || strings.Contains(f.routes(), "update") {
		t.Errorf("with another link's key: %v", err)
	}
}

func TestKeptLists(t *testing.T) {
	f := &fakeKept{}
	c := startKept(t, f)
	o := owner()
	sent := f.keep(t, c, o)
	if l, err := c.ListPending(t.Context(), o.UID(), 1, 10); err != nil || l.Total != 1 || l.Secrets[0].ID != string(sent.View) {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err := c.ListOwned(t.Context(), o.UID(), 3, 10); err != nil || l.Total != 0 || l.Page != 3 || l.PerPage != 10 {
		t.Errorf("%+v, %v", l, err)
	}
}
