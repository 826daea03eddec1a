package vault

import (
	"context"
	"errors"
	"sync"
)

// tally counts refused opens in memory and adds them to the records now and then. Not at once: a refusal that
// writes would take longer than one for a name that nobody uses, and tell them apart; and strangers could
// make the disk busy. What a crash loses is a few counts.
type tally struct {
	mu     sync.Mutex
	counts map[Alias]int
}

// tallyMax bounds the memory that strangers can take.
const tallyMax = 1 << 14

func (t *tally) add(a Alias) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = make(map[Alias]int)
	}
	if _, known := t.counts[a]; known || len(t.counts) < tallyMax {
		t.counts[a]++
	}
}

func (t *tally) pending(a Alias) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[a]
}

func (t *tally) flush(ctx context.Context, store Store) error {
	t.mu.Lock()
	counts := t.counts
	t.counts = nil
	t.mu.Unlock()
	defer t.giveBack(counts)
	for a, n := range counts {
		_, err := store.Update(ctx, a, settled(func(_ Time, s *Secret) error {
			s.Refused += n
			return nil
		}))
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, errNotFound) {
			return err
		}
		delete(counts, a)
	}
	return nil
}

// giveBack keeps for the next time what the store would not take.
func (t *tally) giveBack(counts map[Alias]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = counts
		return
	}
	for a, n := range counts {
		t.counts[a] += n
	}
}
