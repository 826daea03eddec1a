package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// listed checks the whole table of lists of a store that is closed: it says what the records say, and nothing else.
func listed(t testing.TB, dir string) (rows int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "hushpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	want := selected(t, db, `SELECT seq, record FROM secrets`, func(scan func(...any) error) (string, error) {
		var seq int64
		var record []byte
		if err := scan(&seq, &record); err != nil {
			return "", err
		}
		m, err := vault.ParseRecord(record)
		list, until := vault.Listed(&m)
		if list.IsZero() {
			return "", err
		}
		return fmt.Sprintf("%x %d %d %d", list, m.Created, seq, until), err
	})
	got := selected(t, db, `SELECT list, created, seq, until FROM lists`, func(scan func(...any) error) (string, error) {
		var list []byte
		var created, seq, until int64
		err := scan(&list, &created, &seq, &until)
		return fmt.Sprintf("%x %d %d %d", list, created, seq, until), err
	})
	if !slices.Equal(got, want) {
		t.Errorf("the lists are\n%s\nand the records say\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return len(got)
}

// selected gives the rows of a query in words, sorted.
func selected(t testing.TB, db *sql.DB, query string, word func(scan func(...any) error) (string, error)) (words []string) {
	t.Helper()
	rows, err := db.QueryContext(context.WithoutCancel(t.Context()), query) // also in a Cleanup
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		switch w, err := word(rows.Scan); {
		case err != nil:
			t.Fatal(err)
		case w != "":
			words = append(words, w)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(words)
	return words
}

// TestListsCostNothing: a one-time secret's life never touches the table of lists. In its place stands a view that
// fails whoever reads from it or writes to it.
func TestListsCostNothing(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), sqlite.Options{Now: clock.Now})
	kept := s.keep([]byte("text"))
	s.close()
	const overflow = `abs(-9223372036854775807 - 1)`
	change(t, s.dir, `DROP TABLE lists;
		CREATE VIEW lists AS SELECT x'' AS list, `+overflow+` AS created, `+overflow+` AS seq, `+overflow+` AS until;
		CREATE TRIGGER list_in  INSTEAD OF INSERT ON lists BEGIN SELECT RAISE(FAIL, 'touched'); END;
		CREATE TRIGGER list_out INSTEAD OF DELETE ON lists BEGIN SELECT RAISE(FAIL, 'touched'); END`)
	s = open(t, s.dir, sqlite.Options{Now: clock.Now})
	for _, payload := range [][]byte{noise(256), noise(100_000)} {
		s.read(s.create(payload), payload)
		if _, err := s.open(s.create(payload), ann); err != nil {
			t.Error(err)
		}
		for verb, err := range map[string]error{
			"decline": s.vault.Decline(t.Context(), s.create(payload), link),
			"revoke":  s.vault.Revoke(t.Context(), s.create(payload), manage),
		} {
			if err != nil {
				t.Errorf("%s: %v", verb, err)
			}
		}
		s.create(payload)
	}
	for range 2 { // what expires, and what is forgotten
		clock.Pass(t, 8*24*time.Hour)
		if err := s.vault.Sweep(t.Context()); err != nil {
			t.Errorf("sweeping: %v", err)
		}
	}
	// The trap works.
	_, keep := s.vault.Keep(t.Context(), vault.Message{Author: s.vault.User("ann"), TTL: time.Hour}, strings.NewReader("text"))
	_, _, owned := s.vault.Owned(t.Context(), s.vault.User("ann"), 0, 10)
	for verb, err := range map[string]error{"keep": keep, "claim": s.claims(kept, nil), "list": owned} {
		if kind(err) != vault.KindUnavailable {
			t.Errorf("%s: %v, want trouble", verb, err)
		}
	}
}

// TestOlderDatabase: a database from before there were lists gets one, which is true: it has no kept secrets.
func TestOlderDatabase(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	ref := s.create([]byte("text"))
	s.close()
	change(t, s.dir, "DROP TABLE lists; PRAGMA user_version = 2")
	s = open(t, s.dir, sqlite.Options{})
	s.read(ref, []byte("text"))
	view := s.keep([]byte("message"))
	if err := s.claims(view, []byte("mine")); err != nil {
		t.Error(err)
	}
	s.close()
	if rows := listed(t, s.dir); rows != 1 {
		t.Errorf("%d rows of lists, want 1", rows)
	}
}

// TestDamagedList: a list that has lost a record is in trouble, not shorter (PROTOCOL 4.7).
func TestDamagedList(t *testing.T) {
	for name, query := range map[string]string{
		"no record":      "DELETE FROM secrets WHERE seq = 2",
		"damaged record": "UPDATE secrets SET record = substr(record, 2) WHERE seq = 2",
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), sqlite.Options{})
			for range 3 {
				s.keep([]byte("text"))
			}
			s.close()
			change(t, s.dir, query)
			s = open(t, s.dir, sqlite.Options{})
			if page, _, err := s.vault.Pending(t.Context(), s.vault.User(uid("ann")), 0, 10); kind(err) != vault.KindUnavailable {
				t.Errorf("%d records, %v, want trouble", len(page), err)
			}
			for range 5 { // on every connection, and none is left in a transaction
				if page, total, err := s.vault.Pending(t.Context(), s.vault.User(uid("ann")), 0, 1); len(page) != 1 || total != 3 || err != nil {
					t.Errorf("a page before the damage: %d of %d, %v", len(page), total, err)
				}
			}
		})
	}
}
