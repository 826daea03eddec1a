package storetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// mutants each break one promise of vault.Store's. Each is run against the part of the suite that is there to notice,
// so that every part is known to be able to fail.
var mutants = []struct {
	name   string
	tests  string // as -test.run has them, below the suite
	broken func(*memory) storetest.Store
}{
	{"keeps a cut upload", "Put/cut_uploads", func(m *memory) storetest.Store { return cutPut{m} }},
	{"renews a repeated creation", "Put/every_size", func(m *memory) storetest.Store { return renewingPut{m} }},
	{"never frees a name", "Put/what_is_forgotten", func(m *memory) storetest.Store { return stubbornPut{m} }},
	{"never frees a name", "Put/nor_is_what_has_answered", func(m *memory) storetest.Store { return stubbornPut{m} }},
	{"frees the name of a tombstone", "Put/what_is_forgotten", func(m *memory) storetest.Store { return eagerPut{m} }},
	{"frees a name twice", "Put/many_at_once", func(m *memory) storetest.Store { return twoStepFree{m} }},
	{"forgets a refused rule's change", "Rules/a_refusal", func(m *memory) storetest.Store { return forgetfulUpdate{m} }},
	{"keeps what Get changed", "Rules/Get_keeps_nothing", func(m *memory) storetest.Store { return keepingGet{m} }},
	{"wraps a rule's error", "Rules/a_refusal", func(m *memory) storetest.Store { return wrappingTake{m} }},
	{"says not found when in trouble", "Close", func(m *memory) storetest.Store { return lyingGet{m} }},
	{"sweeps without a limit", "Sweep/in_batches", func(m *memory) storetest.Store { return greedySweep{m} }},

	{"forgets to set the size", "Replace/from_every_size", bent(func(r *replacement) { r.size = r.before.Size })},
	{"forgets to set the size", "Replace/every_kind_of_reader", bent(func(r *replacement) { r.size = r.before.Size })},
	{"keeps nothing if the record stays", "Replace/again_and_again", bent(func(r *replacement) { r.keep = r.keep && r.after != r.before })},
	{"replaces beside a refusal", "Replace/a_refusal_keeps_the_old", bent(func(r *replacement) { r.keep = true })},
	{"forgets what a refusal changed", "Replace/a_refusal_keeps_its", bent(func(r *replacement) {
		if r.err != nil {
			r.after = r.before
		}
	})},
	{"wraps a rule's error", "Replace/a_refusal_keeps_the_old", bent(func(r *replacement) { r.err = errors.Join(r.err) })},
	{"keeps what ends", "Replace/an_end", bent(func(r *replacement) { r.keep = true })},
	{"keeps what has ended", "Replace/ended", bent(func(r *replacement) { r.keep = true })},
	{"keeps a cut upload", "Replace/cut_uploads", func(m *memory) storetest.Store { return cutReplace{m} }},
	{"takes the unknown for new", "Replace/unknown", func(m *memory) storetest.Store { return makingReplace{m} }},
	{"says no and does it", "Replace/a_context", func(m *memory) storetest.Store { return halfReplace{m} }},
	{"writes over the old payload", "Replace/what_was_taken", bent(func(r *replacement) { copy(r.old, r.payload) })},
	{"replaces in two steps", "Replace/replacing_beside_taking", func(m *memory) storetest.Store { return twoStepReplace{m} }},
	{"replaces in two steps", "Replace/replacing_beside_the_end", func(m *memory) storetest.Store { return twoStepReplace{m} }},

	{"has no empty lists", "List/an_unknown_list", listing(func(l *list) {
		if len(l.all) == 0 {
			l.err = vault.ErrNotFound
		}
	})},
	{"lists the oldest first", "List/the_newest_first", listing(func(l *list) { l.reverse() })},
	{"counts the page", "List/the_newest_first", listing(func(l *list) { l.total = func(page int) int { return page } })},
	{"gives too much", "List/the_newest_first", listing(func(l *list) { l.limit++ })},
	{"has another order each time", "List/150", listing(func(l *list) { l.shuffle() })},
	{"shows what it first saw", "List/as_the_records_are", stale(false)},
	{"shows what it first saw", "List/from_one_list", stale(false)},
	{"shows what has ended", "List/what_has_ended", stale(true)},
	{"shows what has expired", "List/what_expires_leaves,_swept", stale(true)},
	{"counts what has expired", "List/what_expires_leaves,_in_days", listing(func(l *list) { l.total = func(int) int { return l.ever } })},
	{"counts what had the name before", "List/a_name_that_is_free", listing(func(l *list) { l.total = func(int) int { return l.ever } })},
	{"takes Never for a time", "List/what_expires_leaves,_in_days", listing(func(l *list) { l.until(1 << 41) })},
	{"has one list for all", "List/each_has", listing(func(l *list) { l.every() })},
	{"has a list for the rest", "List/one-time", listing(func(l *list) {
		if l.of.IsZero() {
			l.every()
		}
	})},
	{"counts first", "List/listing_beside", func(m *memory) storetest.Store { return twoStepList{m} }},

	{"replaces what it saw before", "Kept/12_claims", func(m *memory) storetest.Store { return lateReplace{m} }},
	{"replaces what it saw before", "Kept/claiming_beside", func(m *memory) storetest.Store { return lateReplace{m} }},
	{"replaces in two steps", "Kept/reading_beside", func(m *memory) storetest.Store { return twoStepReplace{m} }},
	{"forgets to set the size", "KeptLives/claimed_once", bent(func(r *replacement) { r.size = r.before.Size })},
	{"never frees a name", "KeptLives/asked_for_again_after_a_day", func(m *memory) storetest.Store { return stubbornPut{m} }},
}

// TestMutantsAreFound runs the suite over each mutant in a process of its own, where it must fail.
func TestMutantsAreFound(t *testing.T) {
	const variable = "STORETEST_MUTANT"
	for _, m := range mutants {
		id := m.name + ": " + m.tests
		if os.Getenv(variable) == id {
			storetest.Run(t, func(_ *testing.T, clock *storetest.Clock) storetest.Store { return m.broken(newMemory(clock.Now)) })
			return
		}
	}
	for _, m := range mutants {
		id := m.name + ": " + m.tests
		t.Run(id, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.failfast", "-test.run=^TestMutantsAreFound$/"+m.tests)
			cmd.Env = append(os.Environ(), variable+"="+id)
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || !bytes.Contains(out, []byte("--- FAIL: TestMutantsAreFound/")) || bytes.Contains(out, []byte("panic:")) {
				t.Errorf("the suite did not notice: %v\n%.3000s", err, out)
			}
		})
	}
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

type stubbornPut struct{ *memory }

func (b stubbornPut) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	s, err := b.Get(ctx, d.Alias(), func(vault.Time, *vault.Secret) error { return nil })
	if err == nil && vault.Gone(vault.At(b.now()), s) {
		return vault.Secret{}, false, vault.ErrConflict
	}
	return b.memory.Put(ctx, d, r)
}

type eagerPut struct{ *memory }

func (b eagerPut) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	_, _ = b.Update(ctx, d.Alias(), func(now vault.Time, s *vault.Secret) error {
		if _ = vault.Settle(now, s); !s.Held() {
			s.State = vault.Forgotten
		}
		return nil
	})
	return b.memory.Put(ctx, d, r)
}

// twoStepFree looks whether a name is free, and then takes it.
type twoStepFree struct{ *memory }

func (b twoStepFree) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	s, err := b.Get(ctx, d.Alias(), func(vault.Time, *vault.Secret) error { return nil })
	if err == nil && vault.Gone(vault.At(b.now()), s) {
		<-time.After(time.Millisecond)
		b.mu.Lock()
		delete(b.kept, d.Alias())
		b.mu.Unlock()
	}
	return b.memory.Put(ctx, d, r)
}
