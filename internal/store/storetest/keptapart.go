package storetest

import (
	"strings"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// keptApart: to the calls of PROTOCOL 4 a kept secret does not exist, by neither name and with whatever token.
func keptApart(k *kit) {
	for _, life := range []keptLife{{size: 100}, {size: 100, guarded: true, key: true}} {
		kept := k.keeps(life)
		s := kept.record()
		for _, name := range []string{s.ID.String(), s.Alias.String()} {
			for _, token := range []vault.Hash{{}, claimToken, vault.HashOf([]byte("link"))} {
				c := &character{kit: k, ref: k.ref(name), draft: vault.Draft{ID: s.ID, Link: token, Manage: token, TTL: time.Hour}}
				for _, call := range []string{"meta", "status", "open ann", "take", "ack ann", "decline", "revoke"} {
					if got := c.do(strings.Fields(call)); got != "unknown" {
						k.Errorf("%s => %s", call, got)
					}
				}
				if got := c.do([]string{"create"}); got != "conflict" { // as under a decoy
					k.Errorf("create => %s", got)
				}
			}
		}
		if id, err := k.vault.Resolve(k.Context(), k.ref(s.Alias.String())); err != nil || id == s.ID {
			k.Errorf("its alias resolves to its id, %v", err)
		}
		if err := k.vault.Sweep(k.Context()); err != nil {
			k.Error(err)
		}
		if got := kept.record(); got != s {
			k.Errorf("the calls made %+v of %+v", got, s)
		}
	}
}

// onceApart: who makes a view of a one-time secret's id, which takes the server's key, gets nowhere with it.
func onceApart(k *kit) {
	for _, unguarded := range []bool{false, true} {
		once := k.made(life{size: 100, unguarded: unguarded})
		s := k.get(k.draftAlias(once))
		c := newKeptCharacter(k, keptLife{size: 100})
		c.view = c.vault.ViewOf(&s)
		for _, call := range []string{"read ann", "claim ann", "claim ann token", "undo ann", "name ann mine", "delete ann"} {
			if got := c.do(strings.Fields(call)); got != "unknown" {
				k.Errorf("%s => %s", call, got)
			}
		}
		if got := k.get(s.Alias); got != s {
			k.Errorf("the calls made %+v of %+v", got, s)
		}
	}
	// Nor is what remembers a request a secret of either kind.
	d := k.answer("request", vault.HashOf([]byte("link")), time.Hour)
	s := k.put(d, nil)
	c := newKeptCharacter(k, keptLife{size: 100})
	c.view = c.vault.ViewOf(&s)
	if got := c.do([]string{"read", "ann"}); got != "unknown" {
		k.Errorf("read => %s", got)
	}
	if got := (&character{kit: k, ref: k.ref(s.ID.String()), draft: d}).do([]string{"meta"}); got != "unknown" {
		k.Errorf("meta => %s", got)
	}
}

func (k *kit) draftAlias(c *character) vault.Alias {
	k.Helper()
	a, _ := vault.ParseAlias(aliasOf(k, c.draft))
	return a
}

// keptNamed: a view whose alias leads to another's record names nothing.
func keptNamed(k *kit) {
	d := k.keptDraft("ann", time.Hour)
	c := newKeptCharacter(k, keptLife{size: 100})
	c.view = c.vault.ViewOf(&vault.Secret{ID: d.ID})
	d.ID[0] ^= 1
	s := k.put(d, noise(100))
	for _, call := range []string{"read ann", "claim ann", "claim ann token", "undo ann", "name ann mine", "delete ann"} {
		if got := c.do(strings.Fields(call)); got != "unknown" {
			k.Errorf("%s => %s", call, got)
		}
	}
	if got := k.get(s.Alias); got != s {
		k.Errorf("the calls made %+v of %+v", got, s)
	}
}
