package sqlite

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	houseEvery = time.Second
	eraseEvery = 10 * time.Second // how long erased bytes may stay in the log; PROTOCOL 4.7 allows 60 s
	logMax     = 1024             // pages of 4 KiB in the log; well below the reserve, see there
)

// keepHouse writes the log back into the database and keeps the reserve, until ctx ends.
//
// SQLite would do the first by itself, inside somebody's commit. Here a connection of its own copies the pages
// while the writer goes on (PASSIVE), and the writer only does the short rest between two groups.
func (s *Store) keepHouse(ctx context.Context) {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	emptied := time.Now()
	for {
		s.files.room.restore()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.writer.wrote.Swap(false) && !s.writer.erased.Load() {
			continue
		}
		pages, err := s.copyLog(ctx)
		if err == nil {
			switch {
			case s.writer.erased.Load() && time.Since(emptied) > eraseEvery:
				// The file shrinks to nothing, and with it goes what was erased.
				if err = s.endLog(ctx, "TRUNCATE"); err == nil {
					emptied = time.Now()
				}
			case pages > logMax:
				// The file is written again from its beginning, which saves the disk making it anew.
				err = s.endLog(ctx, "RESTART")
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.Warn("writing the log back", slog.Any("err", err))
		}
	}
}

// copyLog brings into the database what the log has, beside the writer, and says how many pages that is.
func (s *Store) copyLog(ctx context.Context) (pages int64, err error) {
	c, err := s.reader(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { s.reads <- c }()
	answer, err := c.numbers(`PRAGMA wal_checkpoint(PASSIVE)`) // busy, pages in the log, pages copied
	if err != nil {
		s.relieve(err)
		return 0, err
	}
	return answer[1], nil
}

// endLog lets the writer do the rest and begin the log anew.
func (s *Store) endLog(ctx context.Context, mode string) error {
	done := make(chan error, 1)
	finish := func(c *conn) {
		answer, err := c.numbers(`PRAGMA wal_checkpoint(` + mode + `)`)
		switch {
		case err != nil:
			s.relieve(err)
		case answer[0] != 0:
			err = errors.New("readers are in the way")
		case mode == "TRUNCATE":
			s.writer.erased.Store(false) // RESTART leaves the file as it is, with what was erased in it
		}
		done <- err
	}
	select {
	case s.writer.calls <- finish:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// relieve frees the reserve if a full disk was the trouble: the database must grow by what it has in the log.
func (s *Store) relieve(err error) bool {
	full := isFull(err)
	if full {
		s.files.room.release()
	}
	return full
}

// relieved does f, and once more with the room of the reserve if there was none for it.
func (s *Store) relieved(f func() error) error {
	err := f()
	if s.relieve(err) {
		err = f()
	}
	return err
}

// reserve is a file that only takes up room. When the disk is full it goes, so that what waits can still be
// opened, erased and revoked; until it can be made again, new secrets are refused. The log is kept well below
// its size: what the disk is full of is then first written back into the database, which grows by it.
type reserve struct {
	path  string
	gone  atomic.Bool
	mu    sync.Mutex
	tried time.Time // when restore last wrote
}

const (
	reserveSize  = 8 << 20
	restoreEvery = 10 * time.Second // each try fills the disk for a moment
)

// spent reports whether the reserve had to be used.
func (r *reserve) spent() bool { return r.gone.Load() }

// release frees the room.
func (r *reserve) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone.Store(true)
	r.tried = time.Now()
	_ = os.Remove(r.path)
}

// restore makes the reserve if it is missing and there is room for it. Random bytes: a file system that
// compresses would give zeros no room. Only a full disk is a reason to refuse secrets.
func (r *reserve) restore() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if info, err := os.Stat(r.path); err == nil && info.Size() == reserveSize {
		r.gone.Store(false)
		return
	}
	if r.gone.Load() && time.Since(r.tried) < restoreEvery {
		return
	}
	r.tried = time.Now()
	err := writeFile(r.path, io.LimitReader(rand.Reader, reserveSize))
	if err != nil {
		_ = os.Remove(r.path)
	}
	r.gone.Store(isNoSpace(err))
}

func writeFile(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600) //nolint:gosec // G304: the operator's folder
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

// serverKey reads the key file, or makes it before the first database. Without its key a database is of
// little use: no id would find its secret. So a missing file is an error, not a reason for a new key.
func serverKey(dir, database string) (key [32]byte, err error) {
	path := filepath.Join(dir, "server.key")
	b, err := os.ReadFile(path) //nolint:gosec // the operator's folder
	switch {
	case err == nil && len(b) == len(key):
		return [32]byte(b), nil
	case err == nil:
		return key, fmt.Errorf("reading server.key: want %d bytes, got %d", len(key), len(b))
	case !errors.Is(err, os.ErrNotExist):
		return key, fmt.Errorf("reading server.key: %w", err)
	}
	if _, err := os.Stat(database); err == nil {
		return key, errors.New("server.key is missing from the data folder: restore it beside the database it was made with")
	}
	_, _ = rand.Read(key[:]) // never fails
	if err := writeFile(path+".new", bytes.NewReader(key[:])); err != nil {
		return key, fmt.Errorf("making server.key: %w", err)
	}
	return key, os.Rename(path+".new", path)
}
