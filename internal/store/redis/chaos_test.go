package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// chaos is people who go on using a store while its Redis breaks. Each of them insists until the answer is a definite
// one, as a client does after 503; so whatever they were told must be true at the end, and nobody may ever be told that
// something is not there.
type chaos struct {
	t     *testing.T
	ctx   context.Context
	vault *vault.Vault
	ended atomic.Bool
	group sync.WaitGroup

	lives, troubles atomic.Int64

	mu    sync.Mutex
	fates []fate
}

// fate is what became of a secret, as all of its people know it.
type fate struct {
	draft   vault.Draft
	payload []byte
	state   vault.State
	reader  vault.Hash // of Leased and Read
}

const patience = 40 * time.Second // for a Redis that comes back

// unleash starts them.
func unleash(t *testing.T, store vault.Store, people int) *chaos {
	t.Helper()
	c := &chaos{t: t, ctx: context.Background(), vault: vault.New(store, vault.Options{Key: key})}
	for i := range people {
		c.group.Go(func() {
			for n := i; !c.ended.Load() && !t.Failed(); n++ {
				f, err := c.live(n)
				if err != nil {
					t.Errorf("a secret that ends %v: %v", f.state, err)
					return
				}
				c.mu.Lock()
				c.fates = append(c.fates, f)
				c.mu.Unlock()
				c.lives.Add(1)
			}
		})
	}
	return c
}

// awaitLives waits until as many more secrets have had their lives.
func (c *chaos) awaitLives(more int64) {
	c.t.Helper()
	c.await("lives", &c.lives, more)
}

// awaitTroubles waits until as many more calls were told of trouble.
func (c *chaos) awaitTroubles(more int64) {
	c.t.Helper()
	c.await("troubles", &c.troubles, more)
}

func (c *chaos) await(what string, count *atomic.Int64, more int64) {
	c.t.Helper()
	before := count.Load()
	reached := poll(func() bool { return c.t.Failed() || count.Load() >= before+more })
	if !reached {
		c.t.Fatalf("%d more %s in %v, want %d", count.Load()-before, what, patience, more)
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// poll waits until reached.
func poll(reached func() bool) bool {
	late := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-late:
			return false
		case <-tick.C:
		}
	}
	return true
}

// end lets them finish, and checks all that they know.
func (c *chaos) end() {
	c.t.Helper()
	c.ended.Store(true)
	c.group.Wait()
	count := make(map[vault.State]int)
	for _, f := range c.fates {
		count[f.state]++
		if err := c.holds(&f); err != nil {
			c.t.Errorf("a secret that ended %v, at last: %v", f.state, err)
		}
	}
	c.t.Logf("%d lives, %d calls were told of trouble: %v", c.lives.Load(), c.troubles.Load(), count)
}

// live is the life of one secret.
func (c *chaos) live(n int) (f fate, err error) {
	f = fate{
		draft:   vault.Draft{ID: vault.NewID(), Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour},
		payload: noise([]int{200, 5_000, 100_000}[n%3]),
		state:   []vault.State{vault.Read, vault.Read, vault.Revoked, vault.Leased, vault.Waiting}[n%5],
	}
	if n%2 == 0 {
		f.draft.Creator = "bot"
	}
	if o := c.insist(func() error {
		_, _, err := c.vault.Create(c.ctx, f.draft, bytes.NewReader(f.payload))
		return err
	}); o != "ok" {
		return f, fmt.Errorf("create => %s", o)
	}
	ref, _ := c.vault.Ref(f.draft.ID.String()) // an id is always a name
	switch f.state {
	case vault.Waiting:
		return f, nil
	case vault.Revoked:
		if o := c.insist(func() error { return c.vault.Revoke(c.ctx, ref, f.draft.Manage) }); o != "ok" {
			return f, fmt.Errorf("revoke => %s", o)
		}
	default:
		if err := c.opens(&f); err != nil {
			return f, err
		}
	}
	if f.state == vault.Read {
		if o := c.insist(func() error { return c.vault.Ack(c.ctx, ref, f.draft.Link, f.reader) }); o != "ok" {
			return f, fmt.Errorf("ack => %s", o)
		}
	}
	return f, c.holds(&f)
}

// opens lets two readers race.
func (c *chaos) opens(f *fate) error {
	readers := [2]vault.Hash{vault.HashOf([]byte("ann")), vault.HashOf([]byte("bob"))}
	var got [2]string
	var race sync.WaitGroup
	for i := range readers {
		race.Go(func() { got[i] = c.open(f, readers[i]) })
	}
	race.Wait()
	for i := range readers {
		if got[i] == "payload" && got[1-i] == "another reader has it" {
			f.reader = readers[i]
			return nil
		}
	}
	return fmt.Errorf("two readers => %q", got)
}

func (c *chaos) open(f *fate, reader vault.Hash) string {
	ref, _ := c.vault.Ref(f.draft.ID.String())
	var payload []byte
	o := c.insist(func() error {
		_, r, err := c.vault.Open(c.ctx, ref, f.draft.Link, reader, vault.Hash{})
		if err != nil {
			return err
		}
		payload, err = io.ReadAll(r)
		return errors.Join(err, r.Close())
	})
	switch {
	case o != "ok":
		return o
	case !bytes.Equal(payload, f.payload):
		return "another payload"
	}
	return "payload"
}

// holds checks that what is known of a secret is so.
func (c *chaos) holds(f *fate) error {
	ref, _ := c.vault.Ref(f.draft.ID.String())
	var state vault.State
	if o := c.insist(func() error {
		s, err := c.vault.Status(c.ctx, ref, f.draft.Manage)
		state = s.State
		return err
	}); o != "ok" || state != f.state {
		return fmt.Errorf("status => %s, %v", o, state)
	}
	switch f.state {
	case vault.Waiting:
		return c.opens(f)
	case vault.Leased:
		if o := c.open(f, f.reader); o != "payload" {
			return fmt.Errorf("its reader opens again => %s", o)
		}
		if o := c.open(f, vault.HashOf([]byte("eve"))); o != "another reader has it" {
			return fmt.Errorf("another opens => %s", o)
		}
	default:
		for _, reader := range []vault.Hash{f.reader, vault.HashOf([]byte("eve"))} {
			if o := c.open(f, reader); o != "the secret has ended" {
				return fmt.Errorf("open after the end => %s", o)
			}
		}
	}
	return nil
}

// insist calls until the answer is a definite one.
func (c *chaos) insist(call func() error) string {
	var o string
	if !poll(func() bool {
		o = outcome(call())
		if o == trouble {
			c.troubles.Add(1)
		}
		return o != trouble
	}) {
		return "nothing but trouble"
	}
	return o
}

const trouble = "the store is in trouble"

// outcome is what a vault says, without the cause.
func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	refusal := new(vault.Error)
	if !errors.As(err, &refusal) {
		return "a strange error: " + err.Error()
	}
	bare := &vault.Error{Kind: refusal.Kind}
	return strings.TrimPrefix(bare.Error(), "vault: ")
}
