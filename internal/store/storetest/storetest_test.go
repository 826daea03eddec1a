package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

func openMemory(_ *testing.T, clock *storetest.Clock) vault.Store { return newMemory(clock.Now) }

func TestMemory(t *testing.T) { storetest.Run(t, openMemory) }

func TestMemoryIsLinearizable(t *testing.T) { storetest.Linearizable(t, openMemory) }

// TestOwnClock: a store whose clock no test can move passes as well, with the tests that need days skipped.
func TestOwnClock(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, clock *storetest.Clock) vault.Store {
		clock.Own()
		return newMemory(time.Now)
	})
}

// TestTwoStepsAreFound: the check finds what it is for. The pause between the two steps is a moment of
// synctest's clock, so that every other client comes in between.
func TestTwoStepsAreFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken func(*memory) vault.Store
	}{
		{"Take", func(m *memory) vault.Store { return twoStepTake{m} }},
		{"Update", func(m *memory) vault.Store { return twoStepUpdate{m} }},
		{"Put", func(m *memory) vault.Store { return twoStepPut{m} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for round := range uint64(40) {
					if err := storetest.CheckLinearizable(t.Context(), test.broken(newMemory(time.Now)), round); err != nil {
						return
					}
				}
				t.Error("40 rounds found a store linearizable that reads and writes in two steps")
			})
		})
	}
}

// set is the second of two steps: it writes what the first has worked out, whatever happened since.
func set(to vault.Secret) vault.Rule {
	return func(_ vault.Time, s *vault.Secret) error { *s = to; return nil }
}

type twoStepTake struct{ *memory }

func (b twoStepTake) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	s, err := b.Get(ctx, a, rule)
	time.Sleep(time.Millisecond)
	if err != nil {
		return s, nil, err
	}
	return b.memory.Take(ctx, a, set(s))
}

type twoStepUpdate struct{ *memory }

func (b twoStepUpdate) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	s, err := b.Get(ctx, a, rule)
	time.Sleep(time.Millisecond)
	if err != nil {
		return s, err
	}
	return b.memory.Update(ctx, a, set(s))
}

// twoStepPut looks for the name first, and overwrites what came in between.
type twoStepPut struct{ *memory }

func (b twoStepPut) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	_, err := b.Get(ctx, d.Alias(), func(vault.Time, *vault.Secret) error { return nil })
	time.Sleep(time.Millisecond)
	if errors.Is(err, vault.ErrNotFound) {
		b.mu.Lock()
		delete(b.kept, d.Alias())
		b.mu.Unlock()
	}
	return b.memory.Put(ctx, d, r)
}

// mutants each break one promise of vault.Store's.
var mutants = map[string]func(*memory) vault.Store{
	"keeps a cut upload":              func(m *memory) vault.Store { return cutPut{m} },
	"forgets a refused rule's change": func(m *memory) vault.Store { return forgetfulUpdate{m} },
	"keeps what Get changed":          func(m *memory) vault.Store { return keepingGet{m} },
	"wraps a rule's error":            func(m *memory) vault.Store { return wrappingTake{m} },
	"says not found when in trouble":  func(m *memory) vault.Store { return lyingGet{m} },
	"sweeps without a limit":          func(m *memory) vault.Store { return greedySweep{m} },
	"renews a repeated creation":      func(m *memory) vault.Store { return renewingPut{m} },
}

type cutPut struct{ *memory }

func (b cutPut) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	payload, err := io.ReadAll(r)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return vault.Secret{}, false, err
	}
	return b.memory.Put(ctx, d, bytes.NewReader(payload))
}

type forgetfulUpdate struct{ *memory }

func (b forgetfulUpdate) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	if s, err := b.Get(ctx, a, rule); err != nil {
		return s, err
	}
	return b.memory.Update(ctx, a, rule)
}

type keepingGet struct{ *memory }

func (b keepingGet) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	return b.Update(ctx, a, rule)
}

type wrappingTake struct{ *memory }

func (b wrappingTake) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	s, r, err := b.memory.Take(ctx, a, rule)
	return s, r, errors.Join(err)
}

type lyingGet struct{ *memory }

func (b lyingGet) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	s, err := b.memory.Get(ctx, a, rule)
	if errors.Is(err, errClosed) {
		err = vault.ErrNotFound
	}
	return s, err
}

type greedySweep struct{ *memory }

func (b greedySweep) Sweep(ctx context.Context, _ int, rule vault.Rule) (int, error) {
	return b.memory.Sweep(ctx, 1<<30, rule)
}

type renewingPut struct{ *memory }

func (b renewingPut) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	s, created, err := b.memory.Put(ctx, d, r)
	if err == nil && !created {
		s.Expires = vault.At(b.now()).Add(d.TTL)
		_, err = b.Update(ctx, d.Alias(), set(s))
	}
	return s, created, err
}

// TestMutantsAreFound runs the suite over each mutant in a process of its own, where it must fail.
func TestMutantsAreFound(t *testing.T) {
	const variable = "STORETEST_MUTANT"
	if name := os.Getenv(variable); name != "" {
		storetest.Run(t, func(_ *testing.T, clock *storetest.Clock) vault.Store { return mutants[name](newMemory(clock.Now)) })
		return
	}
	for name := range mutants {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMutantsAreFound$")
			cmd.Env = append(os.Environ(), variable+"="+name)
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || !bytes.Contains(out, []byte("--- FAIL: TestMutantsAreFound/")) || bytes.Contains(out, []byte("panic:")) {
				t.Errorf("the suite did not notice: %v\n%.3000s", err, out)
			}
		})
	}
}
