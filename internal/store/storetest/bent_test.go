package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// replacement is what a Replace is about to do.
type replacement struct {
	before, after vault.Secret
	err           error
	keep          bool // the new payload
	size          int64
	old, payload  []byte
}

// bent makes a store that lets f have a look at each Replace.
func bent(f func(*replacement)) func(*memory) storetest.Store {
	return func(m *memory) storetest.Store { return bentReplace{m, f} }
}

type bentReplace struct {
	*memory

	bend func(*replacement)
}

func (b bentReplace) Replace(_ context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	p, err := io.ReadAll(payload)
	if err != nil {
		return vault.Secret{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	have, known := b.kept[a]
	if !known {
		return vault.Secret{}, vault.ErrNotFound
	}
	r := replacement{before: have.secret, size: int64(len(p)), old: have.payload, payload: p}
	r.err = rule(vault.At(b.now()), &have.secret)
	r.after = have.secret
	r.keep = r.err == nil && r.after.Held()
	b.bend(&r)
	b.keep(a, entry{r.after, have.payload})
	if r.keep {
		r.after.Size = r.size
		b.kept[a] = entry{r.after, r.payload}
	}
	return r.after, r.err
}

type cutReplace struct{ *memory }

func (b cutReplace) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	p, err := io.ReadAll(payload)
	s, refusal := b.memory.Replace(ctx, a, rule, bytes.NewReader(p))
	return s, errors.Join(err, refusal)
}

type makingReplace struct{ *memory }

func (b makingReplace) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	s, err := b.memory.Replace(ctx, a, rule, payload)
	if errors.Is(err, vault.ErrNotFound) {
		s.Alias, s.State, s.Expires = a, vault.Waiting, vault.Never
		b.mu.Lock()
		defer b.mu.Unlock()
		b.kept[a] = entry{s, nil}
	}
	return s, err
}

type halfReplace struct{ *memory }

func (b halfReplace) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	s, err := b.memory.Replace(ctx, a, rule, payload)
	return s, errors.Join(err, ctx.Err())
}

// twoStepReplace writes the record, and then the payload.
type twoStepReplace struct{ *memory }

func (b twoStepReplace) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	s, err := b.Update(ctx, a, rule)
	<-time.After(time.Millisecond)
	if err != nil {
		return s, err
	}
	return b.memory.Replace(ctx, a, func(_ vault.Time, now *vault.Secret) error {
		*now = s
		return nil
	}, payload)
}

// lateReplace writes what it worked out before.
type lateReplace struct{ *memory }

func (b lateReplace) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	s, err := b.Get(ctx, a, rule)
	<-time.After(time.Millisecond)
	if err != nil {
		return s, err
	}
	return b.memory.Replace(ctx, a, set(s), payload)
}

// list is what a List is about to answer.
type list struct {
	of         vault.Hash
	limit      int
	everything []vault.Secret // the store has, the newest first
	all        []vault.Secret // of the list
	ever       int            // in any list, since the store was made

	total func(page int) int
	err   error
}

func (l *list) reverse() { slices.Reverse(l.all) }
func (l *list) shuffle() {
	rand.Shuffle(len(l.all), func(i, j int) { l.all[i], l.all[j] = l.all[j], l.all[i] })
}
func (l *list) every() { l.all = l.everything }
func (l *list) until(end vault.Time) {
	l.all = slices.DeleteFunc(l.all, func(s vault.Secret) bool { return s.Expires > end })
}

// listing makes a store that lets f have a look at each List.
func listing(f func(*list)) func(*memory) storetest.Store {
	return func(m *memory) storetest.Store { return &bentList{memory: m, bend: f} }
}

type bentList struct {
	*memory

	bend func(*list)
	ever int
}

func (b *bentList) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	s, created, err := b.memory.Put(ctx, d, payload)
	if created {
		b.ever++
	}
	return s, created, err
}

func (b *bentList) List(ctx context.Context, of vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	l := list{of: of, limit: limit, ever: b.ever}
	l.all, _, l.err = b.memory.List(ctx, of, 0, 1<<20)
	b.mu.Lock()
	for _, e := range b.kept {
		l.everything = append(l.everything, e.secret)
	}
	b.mu.Unlock()
	l.total = func(int) int { return len(l.all) }
	b.bend(&l)
	page := l.all[min(skip, len(l.all)):min(skip+l.limit, len(l.all))]
	return page, l.total(len(page)), l.err
}

// stale makes a store whose lists show what was in them when they were first asked for; or, if only what is listed no
// more is to be shown in vain, those records as they are now.
func stale(fresh bool) func(*memory) storetest.Store {
	return func(m *memory) storetest.Store {
		return &staleList{memory: m, fresh: fresh, seen: make(map[vault.Hash][]vault.Secret)}
	}
}

type staleList struct {
	*memory

	fresh bool
	seen  map[vault.Hash][]vault.Secret
}

func (b *staleList) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	s, created, err := b.memory.Put(ctx, d, payload)
	if of, _ := vault.Listed(&s); created && !of.IsZero() {
		b.seen[of] = slices.Insert(b.seen[of], 0, s)
	}
	return s, created, err
}

func (b *staleList) List(ctx context.Context, of vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	all := slices.Clone(b.seen[of])
	if !b.fresh {
		return all[min(skip, len(all)):min(skip+limit, len(all))], len(all), nil
	}
	for i := range all {
		if s, err := b.Get(ctx, all[i].Alias, func(vault.Time, *vault.Secret) error { return nil }); err == nil {
			all[i] = s
		}
	}
	return all[min(skip, len(all)):min(skip+limit, len(all))], len(all), nil
}

// twoStepList counts, and then looks.
type twoStepList struct{ *memory }

func (b twoStepList) List(ctx context.Context, of vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	_, total, err := b.memory.List(ctx, of, skip, limit)
	if err != nil {
		return nil, 0, err
	}
	<-time.After(time.Millisecond)
	page, _, err := b.memory.List(ctx, of, skip, limit)
	return page, total, err
}
