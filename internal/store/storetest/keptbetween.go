package storetest

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/hushpost/hushpost/internal/vault"
)

// meetings are calls that take several steps, each with others that come in between. Of a meeting it is told what the
// call answers, what the others answer, and what is to be seen at last; every answer must be one that some order of
// whole calls explains.
var meetings = []struct {
	before string // calls
	call   string
	others string
	after  string
	want   []string
}{
	{
		"keep ann", "claim bob", "claim eve", "read bob, copies, undo ann, read bob",
		[]string{
			"ok, owned, by bob, own, 1, ok, by ann",
			"owned, ok, not owner, 1, ok, by ann",
		},
	},
	{
		"keep ann", "claim bob", "delete ann", "read ann, copies, pending ann, owned bob",
		[]string{
			"ok, unknown, not owner, 1, end, draft, end",
			"unknown, ok, unknown, 0, end, end",
		},
	},
	{
		// What can be undone is always what was replaced, whichever claim came through.
		"keep ann", "claim bob", "claim eve, undo ann", "read bob, undo ann, copies",
		[]string{
			"ok, owned, ok, by ann, unknown, 0",
			"ok, ok, ok, by bob, own, ok, 0",
			"owned, ok, ok, by ann, unknown, 0",
		},
	},
	{
		"keep ann, claim bob", "undo ann", "delete bob", "read ann, owned bob, pending ann",
		[]string{
			"ok, unknown, by ann, end, draft, end",
			"unknown, ok, unknown, end, end",
		},
	},
	{
		"keep ann, claim bob", "undo ann", "undo ann", "read ann, pending ann",
		[]string{
			"ok, unknown, by ann, draft, end",
			"unknown, ok, by ann, draft, end",
		},
	},
	{
		"keep ann, claim bob", "undo ann", "undo ann, claim eve", "read eve, copies",
		[]string{
			"unknown, ok, ok, by eve, own, 1",
			"ok, ok, ok, by ann, 0", // both were undone
			"ok, unknown, ok, by eve, own, 1",
		},
	},
	{
		"keep ann, claim bob", "delete bob", "undo ann", "read ann",
		[]string{
			"ok, unknown, unknown",
			"unknown, ok, by ann",
		},
	},
	{
		"", "keep ann", "keep ann", "read eve, pending ann",
		[]string{"message 1, message 1, by ann, draft, end"},
	},
	{
		"", "keep ann", "keep ann, claim bob", "read bob, owned bob, pending ann",
		[]string{"message 1, message 1, ok, by bob, own, draft, end, end"},
	},
	{
		"", "keep ann", "keep ann, delete ann", "read ann, pending ann",
		[]string{"message 1, message 1, ok, unknown, end"},
	},
	{
		"", "keep ann", "keep ann other", "pending ann",
		[]string{
			"message 1, reused, draft, end",
			"reused, message 1, draft, end",
		},
	},
}

// between is a store in whose steps others are met.
type between struct {
	vault.Store

	steps int
	meet  func()
}

func (b *between) step() {
	if b.steps--; b.steps == 0 {
		b.meet()
	}
}

func (b *between) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	b.step()
	return b.Store.Put(ctx, d, payload)
}

func (b *between) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	b.step()
	return b.Store.Get(ctx, a, rule)
}

func (b *between) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	b.step()
	return b.Store.Update(ctx, a, rule)
}

func (b *between) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	b.step()
	return b.Store.Replace(ctx, a, rule, payload)
}

func (b *between) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	b.step()
	return b.Store.Take(ctx, a, rule)
}

// keptBetween lets the others come before each step of a call in turn, and after the last.
func keptBetween(k *kit) {
	for _, m := range meetings {
		for step := 1; ; step++ {
			c := newKeptCharacter(k, keptLife{size: raceSizes[step%2], key: true, ttl: month})
			c.all(m.before)
			var others []string
			direct := c.vault
			b := &between{Store: c.spy, steps: step, meet: func() {
				in := c.vault
				c.vault = direct
				others = c.all(m.others)
				c.vault = in
			}}
			c.vault = vault.New(b, vault.Options{Key: key})
			call := c.all(m.call)
			c.vault = direct
			met := b.steps <= 0
			if !met {
				others = c.all(m.others)
			}
			got := strings.Join(slices.Concat(call, others, c.all(m.after)), ", ")
			if !slices.Contains(m.want, got) {
				k.Errorf("%s => %s; before step %d (or after the last: %t): %s => %s; at last %s => %s", m.call, call, step, !met, m.others, others, m.after, got)
			}
			if !met {
				break
			}
		}
	}
}

// all does some calls and gives their outcomes.
func (c *keptCharacter) all(calls string) (outcomes []string) {
	c.Helper()
	for call := range strings.SplitSeq(calls, ", ") {
		if call != "" {
			outcomes = append(outcomes, c.do(strings.Fields(call)))
		}
	}
	return outcomes
}
