package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestTwoStepsAreFound: the check finds what it is for. The pause between the two steps is a moment of
// synctest's clock, so that every other client comes in between.
func TestTwoStepsAreFound(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken func(*memory) storetest.Store
	}{
		{"Take", func(m *memory) storetest.Store { return twoStepTake{m} }},
		{"Update", func(m *memory) storetest.Store { return twoStepUpdate{m} }},
		{"Put", func(m *memory) storetest.Store { return twoStepPut{m} }},
		{"Replace", func(m *memory) storetest.Store { return twoStepReplace{m} }},
		{"Replace late", func(m *memory) storetest.Store { return lateReplace{m} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			found(t, func(uint64) vault.Store { return test.broken(newMemory(time.Now)) })
		})
		t.Run(test.name+" that loses answers", func(t *testing.T) {
			found(t, func(round uint64) vault.Store { return newLossy(test.broken(newMemory(time.Now)), round) })
		})
	}
}

// found checks that the check tells what is wrong with a store.
func found(t *testing.T, open func(round uint64) vault.Store) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		defer time.Sleep(time.Second) // until what is late has come
		for round := range uint64(40) {
			switch err := storetest.CheckLinearizable(t.Context(), open(round), round); {
			case err != nil && strings.Contains(err.Error(), "no order of these calls"):
				return
			case err != nil:
				t.Fatal(err)
			}
		}
		t.Error("40 rounds found a broken store linearizable")
	})
}

// TestLostAnswers: a store is linearizable that does what it is asked, or not, or later, and cannot say which.
func TestLostAnswers(t *testing.T) {
	for round := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			defer time.Sleep(time.Second) // until what is late has come
			store := newLossy(newMemory(time.Now), round)
			if err := storetest.CheckLinearizable(t.Context(), store, round); err != nil {
				t.Errorf("round %d: %v", round, err)
			}
			if store.lost == 0 {
				t.Error("no answer was lost")
			}
		})
	}
}

// TestLostAnswersExcuseNothing: what a lost answer leaves open is whether its call has happened, and nothing else.
func TestLostAnswersExcuseNothing(t *testing.T) {
	for name, excuse := range map[string]func(*lossy){
		"an answer that is made up": func(l *lossy) { l.proxy = true },
		"a record that is lost too": func(l *lossy) { l.careless = true },
	} {
		t.Run(name, func(t *testing.T) {
			found(t, func(round uint64) vault.Store {
				l := newLossy(newMemory(time.Now), round)
				excuse(l)
				return l
			})
		})
	}
}

// TestTroubleNeedsAReason: without anything that loses answers, trouble is no excuse.
func TestTroubleNeedsAReason(t *testing.T) {
	const variable = "STORETEST_TROUBLE"
	if os.Getenv(variable) != "" {
		storetest.Linearizable(t, func(*testing.T, *storetest.Clock) storetest.Store { return newLossy(newMemory(time.Now), 1) })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTroubleNeedsAReason$")
	cmd.Env = append(os.Environ(), variable+"=yes")
	if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("in trouble without a reason")) {
		t.Errorf("a store in trouble passes: %v\n%.1000s", err, out)
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
