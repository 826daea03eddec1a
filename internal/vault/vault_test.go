package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// failing is a store whose every verb returns err.
type failing struct {
	err    error
	sweeps atomic.Int64
}

func (f *failing) Put(context.Context, vault.Draft, io.Reader) (vault.Secret, bool, error) {
	return vault.Secret{}, false, f.err
}

func (f *failing) Get(context.Context, vault.Alias, vault.Rule) (vault.Secret, error) {
	return vault.Secret{}, f.err
}

func (f *failing) Update(context.Context, vault.Alias, vault.Rule) (vault.Secret, error) {
	return vault.Secret{}, f.err
}

func (f *failing) Take(context.Context, vault.Alias, vault.Rule) (vault.Secret, io.ReadCloser, error) {
	return vault.Secret{}, nil, f.err
}

func (f *failing) Sweep(context.Context, int, vault.Rule) (int, error) {
	f.sweeps.Add(1)
	return 0, f.err
}

func (f *failing) Replace(context.Context, vault.Alias, vault.Rule, io.Reader) (vault.Secret, error) {
	return vault.Secret{}, f.err
}

func (f *failing) List(context.Context, vault.Hash, int, int) ([]vault.Secret, int, error) {
	return nil, 0, f.err
}

// TestErrors: whatever a store returns, a vault's error is one of its own, and trouble is never "not found".
func TestErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, test := range []struct {
		store error
		want  vault.Kind
	}{
		{vault.ErrNotFound, vault.KindNotFound},
		{fmt.Errorf("reading: %w", vault.ErrNotFound), vault.KindNotFound},
		{vault.ErrConflict, vault.KindConflict},
		{errors.Join(vault.ErrFull, broken), vault.KindFull},
		{broken, vault.KindUnavailable},
		{context.Canceled, vault.KindUnavailable},
		{context.DeadlineExceeded, vault.KindUnavailable},
		{errors.Join(&vault.Error{Kind: vault.KindRead}, broken), vault.KindRead},
	} {
		v := vault.New(&failing{err: test.store}, vault.Options{})
		ctx, h := t.Context(), hash("token")
		r, _ := v.Ref(numbered(1).String())
		_, _, create := v.Create(ctx, vault.Draft{TTL: time.Hour}, strings.NewReader(""))
		_, meta := v.Meta(ctx, r, h)
		_, status := v.Status(ctx, r, h)
		_, _, open := v.Open(ctx, r, h, h, h)
		_, _, take := v.TakeUnguarded(ctx, r)
		view, user := v.ViewOf(&vault.Secret{ID: numbered(1)}), v.User("ann")
		_, keep := v.Keep(ctx, vault.Message{TTL: time.Hour}, strings.NewReader(""))
		_, _, read := v.Read(ctx, view, user)
		_, _, owned := v.Owned(ctx, user, 0, 10)
		_, _, pending := v.Pending(ctx, user, 0, 10)
		for verb, err := range map[string]error{
			"keep": keep, "read": read, "owned": owned, "pending": pending,
			"claim": v.Claim(ctx, view, user, vault.Claim{}, strings.NewReader("")), "undo": v.UndoClaim(ctx, view, user),
			"name": v.Relabel(ctx, view, user, "mine"), "delete": v.Delete(ctx, view, user),
			"create": create, "meta": meta, "status": status, "open": open, "take": take,
			"ack": v.Ack(ctx, r, h, h), "decline": v.Decline(ctx, r, h), "revoke": v.Revoke(ctx, r, h),
		} {
			own, ok := err.(*vault.Error) //nolint:errorlint // the promise is that it is one, not that it wraps one
			if !ok || own.Kind != test.want || !errors.Is(err, &vault.Error{Kind: test.want}) {
				t.Errorf("%v: %s gives %T %v, want kind %d", test.store, verb, err, err, test.want)
			}
		}
		r, _ = v.Ref("AAAAAAAA")
		if _, err := v.Resolve(ctx, r); (err == nil) != (test.want == vault.KindNotFound) {
			t.Errorf("%v: resolving gives %v", test.store, err)
		}
	}
	err := vault.New(&failing{err: broken}, vault.Options{}).Sweep(t.Context())
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("the operator does not learn the cause: %v", err)
	}
}

// TestRun: it sweeps at once and every ten seconds, goes on in trouble, and ends with its context.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log := &failing{err: errors.New("disk on fire")}, new(bytes.Buffer)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			vault.New(store, vault.Options{}).Run(ctx, slog.New(slog.NewTextHandler(log, nil)))
		}()
		synctest.Wait()
		if n := store.sweeps.Load(); n != 1 {
			t.Errorf("%d sweeps at the start", n)
		}
		time.Sleep(60 * time.Second)
		synctest.Wait()
		if n := store.sweeps.Load(); n < 6 { // a lease that ran out must be off the disk within 60 s (PROTOCOL 4.7)
			t.Errorf("%d sweeps in a minute", n)
		}
		cancel()
		<-done
		if !strings.Contains(log.String(), "disk on fire") {
			t.Errorf("trouble is not logged: %q", log)
		}
	})
}
