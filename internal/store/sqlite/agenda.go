package sqlite

import (
	"container/heap"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// agenda knows which secrets are due within the hour. An index in the database would know it of all of them, and cost
// every step of a secret's life two changes in another corner of the file; here a step costs a push, and once in
// half an hour the table is read through.
//
// An entry is a hint: the row says whether it is due. So entries are added before the change is on the disk, and never
// taken out when a secret ends early.
type agenda struct {
	mu      sync.Mutex
	entries entries
	until   vault.Time // every secret that is due before has an entry
}

type entry struct {
	due vault.Time
	seq int64
}

const (
	agendaTime = time.Hour
	agendaStep = 2000 // rows read at once, a few milliseconds
)

func (a *agenda) add(due vault.Time, seq int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if due < a.until {
		heap.Push(&a.entries, entry{due, seq})
	}
}

// take gives at most limit entries that are due.
func (a *agenda) take(now vault.Time, limit int) []entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	var due []entry
	for len(due) < limit && len(a.entries) > 0 && a.entries[0].due <= now {
		due = append(due, heap.Pop(&a.entries).(entry))
	}
	return due
}

// extend moves the horizon if half of it has gone by, and gives the stretch that is new.
func (a *agenda) extend(now vault.Time) (from, to vault.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	from = a.until
	if now.Add(agendaTime/2) > a.until {
		a.until = now.Add(agendaTime)
	}
	return from, a.until
}

// forget undoes an extend whose rows could not be read.
func (a *agenda) forget(from vault.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until = from
}

// plan reads what is due soon into the agenda. The horizon moves first: what changes meanwhile adds itself. What
// was under way then may have looked at the old horizon and not be in the table yet, so the writer finishes it
// before the table is read.
func (s *Store) plan(ctx context.Context, now vault.Time) (err error) {
	from, to := s.agenda.extend(now)
	if from == to {
		return nil
	}
	defer func() {
		if err != nil {
			s.agenda.forget(from)
			err = fmt.Errorf("reading what is due: %w", err)
		}
	}()
	if err := s.writer.catchUp(ctx); err != nil {
		return err
	}
	for last, more := int64(0), true; more; {
		c, err := s.reader(ctx)
		if err != nil {
			return err
		}
		last, more, err = s.planStep(c, last, from)
		s.reads <- c
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) planStep(c *conn, after int64, from vault.Time) (last int64, more bool, err error) {
	n := 0
	row := make([]driver.Value, 2)
	err = c.page.rows(row, func() error {
		f, err := scan(row)
		last = f.seq
		n++
		switch due := f.secret.Due(); {
		case errors.Is(err, errDamaged): // one row must not keep all others from their end
			s.log.Warn("passing over a damaged row")
			return nil
		case err == nil && due >= from:
			s.agenda.add(due, f.seq)
		}
		return err
	}, after, int64(agendaStep))
	return last, n == agendaStep, err
}

// Sweep implements vault.Store.
func (s *Store) Sweep(ctx context.Context, limit int, rule vault.Rule) (int, error) {
	now := s.clock()
	if err := s.plan(ctx, now); err != nil {
		return 0, err
	}
	done := 0
	for done < limit {
		due := s.agenda.take(now, limit-done)
		if len(due) == 0 {
			break
		}
		n, err := s.settle(ctx, due, rule)
		if err != nil {
			for _, e := range due {
				s.agenda.add(e.due, e.seq)
			}
			return done, fmt.Errorf("sweeping the database: %w", err)
		}
		done += n
	}
	return done, nil
}

// settle runs rule on those of the entries that are still due, and says on how many.
func (s *Store) settle(ctx context.Context, due []entry, rule vault.Rule) (n int, err error) {
	var erased []fileRef
	err = s.writer.do(ctx, &job{run: func(c *conn) error {
		n, erased = 0, erased[:0]
		now := s.clock()
		for _, e := range due {
			f, ok, err := one(c.bySeq, e.seq)
			if err != nil && !errors.Is(err, errDamaged) {
				return err
			}
			if err != nil || !ok || f.secret.Due() > now {
				continue // damaged, or it has ended, or begun a new stretch of its life with an entry of its own
			}
			before := f.secret
			if err := rule(now, &f.secret); err != nil {
				return err
			}
			if err := s.save(c, &before, f, &erased); err != nil {
				return err
			}
			n++
		}
		return nil
	}})
	if err == nil {
		s.files.remove(erased)
	}
	return n, err
}

// entries is a heap.Interface, the earliest first.
type entries []entry

func (e *entries) Len() int           { return len(*e) }
func (e *entries) Less(i, j int) bool { return (*e)[i].due < (*e)[j].due }
func (e *entries) Swap(i, j int)      { (*e)[i], (*e)[j] = (*e)[j], (*e)[i] }
func (e *entries) Push(x any)         { *e = append(*e, x.(entry)) }

func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
