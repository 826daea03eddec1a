package vault_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// counting keeps waiting secrets, and takes as many updates as it is told.
type counting struct {
	failing
	secrets map[vault.Alias]*vault.Secret
	updates int
}

func (c *counting) Put(_ context.Context, d vault.Draft, _ io.Reader) (vault.Secret, bool, error) {
	s := d.Secret(0, 0)
	c.secrets[s.Alias] = &s
	return s, true, nil
}

func (c *counting) Take(_ context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	return *c.secrets[a], nil, rule(0, c.secrets[a])
}

func (c *counting) Update(_ context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	if c.updates--; c.updates < 0 {
		return vault.Secret{}, errors.New("disk on fire")
	}
	return *c.secrets[a], rule(0, c.secrets[a])
}

// TestRefusedOpensSurviveTrouble: a count that the store would not take is offered again, and none twice.
func TestRefusedOpensSurviveTrouble(t *testing.T) {
	store := &counting{secrets: make(map[vault.Alias]*vault.Secret), updates: 2}
	v := vault.New(store, vault.Options{})
	const secrets, opens = 5, 3
	for i := range secrets {
		s, _, err := v.Create(t.Context(), vault.Draft{ID: numbered(i), Link: hash("link"), TTL: time.Hour}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := v.Ref(s.ID.String())
		for range opens {
			if _, _, err := v.Open(t.Context(), r, hash("guess"), hash("reader"), vault.Hash{}); err == nil {
				t.Fatal("a guess opens")
			}
		}
	}
	if err := v.Sweep(t.Context()); err == nil {
		t.Fatal("trouble is not reported")
	}
	store.updates = secrets
	if err := v.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range store.secrets {
		if s.Refused != opens {
			t.Errorf("%d refused opens are counted, want %d", s.Refused, opens)
		}
	}
}
