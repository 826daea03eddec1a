package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing/iotest"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var keptTests = []test{
	{"the one-time API sees no kept secret", keptApart},
	{"nor the other way round", onceApart},
	{"lifetimes", keptLifetimes},
	{"times", keptTimes},
	{"an undo leaves no trace", keptUndone},
	{"another id of the same alias", keptNamed},
	{"labels", keptLabels},
	{"a request that was cut off", keptCutOff},
	{"keys are their user's", keptKeys},
	{"a claim that was cut off", claimCutOff},
	{"12 claims have one winner", raceClaims},
	{"12 requests with one key", raceKeeps},
	{"claiming beside deleting", raceClaimDelete},
	{"between any two steps", keptBetween},
	{"reading beside claiming", raceReadClaim},
}

// keep keeps a message of ann's.
func (k *kit) keeps(l keptLife) *keptCharacter {
	k.Helper()
	if l.ttl == 0 {
		l.ttl = time.Hour
	}
	c := newKeptCharacter(k, l)
	if got := c.do([]string{"keep", "ann"}); got != "message 1" {
		k.Fatalf("keep => %s", got)
	}
	return c
}

// record gives the record behind a view, which no API does.
func (c *keptCharacter) record() vault.Secret {
	c.Helper()
	s, payload, err := c.vault.Read(c.Context(), c.view, c.user("ann"))
	if err != nil {
		c.Fatal(err)
	}
	c.read(payload)
	return s
}

func keptLifetimes(k *kit) {
	narrow := vault.New(k.store, vault.Options{Key: key, MaxTTL: time.Hour})
	for _, test := range []struct {
		v    *vault.Vault
		ttl  time.Duration
		want string
	}{
		{k.vault, -1, "lifetime"},
		{k.vault, 0, "kept"},
		{k.vault, time.Hour, "kept"},
		{k.vault, 365 * 24 * time.Hour, "kept"},
		{k.vault, 365*24*time.Hour + 1, "lifetime"},
		{narrow, time.Hour, "kept"},
		{narrow, time.Hour + 1, "lifetime"},
		{narrow, 0, "lifetime"}, // where nothing lives for a day, nothing lives for ever
	} {
		view, err := test.v.Keep(k.Context(), vault.Message{TTL: test.ttl}, bytes.NewReader(nil))
		if got := outcome(err, "kept"); got != test.want {
			k.Errorf("%v => %s, want %s", test.ttl, got, test.want)
		}
		if err != nil {
			continue
		}
		s, payload, err := test.v.Read(k.Context(), view, vault.User{})
		if err != nil {
			k.Fatal(err)
		}
		k.read(payload)
		if want := s.Created.Add(test.ttl); s.Expires != want && (test.ttl != 0 || s.Expires != vault.Never) {
			k.Errorf("%v: expires at %d, want %d", test.ttl, s.Expires, want)
		}
	}
}

func keptTimes(k *kit) {
	k.needsClock()
	c := k.keeps(keptLife{size: 100})
	start := vault.At(k.clock.Now())
	if s := c.record(); s.Created != start || s.Expires != start.Add(time.Hour) || s.Opened != 0 || s.Ended != 0 {
		k.Errorf("kept: %+v", s)
	}
	k.clock.Pass(k.T, time.Minute)
	if got := c.do([]string{"claim", "ann"}); got != "ok" {
		k.Fatalf("claim => %s", got)
	}
	want := c.record()
	if want.Created != start || want.Expires != start.Add(time.Hour) || want.Opened != start.Add(time.Minute) || want.Ended != 0 {
		k.Errorf("claimed: %+v", want)
	}
	k.clock.Pass(k.T, 2*time.Hour)
	_, _, err := c.vault.Read(k.Context(), c.view, c.user("ann"))
	refusal := vault.Error{Kind: vault.KindEnded, State: vault.Expired, Opened: want.Opened, Ended: want.Expires}
	if got := new(vault.Error); !errors.As(err, &got) || *got != refusal {
		k.Errorf("expired: %#v, want %#v", err, refusal)
	}
}

// keptUndone: what was undone is as it was, but that it was replaced twice.
func keptUndone(k *kit) {
	for _, size := range raceSizes {
		c := k.keeps(keptLife{size: size})
		want := c.record()
		for _, call := range []string{"claim bob", "name bob mine", "undo ann"} {
			if got := c.do(strings.Fields(call)); got != "ok" {
				k.Errorf("%s => %s", call, got)
			}
		}
		if want.Revision += 2; c.record() != want {
			k.Errorf("undone: %+v, want %+v", c.record(), want)
		}
	}
}

// keptLabels: a label is clean from the beginning, and the longest is kept whole.
func keptLabels(k *kit) {
	u := k.vault.User("ann")
	long := strings.Repeat("ü", 100)
	view, err := k.vault.Keep(k.Context(), vault.Message{Author: u, TTL: time.Hour, Label: "<i>" + long + "</i>x"}, bytes.NewReader(nil))
	if err != nil {
		k.Fatal(err)
	}
	if got := listing(k.vault.Pending(k.Context(), u, 0, 10)); got != long+", end" {
		k.Errorf("pending: %s", got)
	}
	if err := k.vault.Claim(k.Context(), view, u, vault.Claim{Revision: -1}, bytes.NewReader(nil)); err != nil {
		k.Fatal(err)
	}
	for label, want := range map[string]string{"": "", long + "x": long, `a\b"c`: "abc"} {
		if err := k.vault.Relabel(k.Context(), view, u, label); err != nil {
			k.Error(err)
		}
		if got := listing(k.vault.Owned(k.Context(), u, 0, 10)); got != want+", end" {
			k.Errorf("owned: %s, want %s", got, want)
		}
	}
}

// flaky fails at the nth Put.
type flaky struct {
	vault.Store

	puts int
}

func (f *flaky) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	if f.puts--; f.puts == 0 {
		return vault.Secret{}, false, errors.New("disk on fire")
	}
	return f.Store.Put(ctx, d, payload)
}

// keptCutOff: a request that a crash cut off, after it was written down and before its secret was, is made good by the
// next one like it.
func keptCutOff(k *kit) {
	c := newKeptCharacter(k, keptLife{size: 100, key: true, ttl: time.Hour})
	for puts := 1; puts <= 2; puts++ {
		c.vault = vault.New(&flaky{Store: k.store, puts: puts}, vault.Options{Key: key})
		if got := c.do([]string{"keep", "ann"}); !strings.HasPrefix(got, trouble) {
			k.Errorf("keep => %s, want trouble", got)
		}
	}
	c.vault = k.vault
	for _, call := range [][2]string{
		{"keep ann other", "reused"}, {"keep ann", "message 1"}, {"read eve", "by ann"}, {"keep ann", "message 1"}, {"pending ann", "draft, end"},
	} {
		if got := c.do(strings.Fields(call[0])); got != call[1] {
			k.Errorf("%s => %s, want %s", call[0], got, call[1])
		}
	}
}

// keptKeys: one key, and one body, of two users are two requests; and so are two keys of one user.
func keptKeys(k *kit) {
	seen := make(map[string]bool)
	for _, user := range []string{"ann", "bob"} {
		for _, request := range []string{"1", "2", "", ""} {
			m := vault.Message{Author: k.vault.User(user), TTL: time.Hour, Key: request, Body: vault.HashOf([]byte("body"))}
			view, err := k.vault.Keep(k.Context(), m, bytes.NewReader(nil))
			if err != nil || seen[view.String()] {
				k.Errorf("key %q of %s: %v, seen before: %t", request, user, err, seen[view.String()])
			}
			seen[view.String()] = true
		}
	}
}

// claimCutOff: an upload that breaks off claims nothing, and is in nobody's way.
func claimCutOff(k *kit) {
	for _, size := range raceSizes {
		c := k.keeps(keptLife{size: size})
		for range 3 {
			cut := io.MultiReader(bytes.NewReader(noise(size)), iotest.ErrReader(io.ErrUnexpectedEOF))
			err := c.vault.Claim(k.Context(), c.view, c.user("eve"), vault.Claim{Revision: -1}, cut)
			if got := outcome(err, "ok"); !strings.HasPrefix(got, trouble) {
				k.Errorf("claim => %s, want trouble", got)
			}
		}
		for _, call := range [][2]string{
			{"read bob", "by ann"}, {"claim bob", "ok"}, {"copies", "1"}, {"undo ann", "ok"}, {"read bob", "by ann"},
		} {
			if got := c.do(strings.Fields(call[0])); got != call[1] {
				k.Errorf("size %d: %s => %s, want %s", size, call[0], got, call[1])
			}
		}
	}
}
