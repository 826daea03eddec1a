package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
)

func newKey() client.Owner { return client.Owner{Key: seal.NewKept()} }

func load(t *testing.T, k state.KeyFile) client.Owner {
	t.Helper()
	o, err := k.Load()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestKeyIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	k := state.NewKeyFile(dir)
	if _, err := k.Load(); !errors.Is(err, state.ErrNoKey) {
		t.Fatalf("before the first: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Error("looking for a key has made a folder")
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	makers, keys := 0, []client.Owner{}
	for range 16 {
		wg.Go(func() {
			o, made, err := k.LoadOrMake()
			mu.Lock()
			defer mu.Unlock()
			if err != nil || o.Inigma {
				t.Error(err)
			}
			if made {
				makers++
			}
			keys = append(keys, o)
		})
	}
	wg.Wait()
	for _, o := range keys {
		if !o.Key.Equal(load(t, k).Key) {
			t.Fatal("a run goes on with a key that is not kept")
		}
	}
	if makers != 1 {
		t.Errorf("%d runs think that they made it", makers)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	hidden, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(names) != 1 || names[0] != k.Path() || len(hidden) > 0 {
		t.Errorf("left behind: %d files, %d hidden", len(names), len(hidden))
	}
	info, err := os.Stat(k.Path())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s, %v", info.Mode(), err)
	}
}

func TestExposedKeyIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("access there is by inherited lists, not by mode")
	}
	k := state.NewKeyFile(t.TempDir())
	if _, _, err := k.LoadOrMake(); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644, 0o610} {
		if err := os.Chmod(k.Path(), mode); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Load(); !errors.Is(err, state.ErrExposed) {
			t.Errorf("mode %s: %v", mode, err)
		}
		if _, _, err := k.LoadOrMake(); !errors.Is(err, state.ErrExposed) {
			t.Errorf("mode %s: %v", mode, err)
		}
		if _, err := k.Import(newKey(), true); !errors.Is(err, state.ErrExposed) {
			t.Errorf("mode %s: replaced: %v", mode, err)
		}
	}
	if err := os.Chmod(k.Path(), 0o400); err != nil {
		t.Fatal(err)
	}
	load(t, k)
}

func TestImportReplacesNothingUnasked(t *testing.T) {
	dir := t.TempDir()
	k := state.NewKeyFile(dir)
	first, second := newKey(), newKey()
	if beside, err := k.Import(first, false); beside != "" || err != nil {
		t.Fatal(beside, err)
	}
	if _, err := k.Import(second, false); !errors.Is(err, state.ErrOtherKey) || !load(t, k).Key.Equal(first.Key) {
		t.Fatalf("another key: %v", err)
	}
	// The same key is no other one, and what is known of it is not forgotten.
	for _, inigma := range []bool{false, true, false} {
		if beside, err := k.Import(client.Owner{Key: first.Key, Inigma: inigma}, false); beside != "" || err != nil {
			t.Fatal(beside, err)
		}
	}
	if !load(t, k).Inigma {
		t.Error("the key's second name is forgotten")
	}
	for _, o := range []client.Owner{second, first, second} {
		before := load(t, k)
		beside, err := k.Import(o, true)
		if err != nil || !load(t, k).Key.Equal(o.Key) {
			t.Fatal(err)
		}
		if filepath.Dir(beside) != dir || !strings.HasSuffix(beside, before.Short()) {
			t.Errorf("kept beside as %q", filepath.Base(beside))
		}
		text, err := os.ReadFile(beside)
		if err != nil {
			t.Fatal(err)
		}
		if old, err := state.ParseKey(text); err != nil || !old.Key.Equal(before.Key) {
			t.Errorf("the key beside is another one, %v", err)
		}
		if info, _ := os.Stat(beside); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("mode %s", info.Mode())
		}
	}
}

func TestDamagedKeyFile(t *testing.T) {
	k := state.NewKeyFile(t.TempDir())
	if err := os.WriteFile(k.Path(), []byte("# nothing\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.LoadOrMake(); !errors.Is(err, state.ErrKeyDamaged) {
		t.Errorf("made another one: %v", err)
	}
	o := newKey()
	if _, err := k.Import(o, false); !errors.Is(err, state.ErrKeyDamaged) {
		t.Errorf("%v", err)
	}
	beside, err := k.Import(o, true)
	if err != nil || !load(t, k).Key.Equal(o.Key) {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(beside); string(text) != "# nothing\n" {
		t.Error("what was there is lost")
	}
}

func TestKeyText(t *testing.T) {
	const s = "ABCDEFGHIJKLMNOPQRSTUVWXYZabc-_f"
	for text, inigma := range map[string]bool{
		s: true, s + "\n": true, "\r\n  " + s + " \r\n": true, "\ufeff" + s: true, "# a comment\n\n" + s + "\n# another": true,
		"inigma " + s: true, "hushpost " + s: false, "hushpost\t" + s + "\n": false, "# x\nhushpost " + s: false,
	} {
		o, err := state.ParseKey([]byte(text))
		if err != nil || o.Key.Encode() != s || o.Inigma != inigma {
			t.Errorf("%q: inigma %v, %v", text, o.Inigma, err)
		}
		again, err := state.ParseKey(state.FormatKey(o))
		if err != nil || !again.Key.Equal(o.Key) || again.Inigma != o.Inigma {
			t.Errorf("%q: written and read back otherwise, %v", text, err)
		}
		if head, _, _ := strings.Cut(string(state.FormatKey(o)), "\n"+"hushpost "); strings.Contains(head, s) && !inigma {
			t.Error("the key stands in a comment")
		}
	}
	for _, text := range []string{"", "# " + s, s + " " + s, s + "\n" + s, "other " + s, "hushpost", "hushpost hushpost " + s, "https://h.example/#key=" + s, s[:15], "k\x00y" + s} {
		if o, err := state.ParseKey([]byte(text)); !errors.Is(err, state.ErrKeyDamaged) || !o.Key.IsZero() {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeyErrorsNameNoFileAndNoKey(t *testing.T) {
	dir := t.TempDir()
	o := newKey()
	path := filepath.Join(dir, "exported")
	if err := state.WriteNew(path, state.FormatKey(o)); err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %s", info.Mode())
	}
	errs := []error{state.WriteNew(path, nil), state.WriteNew(filepath.Join(dir, "nowhere", "x"), nil)}
	_, err := state.NewKeyFile(path).Load() // a file where the folder should be
	errs = append(errs, err)
	_, _, err = state.NewKeyFile(path).LoadOrMake()
	errs = append(errs, err)
	_, err = state.ParseKey([]byte(o.Key.Encode() + "!"))
	for _, err := range append(errs, err) {
		if err == nil || strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), o.Key.Encode()) {
			t.Errorf("%v", err)
		}
	}
	if text, _ := os.ReadFile(path); string(text) != string(state.FormatKey(o)) {
		t.Error("an export has replaced a file")
	}
}
