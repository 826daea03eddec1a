package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// lossy is a store behind a bad line: now and then it is the request that is lost, or it comes late, or the answer is
// lost.
type lossy struct {
	storetest.Store

	proxy    bool // answers changes that have not arrived
	careless bool // takes the record along with an answer

	mu   sync.Mutex
	dice *rand.Rand
	lost int
}

func newLossy(s storetest.Store, round uint64) *lossy {
	return &lossy{Store: s, dice: rand.New(rand.NewPCG(round, 1))}
}

var errLine = errors.New("the line is down")

func (l *lossy) roll() (fate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if fate = l.dice.IntN(12); fate < 3 {
		l.lost++
	}
	return fate
}

// answer is what any verb gives.
type answer struct {
	secret  vault.Secret
	created bool
	payload io.ReadCloser
	err     error
}

// over makes a call over the line. Its context is not the caller's, who may have gone when it arrives.
func (l *lossy) over(ctx context.Context, a vault.Alias, call func(context.Context) answer) answer {
	ctx = context.WithoutCancel(ctx)
	switch l.roll() {
	case 0: // it never arrives
	case 1:
		call(ctx)
		if l.careless {
			_, _ = l.Store.Update(ctx, a, func(_ vault.Time, s *vault.Secret) error { s.State = vault.Forgotten; return nil })
		}
	case 2:
		time.AfterFunc(time.Millisecond, func() { call(ctx) })
	default:
		<-time.After(time.Millisecond / 4) // so that others come in between
		return call(ctx)
	}
	return answer{err: errLine}
}

func (l *lossy) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	b, err := io.ReadAll(payload)
	if err != nil {
		return vault.Secret{}, false, err
	}
	got := l.over(ctx, d.Alias(), func(ctx context.Context) (a answer) {
		a.secret, a.created, a.err = l.Store.Put(ctx, d, bytes.NewReader(b))
		return a
	})
	return got.secret, got.created, got.err
}

func (l *lossy) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	got := l.over(ctx, a, func(ctx context.Context) (got answer) {
		got.secret, got.err = l.Store.Get(ctx, a, rule)
		return got
	})
	return got.secret, got.err
}

func (l *lossy) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	got := l.over(ctx, a, func(ctx context.Context) (got answer) {
		got.secret, got.err = l.Store.Update(ctx, a, rule)
		return got
	})
	if l.proxy && got.err == errLine { //nolint:errorlint // over's own
		return l.Store.Get(ctx, a, rule)
	}
	return got.secret, got.err
}

func (l *lossy) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	b, err := io.ReadAll(payload)
	if err != nil {
		return vault.Secret{}, err
	}
	got := l.over(ctx, a, func(ctx context.Context) (got answer) {
		got.secret, got.err = l.Store.Replace(ctx, a, rule, bytes.NewReader(b))
		return got
	})
	return got.secret, got.err
}

func (l *lossy) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	got := l.over(ctx, a, func(ctx context.Context) (got answer) {
		got.secret, got.payload, got.err = l.Store.Take(ctx, a, rule)
		return got
	})
	return got.secret, got.payload, got.err
}
