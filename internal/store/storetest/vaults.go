package storetest

import (
	"bytes"
	"errors"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var vaultTests = []test{
	{"times", vaultTimes},
	{"refusals carry times", vaultRefusalTimes},
	{"lifetimes", vaultLifetimes},
	{"decoys", vaultDecoys},
	{"another id of the same alias", vaultNamed},
	{"a sweep takes all batches", vaultSweep},
}

// made creates the secret of a life and gives what it is called.
func (k *kit) made(l life) *character {
	k.Helper()
	c := newCharacter(k, l, true)
	if got := c.do([]string{"create"}); got != "created" {
		k.Fatalf("create => %s", got)
	}
	return c
}

// tokens of a character.
var ann, bob = vault.HashOf([]byte("ann")), vault.HashOf([]byte("bob"))

func vaultTimes(k *kit) {
	k.needsClock()
	c := k.made(life{size: 256})
	start := vault.At(k.clock.Now())
	k.clock.Pass(k.T, time.Minute)
	s, r, err := k.vault.Open(k.Context(), c.ref, c.draft.Link, ann, vault.Hash{})
	if err != nil {
		k.Fatal(err)
	}
	k.read(r)
	opened := start.Add(time.Minute)
	if s.Created != start || s.Expires != start.Add(time.Hour) || s.Opened != opened || s.LeaseEnds != opened.Add(2*time.Minute) || s.Ended != 0 {
		k.Errorf("opened: %+v", s)
	}
	k.clock.Pass(k.T, time.Minute) // asking again prolongs nothing
	if again, r, err := k.vault.Open(k.Context(), c.ref, c.draft.Link, ann, vault.Hash{}); err != nil || again != s {
		k.Errorf("again: %+v, %v, want %+v", again, err, s)
	} else {
		k.read(r)
	}
	if got := c.do([]string{"ack", "ann"}); got != "ok" {
		k.Errorf("ack => %s", got)
	}
	k.clock.Pass(k.T, time.Minute)
	if got := c.do([]string{"ack", "ann"}); got != "ok" {
		k.Errorf("ack again => %s", got)
	}
	s, err = k.vault.Status(k.Context(), c.ref, c.draft.Manage)
	if err != nil || s.Opened != opened || s.Ended != start.Add(2*time.Minute) {
		k.Errorf("status: %+v, %v", s, err)
	}
}

// needsClock skips a test of exact times where the store's clock cannot be moved.
func (k *kit) needsClock() {
	if k.clock.own {
		k.Skip("the store's clock cannot be moved")
	}
}

func vaultRefusalTimes(k *kit) {
	k.needsClock()
	c := k.made(life{size: 256})
	opened := vault.At(k.clock.Now())
	if got := c.do([]string{"open", "ann"}); got != "payload" {
		k.Fatalf("open => %s", got)
	}
	refused := func(want vault.Error) {
		k.Helper()
		_, _, err := k.vault.Open(k.Context(), c.ref, c.draft.Link, bob, vault.Hash{})
		if got := new(vault.Error); !errors.As(err, &got) || *got != want {
			k.Errorf("%#v, want %#v", err, want)
		}
	}
	refused(vault.Error{Kind: vault.KindLeased, State: vault.Leased, RetryAt: opened.Add(2 * time.Minute)})
	k.clock.Pass(k.T, time.Hour) // dated when it was due, not when somebody looked
	refused(vault.Error{Kind: vault.KindEnded, State: vault.Unconfirmed, Opened: opened, Ended: opened.Add(2 * time.Minute)})
}

func vaultLifetimes(k *kit) {
	narrow := vault.New(k.store, vault.Options{Key: key, MaxTTL: time.Hour})
	for _, test := range []struct {
		v    *vault.Vault
		ttl  time.Duration
		want string
	}{
		{k.vault, 0, "lifetime"},
		{k.vault, -time.Hour, "lifetime"},
		{k.vault, time.Minute - 1, "lifetime"},
		{k.vault, time.Minute, "created"},
		{k.vault, 365 * 24 * time.Hour, "created"},
		{k.vault, 365*24*time.Hour + 1, "lifetime"},
		{narrow, time.Hour, "created"},
		{narrow, time.Hour + 1, "lifetime"},
	} {
		d := k.kitDraft(life{})
		d.TTL = test.ttl
		s, _, err := test.v.Create(k.Context(), d, bytes.NewReader(nil))
		if got := outcome(err, "created"); got != test.want {
			k.Errorf("%v => %s, want %s", test.ttl, got, test.want)
		} else if err == nil && s.Expires != s.Created.Add(test.ttl) {
			k.Errorf("%v: %+v", test.ttl, s)
		}
	}
}

// vaultDecoys: an alias nobody uses has an id as well, always the same one (PROTOCOL 4.9).
func vaultDecoys(k *kit) {
	c := newCharacter(k, life{size: 256}, false)
	resolve := func() vault.ID {
		k.Helper()
		id, err := k.vault.Resolve(k.Context(), c.ref)
		if err != nil {
			k.Fatal(err)
		}
		return id
	}
	decoy := resolve()
	if decoy == c.draft.ID || resolve() != decoy {
		k.Error("a decoy is not stable, or no decoy")
	}
	if other, err := k.vault.Resolve(k.Context(), k.ref("AAAAAAAA")); err != nil || other == decoy {
		k.Errorf("two aliases have one decoy, %v", err)
	}
	// Under a real id a create is refused as well, so trying tells nothing.
	d := k.kitDraft(life{})
	d.ID = decoy
	if _, _, err := k.vault.Create(k.Context(), d, bytes.NewReader(nil)); outcome(err, "created") != "conflict" {
		k.Errorf("creating under a decoy: %v", err)
	}
	c.do([]string{"create"})
	if resolve() != c.draft.ID {
		k.Error("an alias does not resolve to its id")
	}
	c.do([]string{"revoke"})
	if resolve() != c.draft.ID {
		k.Error("the alias of a tombstone does not resolve to its id")
	}
	k.clock.Pass(k.T, 7*24*time.Hour)
	if resolve() != decoy {
		k.Error("after the tombstone there is another decoy than before the secret")
	}
	c.do([]string{"sweep"})
	if resolve() != decoy {
		k.Error("after the sweep there is another decoy than before the secret")
	}
}

// vaultNamed: an id whose alias leads to another's record names nothing, and cannot be created.
func vaultNamed(k *kit) {
	other := k.draft(time.Hour)
	c := k.made(life{size: 256})
	wrong := other
	wrong.ID[0] ^= 1
	k.put(other, nil)
	if _, _, err := k.store.Put(k.Context(), wrong, bytes.NewReader(nil)); !errors.Is(err, vault.ErrConflict) {
		k.Errorf("Put under a taken alias: %v", err)
	}
	c.ref = k.ref(wrong.ID.String())
	for _, call := range [][]string{{"meta"}, {"open", "ann"}, {"ack", "ann"}, {"decline"}, {"revoke"}, {"status"}, {"take"}} {
		if got := c.do(call); got != "unknown" {
			k.Errorf("%v => %s", call, got)
		}
	}
}

func vaultSweep(k *kit) {
	const n = 450 // more than two batches
	for range n {
		k.put(k.draft(time.Millisecond), nil)
	}
	k.clock.PassDue(k.T, 10*time.Millisecond)
	if err := k.vault.Sweep(k.Context()); err != nil {
		k.Fatal(err)
	}
	k.sweep(n, 0, keep)
}
