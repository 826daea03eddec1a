package sqlite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// job is one atomic change. run happens inside a transaction, perhaps together with others' and perhaps more
// than once; only its last run counts. It returns trouble of the database, never a rule's refusal.
type job struct {
	run     func(*conn) error
	files   bool // it names a file that must be in the folder before the row is
	mayFill bool // it makes new secrets: refused first when the disk is full, and never given the reserve
	err     error
	done    chan struct{}
}

// writer owns the only connection that writes. It runs all jobs that wait in one transaction, so that they
// share one fsync (group commit): while one group is on its way to the disk, the next gathers.
type writer struct {
	conn   *conn
	files  files
	wrote  atomic.Bool // groups were written since the log was last copied
	erased atomic.Bool // payloads were erased since the log was last emptied
	queue  chan *job
	calls  chan func(*conn) // run between transactions

	// Of loop alone:
	recent   map[vault.Alias]found
	expected int
	patience time.Duration
	timer    *time.Timer

	mu     sync.RWMutex // held for reading while a job is handed in
	closed bool
}

const (
	groupMax    = 128                    // jobs in a transaction
	minPatience = 250 * time.Microsecond // where a sync takes less than a millisecond, waiting saves nothing
	maxPatience = 2 * time.Millisecond
)

func newWriter(c *conn, f files) *writer {
	return &writer{conn: c, files: f, queue: make(chan *job, groupMax), calls: make(chan func(*conn)), timer: time.NewTimer(time.Hour), recent: make(map[vault.Alias]found)}
}

var errClosed = errors.New("the store is closed")

// do runs j and returns once it is on the disk. A job that has been handed in is always finished: ctx only
// ends the wait for a place in the queue.
func (w *writer) do(ctx context.Context, j *job) error {
	j.done = make(chan struct{})
	if err := w.enqueue(ctx, j); err != nil {
		return err
	}
	<-j.done
	return j.err
}

// catchUp returns once everything that was handed in before is on the disk.
func (w *writer) catchUp(ctx context.Context) error {
	return w.do(ctx, &job{run: func(*conn) error { return nil }})
}

func (w *writer) enqueue(ctx context.Context, j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.queue <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
}

func (w *writer) loop() {
	group := make([]*job, 0, groupMax)
	for {
		select {
		case call := <-w.calls:
			call(w.conn)
		case j, ok := <-w.queue:
			if !ok {
				return
			}
			group = w.gather(append(group[:0], j))
			start := time.Now()
			w.together(group)
			w.learn(len(group), time.Since(start))
			w.wrote.Store(true)
			for _, j := range group {
				close(j.done)
			}
		}
	}
}

// gather takes the jobs that wait, and waits a little for those that are about to come.
//
// Whoever just got an answer usually asks again. Without the wait, the clients fall into two halves that take turns, one
// on its way to the disk while the other queues, and each sync serves half of them. A quarter of a sync is what
// it may cost, and only if there were more clients a moment ago than have come: a single one never waits.
func (w *writer) gather(group []*job) []*job {
	var late <-chan time.Time
	for len(group) < groupMax {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, j)
			continue
		default:
		}
		if len(group) >= w.expected || w.patience < minPatience {
			return group
		}
		if late == nil {
			w.timer.Reset(w.patience)
			late = w.timer.C
		}
		select {
		case j, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, j)
		case <-late:
			return group
		}
	}
	return group
}

// learn keeps how many clients there seem to be, those served and those already waiting, and how long a group takes.
func (w *writer) learn(served int, took time.Duration) {
	w.expected = served + len(w.queue)
	w.patience += (took/4 - w.patience) / 8
	w.patience = min(w.patience, maxPatience)
}

// together commits the group at once. If anything is wrong with one of them, nothing has happened, and each
// gets a transaction of its own: one job's trouble is never another's.
func (w *writer) together(group []*job) {
	if w.transact(group) == nil {
		return
	}
	for _, j := range group {
		w.alone(j)
	}
}

func (w *writer) alone(j *job) {
	j.err = w.transact([]*job{j})
	if !isFull(j.err) {
		return
	}
	// Reading, erasing and revoking must work on a full disk: they get the room that was kept for them.
	if !j.mayFill {
		w.files.room.release()
		w.restartLog()
		j.err = w.transact([]*job{j})
	}
	if j.mayFill && isFull(j.err) { // anything else is trouble: 507 is for creates and nothing else (PROTOCOL 4.7)
		j.err = errors.Join(vault.ErrFull, j.err)
	}
}

func (w *writer) transact(group []*job) (err error) {
	if _, err = w.conn.begin.exec(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = w.conn.rollback.exec() // fails where SQLite has rolled back by itself
			clear(w.recent)
		}
	}()
	files := false
	for _, j := range group {
		if j.mayFill && w.files.room.spent() {
			return vault.ErrFull
		}
		if err = j.run(w.conn); err != nil {
			return err
		}
		files = files || j.files
	}
	if files { // the names of new files must be as durable as the rows that tell of them
		if err = w.files.sync(); err != nil {
			return err
		}
	}
	if _, err = w.conn.commit.exec(); err == nil && w.files.room.spent() {
		w.restartLog()
	}
	return err
}

// restartLog is for a full disk: the log goes back into the database after each change, so that the room which is left
// is there for the database to grow by a page, and not taken by the log. RESTART, not TRUNCATE: the log's own
// room stays ours.
func (w *writer) restartLog() {
	_, _ = w.conn.numbers(`PRAGMA wal_checkpoint(RESTART)`) // what came of it, the next change tells
}

// find is the row of an alias as the transaction sees it. Rows touched a moment ago are remembered: an ack follows its
// open at once. Nobody else writes to the database, so what is remembered is true, unless a transaction is undone.
func (w *writer) find(a vault.Alias) (found, error) {
	if f, ok := w.recent[a]; ok {
		return f, nil
	}
	f, err := find(w.conn, a)
	if err == nil {
		w.remember(f)
	}
	return f, err
}

const recentMax = 1024

func (w *writer) remember(f found) {
	if len(w.recent) >= recentMax {
		clear(w.recent)
	}
	w.recent[f.secret.Alias] = f
}
