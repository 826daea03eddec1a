// Package outdir writes the files of a secret into a folder: all of them or none, whole, and readable by the user only.
// It does not decide what a file is called beyond making the name safe and free.
package outdir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hushpost/hushpost/crypto/envelope"
)

// maxNumber ends the search for a free name in a folder where somebody else takes them as fast.
const maxNumber = 1000

var errNoName = errors.New("no name is free")

// Folder is where to write.
type Folder struct {
	root  *os.Root
	path  string
	force bool
}

// Open opens a folder that exists. With force, files of the same name are replaced, otherwise never.
func Open(path string, force bool) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("opening the output folder: %w", Cause(err))
	}
	return &Folder{root, path, force}, nil
}

// Close lets the folder go.
func (f *Folder) Close() error { return f.root.Close() }

// Check reports whether a file can be made there, by making one: permissions, mount options and quotas do not say.
// It is asked before a secret is opened.
func (f *Folder) Check() error {
	part, err := f.stage(nil)
	if err != nil {
		return fmt.Errorf("writing into the output folder: %w", err)
	}
	return Cause(f.root.Remove(part))
}

// Saved is a file that was written.
type Saved struct {
	Path string // the folder's path and the name that it got
	Size int
}

// Save writes files. First all bytes go to disk under other names; only then does any of them get its own. So a full
// disk leaves nothing behind, and no name ever shows half a file.
func (f *Folder) Save(files []envelope.File) (saved []Saved, err error) {
	parts := make([]string, 0, len(files))
	defer func() {
		for _, p := range parts { // those that were renamed are gone already
			_ = f.root.Remove(p)
		}
	}()
	for i, file := range files {
		part, err := f.stage(file.Data)
		if err != nil {
			return nil, fmt.Errorf("writing file %d of %d: %w", i+1, len(files), err)
		}
		parts = append(parts, part)
	}
	taken := map[string]bool{} // two files of one secret may have the same name, also where case does not count
	for i, file := range files {
		name, err := f.name(parts[i], envelope.SafeName(file.Name, i+1), taken)
		if err != nil {
			f.undo(saved)
			return nil, fmt.Errorf("naming file %d of %d: %w", i+1, len(files), err)
		}
		taken[strings.ToLower(name)] = true
		saved = append(saved, Saved{filepath.Join(f.path, name), len(file.Data)})
	}
	f.sync()
	return saved, nil
}

// undo takes back what got its name, except with force: what was replaced is gone, and so a new file is better than none.
func (f *Folder) undo(saved []Saved) {
	for _, s := range saved {
		if !f.force {
			_ = f.root.Remove(filepath.Base(s.Path))
		}
	}
}

// stage writes and syncs a file under a name of our own.
func (f *Folder) stage(data []byte) (string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:])
	part := ".hush-" + hex.EncodeToString(random[:]) + ".part"
	w, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", Cause(err)
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		_ = f.root.Remove(part)
		return "", Cause(err)
	}
	return part, nil
}

// name gives a staged file its name, or the next free one: "report (2).pdf".
func (f *Folder) name(part, want string, taken map[string]bool) (string, error) {
	ext := filepath.Ext(want)
	for n := 1; n <= maxNumber; n++ {
		name := want
		if n > 1 {
			name = fmt.Sprintf("%s (%d)%s", strings.TrimSuffix(want, ext), n, ext)
		}
		if taken[strings.ToLower(name)] {
			continue
		}
		err := f.place(part, name)
		if !errors.Is(err, fs.ErrExist) {
			return name, Cause(err)
		}
	}
	return "", errNoName
}

// place renames without replacing. A hard link fails if the name is taken, in one step. Where there are none (FAT, some
// shares) an empty file reserves the name, which the rename then fills.
func (f *Folder) place(part, name string) error {
	if f.force {
		return f.root.Rename(part, name)
	}
	err := f.root.Link(part, name)
	if err == nil {
		return f.root.Remove(part)
	}
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	w, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_ = w.Close()
	if err := f.root.Rename(part, name); err != nil {
		_ = f.root.Remove(name)
		return err
	}
	return nil
}

// sync makes the names durable. Not every system can sync a folder, and the bytes are safe already.
func (f *Folder) sync() {
	if d, err := f.root.Open("."); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

// Cause strips from an error of package os the name of the file: somebody chose it, and it may say much.
func Cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
