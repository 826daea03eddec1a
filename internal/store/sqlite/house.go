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
	logMax     = reserveSize / 2  // bytes of log before it is written back without being asked: see reserve
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
		s.room.restore()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var mode string
		switch due := time.Since(emptied) > eraseEvery; {
		case due && s.writer.erased.Load():
			mode = "TRUNCATE" // the file shrinks to nothing, and with it what was erased
		case s.logSize() > logMax:
			mode = "RESTART" // the file is written again from its beginning, which saves the disk making it anew
		default:
			continue
		}
		if err := s.checkpoint(ctx, mode); err != nil {
			if ctx.Err() == nil {
				s.log.Warn("writing the log back", slog.Any("err", err))
			}
			continue
		}
		if mode == "TRUNCATE" {
			emptied = time.Now()
		}
	}
}

func (s *Store) logSize() int64 {
	info, err := os.Stat(s.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

func (s *Store) checkpoint(ctx context.Context, mode string) error {
	select {
	case c := <-s.reads:
		err := c.exec(`PRAGMA wal_checkpoint(PASSIVE)`)
		s.reads <- c
		if err != nil {
			s.relieve(err)
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	finish := func(c *conn) {
		busy, err := c.number(`PRAGMA wal_checkpoint(` + mode + `)`)
		switch {
		case err == nil && busy == 0 && mode == "TRUNCATE":
			s.writer.erased.Store(false) // RESTART leaves the file as it is, with what was erased in it
		case busy != 0:
			err = errors.Join(err, errors.New("readers are in the way"))
		}
		s.relieve(err)
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
		s.room.release()
	}
	return full
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
