package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// message makes the payload that goes with an IV and a salt, inline or a file.
func message(iv, salt string) []byte {
	return bytes.Repeat([]byte(iv+salt), 10+int(iv[0]&1)*4990)
}

// liveKept goes some way through a kept secret's life. Its salt says whose message it is.
func liveKept(ctx context.Context, v *vault.Vault, i int) error {
	m := vault.Message{Author: v.User(uid("ann")), TTL: time.Hour, IV: string(noise(12)), Salt: "\x00"}
	view, err := v.Keep(ctx, m, bytes.NewReader(message(m.IV, m.Salt)))
	if err != nil {
		return err
	}
	fmt.Println("kept", view)
	if i%4 == 0 {
		return nil
	}
	c := vault.Claim{IV: string(noise(12)), Salt: "\x01", Revision: -1}
	if err := v.Claim(ctx, view, v.User(uid("bob")), c, bytes.NewReader(message(c.IV, c.Salt))); err != nil {
		return err
	}
	fmt.Println("claimed", view)
	switch i % 4 {
	case 1:
		if err := v.Delete(ctx, view, v.User(uid("bob"))); err != nil {
			return err
		}
		fmt.Println("deleted", view)
	case 2:
		if err := v.UndoClaim(ctx, view, v.User(uid("ann"))); err != nil {
			return err
		}
		fmt.Println("undone", view)
	}
	return nil
}

// TestKillKept: after kill -9 at any moment a kept secret is in one of its states, whole: its payload is the one its
// record speaks of, and no promise was broken; the lists say what the records say; no file is left that no row names.
func TestKillKept(t *testing.T) {
	dir, said := t.TempDir(), make(map[string]string)
	for round := range 6 {
		lines, kill := start(t, dir, "kept")
		for n := 0; lines.Scan(); n++ {
			if n == 15+31*round {
				kill() // and what was said before is still in the pipe
			}
			if what, view, ok := strings.Cut(lines.Text(), " "); ok && len(view) == 25 {
				said[view] = what
			}
		}
		s := open(t, dir, sqlite.Options{})
		for view, last := range said {
			s.holdsKept(view, last)
		}
		s.close()
		listed(t, dir)
		if got, want := len(files(t, dir)), named(t, dir); got != want {
			t.Errorf("%d files, and rows name %d", got, want)
		}
	}
	if len(said) < 100 {
		t.Errorf("only %d secrets in 6 rounds", len(said))
	}
}

// named counts the files that rows name.
func named(t *testing.T, dir string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "hushpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM payloads WHERE file IS NOT NULL`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// holdsKept checks a kept secret of which last was said last.
func (s *server) holdsKept(name, last string) {
	s.Helper()
	view, ok := s.vault.View(name)
	if !ok {
		s.Fatalf("no view: %q", name)
	}
	state := "deleted"
	m, r, err := s.vault.Read(s.Context(), view, s.vault.User(uid("bob")))
	switch {
	case err == nil:
		state = map[bool]string{true: "claimed", false: "unclaimed"}[m.State == vault.Claimed]
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, message(m.IV, m.Salt)) || (m.Salt[0] == 1) != (m.State == vault.Claimed) {
			s.Errorf("%v, with %d other bytes, %v", m.State, len(got), err)
		}
	case kind(err) != vault.KindNotFound:
		s.Errorf("reading: %v", err)
	}
	allowed := map[string]string{"kept": "unclaimed claimed", "claimed": "claimed deleted unclaimed", "undone": "unclaimed", "deleted": "deleted"}[last]
	if !slices.Contains(strings.Fields(allowed), state) {
		s.Errorf("a secret that was %s is %s", last, state)
	}
}
