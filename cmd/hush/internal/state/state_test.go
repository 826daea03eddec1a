package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
)

func TestDir(t *testing.T) {
	abs := t.TempDir() // absolute on every system
	for _, test := range []struct {
		goos string
		env  map[string]string
		want string
	}{
		{"linux", map[string]string{"XDG_STATE_HOME": abs, "HOME": "/nowhere"}, filepath.Join(abs, "hushpost")},
		{"linux", map[string]string{"XDG_STATE_HOME": "relative", "HOME": abs}, filepath.Join(abs, ".local", "state", "hushpost")},
		{"darwin", map[string]string{"HOME": abs}, filepath.Join(abs, ".local", "state", "hushpost")},
		{"windows", map[string]string{"LocalAppData": abs, "HOME": "/nowhere"}, filepath.Join(abs, "hushpost")},
		{"windows", map[string]string{"HOME": abs}, ""},
		{"linux", nil, ""},
	} {
		got, err := state.Dir(test.goos, func(name string) string { return test.env[name] })
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s %v: %q, %v", test.goos, test.env, got, err)
		}
	}
}

func entry(alias string, age time.Duration) state.Entry {
	now := time.Now().UTC().Truncate(time.Second)
	return state.Entry{
		ID: seal.NewID(), Alias: alias, Server: "https://secrets.example.com", Manage: seal.NewToken(),
		Created: now.Add(-age), Expires: now.Add(time.Hour),
	}
}

func same(a, b state.Entry) bool {
	token := a.Manage.Equal(b.Manage)
	a.Manage, b.Manage = seal.Token{}, seal.Token{}
	return token && a == b
}

func put(t *testing.T, s state.Sent, entries ...state.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := s.Put(e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSentKeepsEntries(t *testing.T) {
	s := state.NewSent(t.TempDir())
	if list, damaged, err := s.List(); len(list) != 0 || damaged != 0 || err != nil {
		t.Fatal("before the first entry:", list, damaged, err)
	}
	old, young := entry("aaaa1111", time.Hour), entry("aaaa2222", time.Minute)
	put(t, s, old, young)
	list, _, err := s.List()
	if err != nil || len(list) != 2 || !same(list[0], young) || !same(list[1], old) {
		t.Fatal("listed:", list, err)
	}
	for prefix, want := range map[string]any{
		"aaaa1111": old, "aaaa1": old, "aaaa2": young, string(old.ID): old, string(old.ID[:10]): old,
		"aaaa": state.ErrAmbiguous, "AAAA1": state.ErrUnknown, "": state.ErrUnknown, "../x": state.ErrUnknown,
	} {
		e, err := s.Find(prefix)
		if want, ok := want.(error); ok != (err != nil) || ok && !errors.Is(err, want) {
			t.Errorf("%q: %v", prefix, err)
		}
		if want, ok := want.(state.Entry); ok && !same(e, want) {
			t.Errorf("%q: found another", prefix)
		}
	}
	if err := errors.Join(s.Remove(old), s.Remove(old)); err != nil {
		t.Fatal(err)
	}
	if list, _, _ := s.List(); len(list) != 1 {
		t.Errorf("%d entries after removal", len(list))
	}
}

func TestSentIsForTheUserOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("access there is by inherited lists, not by mode")
	}
	dir := filepath.Join(t.TempDir(), "state")
	put(t, state.NewSent(dir), entry("aaaa1111", 0))
	files := 0
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		info, _ := d.Info()
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("a record or folder has mode %s", info.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != 1 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestParallelCreatesNeedNoLock(t *testing.T) {
	s := state.NewSent(t.TempDir())
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if err := s.Put(entry(fmt.Sprintf("alias%03d", i), 0)); err != nil {
				t.Error(err)
			}
			if _, damaged, err := s.List(); damaged > 0 || err != nil {
				t.Errorf("half a record was seen: %d, %v", damaged, err)
			}
		})
	}
	wg.Wait()
	if list, _, _ := s.List(); len(list) != 32 {
		t.Errorf("%d entries", len(list))
	}
}

func TestDamagedRecordsAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	s := state.NewSent(dir)
	good := entry("aaaa1111", 0)
	put(t, s, good)
	raw, err := os.ReadFile(filepath.Join(dir, "sent", string(good.ID)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty.json": "", "cut.json": string(raw[:len(raw)/2]), "renamed.json": string(raw), "server.json": strings.Replace(string(raw), "https", "gopher", 1),
		"token.json": strings.Replace(string(raw), good.Manage.Reveal(), "x", 1), ".other.tmp": "left by a crash", "notes.txt": "not ours",
	} {
		if err := os.WriteFile(filepath.Join(dir, "sent", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, damaged, err := s.List()
	if err != nil || len(list) != 1 || damaged != 5 {
		t.Errorf("%d entries, %d damaged, %v", len(list), damaged, err)
	}
}

func TestErrorsHoldNoID(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e := entry("aaaa1111", 0)
	err := state.NewSent(file).Put(e)
	if err == nil || strings.Contains(err.Error(), string(e.ID)) || strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

func TestReadingsFindTheTokenOfAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	r := state.NewReadings(dir)
	a, err := link.NewOneTime("https://secrets.example.com", "Kx7mP2nQ", seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	b, err := link.NewOneTime("https://other.example.com", "Kx7mP2nQ", seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	read := func(l link.Link) string {
		t.Helper()
		token, err := r.Reader(l)
		if err != nil || token.IsZero() {
			t.Fatal(err)
		}
		return token.Reveal()
	}
	first, other := read(a), read(b)
	if first == other {
		t.Error("one token for two secrets")
	}
	if read(a) != first {
		t.Error("another token in the second run")
	}
	names, _ := filepath.Glob(filepath.Join(dir, "reading", "*"))
	if len(names) != 2 || strings.Contains(strings.Join(names, ""), "Kx7m") {
		t.Errorf("%d files, or one that names its secret", len(names))
	}
	if err := errors.Join(r.Done(a), r.Done(a)); err != nil {
		t.Fatal(err)
	}
	if read(a) == first {
		t.Error("the token outlived its reading")
	}
	// What is older than any lease is neither used nor kept.
	stale := time.Now().Add(-25 * time.Hour)
	for _, n := range names {
		raw, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		raw = []byte(strings.Replace(string(raw), time.Now().UTC().Format("2006-01-02T"), stale.UTC().Format("2006-01-02T"), 1))
		if err := errors.Join(os.WriteFile(n, raw, 0o600), os.Chtimes(n, stale, stale)); err != nil {
			t.Fatal(err)
		}
	}
	if read(a); read(b) == other {
		t.Error("a stale token was used")
	}
	if broken, err := state.NewReadings(filepath.Join(dir, "reading", filepath.Base(names[0]))).Reader(a); err == nil || broken.IsZero() {
		t.Errorf("no folder: %v", err)
	}
}
