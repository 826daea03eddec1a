package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// life is what happens to one secret, as a script: a call and its outcome on each line. A script runs by alias
// and by id, and with and without a sweep after each line: neither may make a difference.
type life struct {
	name       string
	passphrase bool
	unguarded  bool // made by an only-once-share client (PROTOCOL 4.8)
	size       int
	script     string
}

func runLives(t *testing.T, open Opener) {
	for _, l := range lives {
		for i, way := range []string{"by alias", "by id", "by alias and swept", "by id and swept"} {
			t.Run(l.name+"/"+way, func(t *testing.T) {
				c := newCharacter(newKit(t, open), l, i%2 == 1)
				for line := range strings.Lines(l.script) {
					call, want, _ := strings.Cut(strings.TrimSpace(line), "=>")
					call, want = strings.TrimSpace(call), strings.TrimSpace(want)
					if call == "" {
						continue
					}
					if got := c.do(strings.Fields(call)); got != want {
						t.Fatalf("%s => %s, want %s", call, got, want)
					}
					if i >= 2 {
						c.do([]string{"sweep"})
					}
				}
			})
		}
	}
}

// character is the secret of a life.
type character struct {
	*kit

	life    life
	draft   vault.Draft
	ref     vault.Ref
	payload []byte
}

func newCharacter(k *kit, l life, byID bool) *character {
	k.Helper()
	c := &character{kit: k, life: l, draft: k.kitDraft(l), payload: noise(l.size)}
	name := c.draft.ID.String()
	if !byID {
		name = aliasOf(k, c.draft)
	}
	c.ref = k.ref(name)
	return c
}

func (k *kit) kitDraft(l life) vault.Draft {
	d := vault.Draft{ID: vault.ID(noise(16)), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour}
	if !l.unguarded {
		d.Link = vault.HashOf([]byte("link"))
	}
	if l.passphrase {
		d.Passphrase = vault.HashOf([]byte("right"))
	}
	return d
}

// aliasOf asks a vault without a store: the same key gives the same alias.
func aliasOf(k *kit, d vault.Draft) string {
	k.Helper()
	var c capture
	if _, _, err := vault.New(&c, vault.Options{Key: key}).Create(k.Context(), d, nil); err != nil {
		k.Fatal(err)
	}
	d = c.last()
	return d.Alias().String()
}

func (k *kit) ref(name string) vault.Ref {
	k.Helper()
	r, ok := k.vault.Ref(name)
	if !ok {
		k.Fatalf("%q is no name", name)
	}
	return r
}

// do runs one line of a script.
func (c *character) do(call []string) string {
	c.Helper()
	ctx, v, link, manage := c.Context(), c.vault, c.draft.Link, c.draft.Manage
	if call[0] == "stranger" { // who has neither token
		call, link, manage = call[1:], vault.HashOf([]byte("no link")), vault.HashOf([]byte("no manage token"))
	}
	args := append(call[1:], "", "")
	switch call[0] {
	case "create":
		return c.create(args[0])
	case "open":
		s, r, err := v.Open(ctx, c.ref, link, vault.HashOf([]byte(args[0])), passphraseHash(args[1]))
		return c.opened(s, r, err)
	case "take":
		s, r, err := v.TakeUnguarded(ctx, c.ref)
		return c.opened(s, r, err)
	case "ack":
		return outcome(v.Ack(ctx, c.ref, link, vault.HashOf([]byte(args[0]))), "ok")
	case "decline":
		return outcome(v.Decline(ctx, c.ref, link), "ok")
	case "revoke":
		return outcome(v.Revoke(ctx, c.ref, manage), "ok")
	case "meta":
		s, err := v.Meta(ctx, c.ref, link)
		return outcome(err, s.State.String()+count(" tries %d", s.Wrong))
	case "status":
		s, err := v.Status(ctx, c.ref, manage)
		return outcome(err, s.State.String()+count(" refused %d", s.Refused))
	case "resolve":
		id, err := v.Resolve(ctx, c.ref)
		return outcome(err, map[bool]string{true: "id", false: "decoy"}[id == c.draft.ID])
	case "sweep":
		return outcome(v.Sweep(ctx), "")
	case "wait":
		d, err := time.ParseDuration(args[0])
		c.clock.Pass(c.T, d)
		return outcome(err, "")
	}
	c.Fatalf("no such call: %q", call)
	return ""
}

func (c *character) create(which string) string {
	c.Helper()
	payload := c.payload
	if which == "other" {
		payload = append(bytes.Clone(payload), 0)
	}
	_, created, err := c.vault.Create(c.Context(), c.draft, bytes.NewReader(payload))
	return outcome(err, map[bool]string{true: "created", false: "same"}[created])
}

func (c *character) opened(s vault.Secret, r io.ReadCloser, err error) string {
	c.Helper()
	if err != nil {
		if r != nil {
			c.Errorf("a payload beside %v", err)
		}
		return outcome(err, "")
	}
	if got := c.read(r); !bytes.Equal(got, c.payload) || s.Size != int64(len(got)) || s.ID != c.draft.ID {
		c.Errorf("%d other bytes, of %+v", len(got), s)
	}
	return "payload"
}

func passphraseHash(s string) vault.Hash {
	if s == "" {
		return vault.Hash{}
	}
	return vault.HashOf([]byte(s))
}

func count(format string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(format, n)
}

var kindNames = map[vault.Kind]string{
	vault.KindNotFound: "unknown", vault.KindConflict: "conflict", vault.KindNotOpened: "not opened",
	vault.KindRead: "was opened", vault.KindLifetime: "lifetime", vault.KindFull: "full",
	vault.KindLeased: "leased", vault.KindPassphraseRequired: "passphrase required",
	vault.KindOwned: "owned", vault.KindNotOwner: "not owner", vault.KindReused: "reused",
}

// outcome puts an answer into the words of scripts and of the model.
func outcome(err error, ok string) string {
	e := new(vault.Error)
	switch {
	case err == nil:
		return ok
	case !errors.As(err, &e):
		return "a strange error: " + err.Error()
	case e.Kind == vault.KindEnded:
		return "ended " + e.State.String()
	case e.Kind == vault.KindPassphraseWrong:
		return fmt.Sprintf("wrong, %d left", e.AttemptsLeft)
	case kindNames[e.Kind] != "":
		return kindNames[e.Kind]
	}
	return err.Error()
}
