// Package sqlite keeps secrets in a folder: an SQLite database, and a file for each large payload.
// It knows no rule of a secret's life and no HTTP; the rules come from package vault, as functions.
//
// It is the only importer of modernc.org/sqlite (SQLite in pure Go: one binary, no C compiler, every platform)
// and of gofrs/flock (a lock on the folder that ends with the process, on every platform).
//
// What it promises (PROTOCOL 4.7): once a verb has returned, its effect survives kill -9 and a power cut, as
// far as the disk keeps what it synced (WAL, synchronous=FULL). What is erased is overwritten in the database
// at once (secure_delete=ON), and leaves the write-ahead log soon after (eraseEvery).
//
// The folder:
//
//	hushpost.db, -wal, -shm   the database
//	payloads/                 payloads above inlineMax, each encrypted under a key that lives in its row
//	server.key                the key that makes aliases (vault.Options.Key)
//	reserve                   room that only reading and erasing may use when the disk is full
//	lock                      held by the process that works here
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	sqlite3 "modernc.org/sqlite"

	"github.com/hushpost/hushpost/internal/vault"
)

// Options of a Store. The zero value is good.
type Options struct {
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: no logs
}

// Store is a vault.Store in one folder of one machine. One process at a time may have it open.
type Store struct {
	path   string // of the database
	now    func() time.Time
	log    *slog.Logger
	lock   *flock.Flock
	key    [32]byte
	files  files
	agenda agenda
	writer *writer
	reads  chan *conn // idle reading connections

	closing chan struct{} // closed by Close: nobody waits for a reading connection any more
	close   sync.Once
	stop    func() // ends the goroutines below
	done    sync.WaitGroup
}

const readers = 2

// Open opens the store in dir and makes it if it is not there. What an earlier process left half done when it
// was killed is cleaned up before Open returns.
func Open(ctx context.Context, dir string, o Options) (_ *Store, err error) {
	s := &Store{path: filepath.Join(dir, "hushpost.db"), now: o.Now, log: o.Log, closing: make(chan struct{})}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.files = files{dir: filepath.Join(dir, "payloads"), room: &reserve{path: filepath.Join(dir, "reserve")}}
	if err := os.MkdirAll(s.files.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	s.lock = flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	if ok, err := s.lock.TryLock(); err != nil || !ok {
		return nil, errors.Join(errors.New("the data folder is in use by another server"), err)
	}
	defer func() {
		if err != nil {
			_ = s.lock.Unlock()
		}
	}()

	// Process-wide, hence the same for all stores: SQLite's own builds sync with fdatasync on Linux.
	if _, err := sqlite3.Fdatasync(true); err != nil && !errors.Is(err, sqlite3.ErrFdatasyncUnavailable) {
		return nil, fmt.Errorf("choosing fdatasync: %w", err)
	}
	if s.key, err = serverKey(dir, s.path); err != nil {
		return nil, err
	}
	if err := s.relieved(s.openDatabase); err != nil { // a server must be able to start again on a full disk
		return nil, err
	}
	if err := s.files.removeOrphans(s.writer.conn); err != nil {
		return nil, errors.Join(fmt.Errorf("cleaning the payloads folder: %w", err), s.closeDatabase())
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.done.Go(s.writer.loop)
	s.done.Go(func() { s.keepHouse(run) })
	return s, nil
}

func (s *Store) openDatabase() error {
	// SQLite would make it readable for everybody; the log gets the mode of the database.
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	c, err := openConn(s.path)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if err := migrate(c); err != nil {
		return errors.Join(fmt.Errorf("migrating the database: %w", err), c.close())
	}
	// What a killed process left in the log may be payloads that it had erased.
	if err := c.exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return errors.Join(fmt.Errorf("emptying the write-ahead log: %w", err), c.close())
	}
	if err := c.prepare(); err != nil {
		return errors.Join(err, c.close())
	}
	s.writer = newWriter(c, s.files)
	s.reads = make(chan *conn, readers)
	for range readers {
		r, err := openConn(s.path)
		if err == nil {
			if err = r.prepare(); err != nil {
				err = errors.Join(err, r.close())
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("opening the database for reading: %w", err), s.closeDatabase())
		}
		s.reads <- r
	}
	return nil
}

// Key is the server's key, 32 random bytes made with the folder (vault.Options.Key).
func (s *Store) Key() [32]byte { return s.key }

// reader gives a reading connection, which goes back into s.reads.
func (s *Store) reader(ctx context.Context) (*conn, error) {
	select {
	case c := <-s.reads:
		return c, nil
	case <-s.closing:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close ends what is under way, empties the write-ahead log and lets go of the folder. A second call does nothing.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.closing)
		s.writer.close()
		s.stop()
		s.done.Wait()
		for range readers { // each comes back when its Get has ended; without them the log can be emptied
			err = errors.Join(err, (<-s.reads).close())
		}
		empty := func() error { return s.writer.conn.exec(`PRAGMA wal_checkpoint(TRUNCATE)`) }
		err = errors.Join(err, s.relieved(empty), s.closeDatabase(), s.lock.Unlock())
	})
	return err
}

// closeDatabase closes the connections that nobody uses.
func (s *Store) closeDatabase() error {
	var err error
	for range len(s.reads) {
		err = errors.Join(err, (<-s.reads).close())
	}
	return errors.Join(err, s.writer.conn.close()) // last: SQLite removes the log with the last connection
}

// Inspect implements vault.Inspector.
func (s *Store) Inspect(ctx context.Context) (vault.Inspection, error) {
	report := vault.Inspection{
		Engine:  "sqlite",
		Promise: "strict: what was acknowledged survives kill -9 and a power cut, and nothing is read twice",
	}
	if s.files.room.spent() {
		report.Warning = "the disk is full: new secrets are refused, waiting ones can be opened, erased and revoked"
	}
	if err := s.writer.catchUp(ctx); err != nil {
		return report, err
	}
	_, err := s.Get(ctx, -1, func(vault.Time, *vault.Secret) error { return nil })
	if errors.Is(err, vault.ErrNotFound) {
		err = nil
	}
	return report, err
}
