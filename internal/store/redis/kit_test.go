package redis_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/vault"
)

var key = [32]byte{'k', 'e', 'y'}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// capture is a store that only keeps the last draft: the way to a draft that has its alias.
type capture struct {
	vault.Store

	draft vault.Draft
}

func (c *capture) Put(_ context.Context, d vault.Draft, _ io.Reader) (vault.Secret, bool, error) {
	c.draft = d
	return vault.Secret{}, true, nil
}

// draft gives a draft of a one-time secret of creator's, with a lifetime that may be shorter than a vault allows.
func draft(t testing.TB, creator string, ttl time.Duration) vault.Draft {
	t.Helper()
	d := vault.Draft{
		ID: vault.ID(noise(16)), Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour,
		Creator: creator,
	}
	var c capture
	if _, _, err := vault.New(&c, vault.Options{Key: key}).Create(t.Context(), d, nil); err != nil {
		t.Fatal(err)
	}
	c.draft.TTL = ttl
	return c.draft
}

// message gives a draft of a kept secret of author's.
func message(t testing.TB, author string, ttl time.Duration) vault.Draft {
	t.Helper()
	var c capture
	v := vault.New(&c, vault.Options{Key: key})
	if _, err := v.Keep(t.Context(), vault.Message{Author: v.User(author), TTL: time.Hour, Claim: vault.HashOf([]byte("claim"))}, nil); err != nil {
		t.Fatal(err)
	}
	c.draft.TTL = ttl
	return c.draft
}

func put(t testing.TB, s *redis.Store, d vault.Draft, payload []byte) vault.Secret {
	t.Helper()
	made, created, err := s.Put(t.Context(), d, bytes.NewReader(payload))
	if err != nil || !created {
		t.Fatalf("Put: created %t, %v", created, err)
	}
	return made
}

func update(t testing.TB, s *redis.Store, a vault.Alias, rule vault.Rule) vault.Secret {
	t.Helper()
	got, err := s.Update(t.Context(), a, rule)
	if err != nil {
		t.Fatal("Update: ", err)
	}
	return got
}

// take gives the payload of what rule lets through.
func take(t testing.TB, s *redis.Store, a vault.Alias, rule vault.Rule) (vault.Secret, []byte, error) {
	t.Helper()
	got, r, err := s.Take(t.Context(), a, rule)
	if err != nil {
		if r != nil {
			t.Errorf("a payload beside %v", err)
		}
		return got, nil, err
	}
	payload, err := io.ReadAll(r)
	if err != nil {
		t.Error("reading a payload: ", err)
	}
	return got, payload, r.Close()
}

// Rules.

var errOver = errors.New("over")

func keep(vault.Time, *vault.Secret) error { return nil }

func lease(d time.Duration) vault.Rule {
	return func(now vault.Time, s *vault.Secret) error {
		s.State, s.Opened, s.LeaseEnds = vault.Leased, now, now.Add(d)
		return nil
	}
}

func ends(state vault.State) vault.Rule {
	return func(now vault.Time, s *vault.Secret) error {
		s.State, s.Ended = state, now
		return nil
	}
}

func claimBy(owner vault.Hash) vault.Rule {
	return func(now vault.Time, s *vault.Secret) error {
		s.State, s.Owner, s.Opened = vault.Claimed, owner, now
		s.Revision++
		return nil
	}
}
