package outdir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hushpost/hushpost/cmd/hush/internal/outdir"
	"github.com/hushpost/hushpost/crypto/envelope"
)

func open(t *testing.T, dir string, force bool) *outdir.Folder {
	t.Helper()
	f, err := outdir.Open(dir, force)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func files(names ...string) (all []envelope.File) {
	for i, n := range names {
		all = append(all, envelope.File{Name: n, Data: fmt.Appendf(nil, "file %d", i+1)})
	}
	return all
}

// place makes a folder where the name ends with a slash, else a file.
func place(path, text string) error {
	if strings.HasSuffix(path, "/") {
		return os.Mkdir(path, 0o700)
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

// content is what a folder holds, name by name.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !e.IsDir() {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestSave(t *testing.T) {
	for _, test := range []struct {
		name  string
		force bool
		names []string
		there map[string]string
		want  map[string]string
	}{
		{"free", false, []string{"a.txt"}, nil, map[string]string{"a.txt": "file 1"}},
		{
			"taken", false,
			[]string{"a.txt"},
			map[string]string{"a.txt": "mine", "a (2).txt": "mine, too"},
			map[string]string{"a.txt": "mine", "a (2).txt": "mine, too", "a (3).txt": "file 1"},
		},
		{"forced", true, []string{"a.txt"}, map[string]string{"a.txt": "mine"}, map[string]string{"a.txt": "file 1"}},
		{
			"forced, the same name twice", true,
			[]string{"a.txt", "A.TXT"},
			nil,
			map[string]string{"a.txt": "file 1", "A (2).TXT": "file 2"},
		},
		{"forced, a folder has the name", true, []string{"d"}, map[string]string{"d/": ""}, map[string]string{"d": "", "d (2)": "file 1"}},
		{"out of the folder", true, []string{"../../etc/passwd"}, nil, map[string]string{".._etc_passwd": "file 1"}},
		{"nameless", false, []string{""}, nil, map[string]string{"file-1": "file 1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "out")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for n, text := range test.there {
				if err := place(dir+"/"+n, text); err != nil {
					t.Fatal(err)
				}
			}
			f := open(t, dir, test.force)
			if err := f.Check(); err != nil {
				t.Fatal(err)
			}
			saved, err := f.Save(files(test.names...))
			if err != nil || len(saved) != len(test.names) {
				t.Fatal(saved, err)
			}
			got := content(t, dir)
			if test.name == "out of the folder" { // the name is envelope's to choose; that it stays inside is ours
				if len(got) != 1 || len(content(t, parent)) != 1 {
					t.Errorf("%v", got)
				}
				return
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("folder holds %v", got)
			}
			for _, s := range saved {
				info, err := os.Stat(s.Path)
				if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 || info.Size() != int64(s.Size) {
					t.Errorf("%v, %v", info.Mode(), err)
				}
			}
		})
	}
}

func TestLinksOutOfTheFolderAreNotFollowed(t *testing.T) {
	parent := t.TempDir()
	dir, target := filepath.Join(parent, "out"), filepath.Join(parent, "target")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, filepath.Join(dir, "a.txt")); err != nil {
		t.Skip("this system or user has no symbolic links")
	}
	for _, force := range []bool{false, true} {
		if _, err := open(t, dir, force).Save(files("a.txt")); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(target); string(got) != "mine" {
			t.Fatalf("force %v: written through a symbolic link", force)
		}
	}
}

func TestAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	for n := range 1001 { // no name is left for b
		name := "b"
		if n > 0 {
			name = fmt.Sprintf("b (%d)", n+1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := open(t, dir, false).Save(files("a", "b"))
	if err == nil || strings.Contains(err.Error(), dir) {
		t.Errorf("%v", err)
	}
	if got := content(t, dir); len(got) != 1001 {
		t.Errorf("%d files are left behind", len(got)-1001)
	}
}

func TestNobodyOverwritesAnybody(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 16 {
		f := open(t, dir, false)
		wg.Go(func() {
			if _, err := f.Save(files("a.txt", "a.txt")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := content(t, dir)
	var texts []string
	for _, text := range got {
		texts = append(texts, text)
	}
	slices.Sort(texts)
	if len(got) != 32 || texts[15] != "file 1" || texts[16] != "file 2" {
		t.Errorf("%d files: %v", len(got), got)
	}
}

func TestFoldersThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", "nowhere"} {
		if _, err := outdir.Open(filepath.Join(dir, path), false); err == nil || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", path, err)
		}
	}
	f := open(t, dir, false)
	if err := os.RemoveAll(dir); err != nil {
		t.Skip("this system keeps an open folder")
	}
	if err := f.Check(); err == nil {
		t.Error("a folder that is gone was accepted")
	}
	if _, err := f.Save(files("a")); err == nil {
		t.Error("saved into a folder that is gone")
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
