// Package storetest is the contract of vault.Store as a test suite that every store passes, races included.
// It is no store and prefers none: it opens what it is given and touches it through vault's interface only.
package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// Opener opens an empty store that closes with the test. It hands clock.Now to the store as its clock; a store
// whose clock is another machine's calls clock.Own instead.
type Opener = func(t *testing.T, clock *Clock) Store

// Store is what the suite opens, and closes when it is done.
type Store interface {
	vault.Store
	io.Closer // waits for what is under way
}

// Run runs the whole suite but [Linearizable].
func Run(t *testing.T, open Opener) {
	t.Helper()
	for _, part := range []struct {
		name  string
		tests []test
	}{
		{"Put", putTests},
		{"Rules", ruleTests},
		{"Payloads", payloadTests},
		{"Replace", replaceTests},
		{"List", listTests},
		{"Sweep", sweepTests},
		{"Events", eventTests},
		{"Close", closeTests},
		{"Vault", vaultTests},
		{"Kept", keptTests},
		{"Races", raceTests},
	} {
		t.Run(part.name, func(t *testing.T) {
			for _, test := range part.tests {
				t.Run(test.name, func(t *testing.T) { test.run(newKit(t, open)) })
			}
		})
	}
	t.Run("Lives", func(t *testing.T) { runLives(t, open) })
	t.Run("KeptLives", func(t *testing.T) { runKeptLives(t, open) })
}

type test struct {
	name string
	run  func(*kit)
}

// kit is a fresh store and a vault over it.
type kit struct {
	*testing.T

	clock *Clock
	store Store
	vault *vault.Vault
}

func newKit(t *testing.T, open Opener) *kit {
	t.Helper()
	clock := NewClock()
	store := open(t, clock)
	return &kit{T: t, clock: clock, store: store, vault: vault.New(store, vault.Options{Key: key})}
}

var key = [32]byte{'k', 'e', 'y'}

// capture is a store that only keeps the drafts: the way to a draft that has its alias.
type capture struct {
	vault.Store

	drafts []vault.Draft
}

func (c *capture) Put(_ context.Context, d vault.Draft, _ io.Reader) (vault.Secret, bool, error) {
	c.drafts = append(c.drafts, d)
	return vault.Secret{}, true, nil
}

func (c *capture) last() vault.Draft { return c.drafts[len(c.drafts)-1] }

// draft gives a draft of a new id as a vault hands it to Put.
func (k *kit) draft(ttl time.Duration) vault.Draft {
	k.Helper()
	d := vault.Draft{
		ID: vault.ID(noise(16)), Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")),
		Passphrase: vault.HashOf([]byte("passphrase")), TTL: time.Hour,
		Creator: "a bot", Context: "its\x00note",
	}
	var c capture
	if _, _, err := vault.New(&c, vault.Options{Key: key}).Create(k.Context(), d, nil); err != nil {
		k.Fatal(err)
	}
	d = c.last()
	d.TTL = ttl // shorter than a vault allows, for clocks that cannot be moved
	return d
}

// keptDraft gives a draft of a kept secret of author's.
func (k *kit) keptDraft(author string, ttl time.Duration) vault.Draft {
	k.Helper()
	var c capture
	v := vault.New(&c, vault.Options{Key: key})
	m := vault.Message{Author: v.User(author), TTL: time.Hour, Label: "label", IV: "the iv", Salt: "the salt", Claim: vault.HashOf([]byte("claim"))}
	if _, err := v.Keep(k.Context(), m, nil); err != nil {
		k.Fatal(err)
	}
	d := c.last()
	d.TTL = ttl
	return d
}

// answer gives the draft that remembers a request which came with an idempotency key.
func (k *kit) answer(request string, body vault.Hash, ttl time.Duration) vault.Draft {
	k.Helper()
	var c capture
	if _, err := vault.New(&c, vault.Options{Key: key}).Keep(k.Context(), vault.Message{TTL: time.Hour, Key: request, Body: body}, nil); err != nil {
		k.Fatal(err)
	}
	d := c.drafts[0]
	d.TTL = ttl
	return d
}

// put keeps d, which must be new.
func (k *kit) put(d vault.Draft, payload []byte) vault.Secret {
	k.Helper()
	s, created, err := k.store.Put(k.Context(), d, bytes.NewReader(payload))
	if err != nil || !created {
		k.Fatalf("Put: created %t, %v", created, err)
	}
	return s
}

// get gives the record as it is kept.
func (k *kit) get(a vault.Alias) vault.Secret {
	k.Helper()
	s, err := k.store.Get(k.Context(), a, keep)
	if err != nil {
		k.Fatalf("Get: %v", err)
	}
	return s
}

// take gives the payload and changes nothing.
func (k *kit) take(a vault.Alias) []byte {
	k.Helper()
	_, payload, err := k.store.Take(k.Context(), a, keep)
	if err != nil {
		k.Fatalf("Take: %v", err)
	}
	return k.read(payload)
}

func (k *kit) read(payload io.ReadCloser) []byte {
	k.Helper()
	b, err := io.ReadAll(payload)
	if err != nil {
		k.Errorf("reading a payload: %v", err)
	}
	if err := payload.Close(); err != nil {
		k.Errorf("closing a payload: %v", err)
	}
	return b
}

// Rules that are no secret's.

func keep(vault.Time, *vault.Secret) error { return nil }

func end(now vault.Time, s *vault.Secret) error {
	s.State, s.Ended = vault.Revoked, now
	return nil
}

func forget(_ vault.Time, s *vault.Secret) error {
	s.State = vault.Forgotten
	return nil
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}
