package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// refused opens dir, which must fail with a reason that holds want.
func refused(t *testing.T, dir, want string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), dir, sqlite.Options{})
	if err == nil {
		s.Close()
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("opening gives %v, want %q", err, want)
	}
}

// change runs SQL on the database of a store that is closed.
func change(t *testing.T, dir, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "hushpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// files lists the folder of large payloads.
func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "payloads", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestOneServerAFolder(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	ref := s.create([]byte("text"))
	refused(t, s.dir, "in use by another server")
	s.read(ref, []byte("text")) // the first is none the worse
	s.close()
	open(t, s.dir, sqlite.Options{}).close()
}

func TestNewerDatabase(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	ref := s.create([]byte("text"))
	s.close()
	change(t, s.dir, "PRAGMA user_version = 99")
	refused(t, s.dir, "newer server")
	refused(t, s.dir, "newer server") // and the folder was let go of
	change(t, s.dir, "PRAGMA user_version = 3")
	open(t, s.dir, sqlite.Options{}).read(ref, []byte("text"))
}

func TestServerKey(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	ref, path := s.create([]byte("text")), filepath.Join(s.dir, "server.key")
	s.close()
	key, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(key, func() []byte { k := s.store.Key(); return k[:] }()) {
		t.Fatalf("server.key is not Key(), %v", err)
	}
	for name, broken := range map[string][]byte{"empty": {}, "short": key[:31], "long": append(bytes.Clone(key), 0)} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, broken, 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, s.dir, "want 32 bytes")
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refused(t, s.dir, "server.key is missing")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a new key was made: %v", err)
	}
	if err := os.WriteFile(path, key, 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, s.dir, sqlite.Options{}).read(ref, []byte("text"))
}

func TestForeignEyes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes: the folder's access list decides")
	}
	s := open(t, filepath.Join(t.TempDir(), "data"), sqlite.Options{})
	s.create(noise(100))
	s.create(noise(100_000))
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if info, err := e.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestStrangePath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=memory&c#d%20é;'")
	s := open(t, dir, sqlite.Options{})
	ref := s.create([]byte("text"))
	s.close()
	open(t, dir, sqlite.Options{}).read(ref, []byte("text"))
}

// TestOrphans: files that no row names are gone after the start, and no others.
func TestOrphans(t *testing.T) {
	s, payload := open(t, t.TempDir(), sqlite.Options{}), noise(100_000)
	kept, ended := s.create(payload), s.create(payload)
	names := files(t, s.dir)
	if len(names) != 2 {
		t.Fatalf("%d files of two payloads", len(names))
	}
	before := make(map[string][]byte)
	for _, name := range names {
		before[name], _ = os.ReadFile(name)
	}
	s.read(ended, payload)
	if left := files(t, s.dir); len(left) != 1 {
		t.Errorf("%d files of one payload", len(left))
	}
	s.close()
	for name, content := range before { // as if the kill came between the commit and the removal
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "payloads", "half a creation"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir, sqlite.Options{})
	if left := files(t, s.dir); len(left) != 1 {
		t.Errorf("after the start %d files of one payload", len(left))
	}
	if _, err := s.open(ended, ann); kind(err) != vault.KindEnded {
		t.Errorf("opening what was erased: %v", err)
	}
	s.read(kept, payload)
}

// TestDamagedFileList: a hunt for orphans that cannot read its list must not begin.
func TestDamagedFileList(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	s.create(noise(100_000))
	s.create(noise(100_000))
	s.close()
	change(t, s.dir, "UPDATE payloads SET file = substr(file, 1, 47) WHERE secret = 1")
	refused(t, s.dir, "damaged")
	if left := files(t, s.dir); len(left) != 2 {
		t.Errorf("%d files are left of 2", len(left))
	}
}

// TestDamage: a damaged row is trouble, never "not found" (PROTOCOL 4.7), and its neighbours are none the worse.
func TestDamage(t *testing.T) {
	const setByte = "UPDATE secrets SET record = CAST(substr(record, 1, %d) || x'%02x' || substr(record, %d) AS BLOB) WHERE seq = 1"
	for _, test := range []struct {
		name   string
		query  string
		size   int
		record bool // else only the payload is out of reach
	}{
		{"empty record", "UPDATE secrets SET record = x'' WHERE seq = 1", 100, true},
		{"short record", "UPDATE secrets SET record = substr(record, 1, length(record) - 1) WHERE seq = 1", 100, true},
		{"long record", "UPDATE secrets SET record = CAST(record || x'00' AS BLOB) WHERE seq = 1", 100, true},
		{"newer record", fmt.Sprintf(setByte, 0, 2, 2), 100, true},
		{"state 0", fmt.Sprintf(setByte, 1, 0, 3), 100, true},
		{"state forgotten", fmt.Sprintf(setByte, 1, byte(vault.Forgotten), 3), 100, true},
		{"state 200", fmt.Sprintf(setByte, 1, 200, 3), 100, true},
		{"unknown flag", fmt.Sprintf(setByte, 2, 0x83, 4), 100, true},
		{"no payload", "DELETE FROM payloads WHERE secret = 1", 100, false},
		{"no large payload", "DELETE FROM payloads WHERE secret = 1", 100_000, false},
		{"neither data nor file", "UPDATE payloads SET data = NULL, file = NULL WHERE secret = 1", 100, false},
		{"another file name", "UPDATE payloads SET file = CAST(zeroblob(16) || substr(file, 17) AS BLOB) WHERE secret = 1", 100_000, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := storetest.NewClock()
			s, payload, large := open(t, t.TempDir(), sqlite.Options{Now: clock.Now}), noise(test.size), noise(100_000)
			damaged, neighbour := s.create(payload), s.create(payload)
			s.create(large)
			s.close()
			change(t, s.dir, test.query)
			s = open(t, s.dir, sqlite.Options{Now: clock.Now})
			if _, err := s.vault.Meta(t.Context(), damaged, link); (kind(err) == vault.KindUnavailable) != test.record {
				t.Errorf("meta: %v", err)
			}
			if _, err := s.open(damaged, ann); kind(err) != vault.KindUnavailable {
				t.Errorf("open: %v, want trouble", err)
			}
			s.read(neighbour, payload)
			clock.Pass(t, time.Hour)
			if err := s.vault.Sweep(t.Context()); err != nil {
				t.Errorf("sweeping: %v", err)
			}
			if left := files(t, s.dir); len(left) > 0 {
				t.Errorf("a sweep after the end of all has left %d files", len(left))
			}
		})
	}
}

// TestDamagedPages: wherever the database is damaged, an answer is right or it is trouble.
func TestDamagedPages(t *testing.T) {
	s, payload := open(t, t.TempDir(), sqlite.Options{}), noise(300)
	var refs []vault.Ref
	for range 60 {
		refs = append(refs, s.create(payload))
	}
	s.close()
	path := filepath.Join(s.dir, "hushpost.db")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	troubles := 0
	for at := 0; at < len(whole); at += page {
		broken := bytes.Clone(whole)
		clear(broken[at : at+page])
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := sqlite.Open(t.Context(), s.dir, sqlite.Options{})
		if err != nil {
			troubles++
			continue
		}
		v := vault.New(store, vault.Options{Key: store.Key()})
		for _, ref := range refs {
			m, err := v.Meta(t.Context(), ref, link)
			if err == nil && m.State == vault.Waiting {
				continue
			}
			if troubles++; kind(err) != vault.KindUnavailable {
				t.Errorf("with page %d cleared: %v, %v, want trouble", at/page, m.State, err)
			}
		}
		store.Close() // may fail: the database is damaged
	}
	if troubles < len(refs) {
		t.Errorf("only %d troubles: the damage was not where the secrets are", troubles)
	}
}

// TestClosedStore: what is closed is in trouble. No secret is "not found", and no alias has a decoy.
func TestClosedStore(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	made, _, err := s.vault.Create(t.Context(), draft(), strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	ref, _ := s.vault.Ref(made.Alias.String())
	view, user := s.keep([]byte("text")), s.vault.User(uid("ann"))
	s.close()
	_, kept := s.vault.Keep(t.Context(), vault.Message{Author: user, TTL: time.Hour}, strings.NewReader("text"))
	_, _, read := s.vault.Read(t.Context(), view, user)
	_, _, owned := s.vault.Owned(t.Context(), user, 0, 10)
	_, _, pending := s.vault.Pending(t.Context(), user, 0, 10)
	_, opened := s.open(ref, ann)
	_, resolved := s.vault.Resolve(t.Context(), ref)
	_, meta := s.vault.Meta(t.Context(), ref, link)
	_, status := s.vault.Status(t.Context(), ref, manage)
	_, _, taken := s.vault.TakeUnguarded(t.Context(), ref)
	_, inspected := s.vault.Inspect(t.Context())
	for verb, err := range map[string]error{
		"create": s.tryCreate(nil), "open": opened, "resolve": resolved, "meta": meta, "status": status, "take": taken,
		"ack": s.vault.Ack(t.Context(), ref, link, ann), "decline": s.vault.Decline(t.Context(), ref, link),
		"keep": kept, "read": read, "owned": owned, "pending": pending, "claim": s.claims(view, nil), "undo": s.vault.UndoClaim(t.Context(), view, user),
		"name": s.vault.Relabel(t.Context(), view, user, ""), "delete": s.vault.Delete(t.Context(), view, user),
		"revoke": s.vault.Revoke(t.Context(), ref, manage), "sweep": s.vault.Sweep(t.Context()), "inspect": inspected,
	} {
		if kind(err) != vault.KindUnavailable {
			t.Errorf("%s: %v, want trouble", verb, err)
		}
	}
	s.close() // again
}
