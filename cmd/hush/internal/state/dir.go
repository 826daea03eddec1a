// Package state keeps what hush must remember from one run to the next: manage tokens of what was sent, reader tokens of
// readings that are not finished, and the user's own key. It never keeps a link, its key, a passphrase or a text.
//
// The key file is here and not in package keyring because nothing in crypto touches a file, so that it runs everywhere.
//
// Every record is a file of its own, written whole under another name and then renamed; so any number of runs may
// write at once without a lock, and a crash leaves a record or none.
package state

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNowhere: the environment names no folder of the user's own.
var ErrNowhere = errors.New("neither a state folder nor a home folder is set")

// maxRecord is far above any record; it keeps a file that is none of ours from being read whole.
const maxRecord = 16 << 10

// Dir is the user's folder for hush: XDG_STATE_HOME/hushpost or ~/.local/state/hushpost, on Windows
// %LocalAppData%\hushpost, which unlike AppData stays on the machine.
func Dir(goos string, env func(string) string) (string, error) {
	if goos == "windows" {
		if d := env("LocalAppData"); filepath.IsAbs(d) {
			return filepath.Join(d, "hushpost"), nil
		}
		return "", ErrNowhere
	}
	// "If an implementation encounters a relative path […] it should consider the path invalid and ignore it."
	// (XDG Base Directory Specification)
	if d := env("XDG_STATE_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "hushpost"), nil
	}
	if d := env("HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, ".local", "state", "hushpost"), nil
	}
	return "", ErrNowhere
}

// open opens a folder as a root that no name leads out of, and makes it when asked.
func open(dir string, create bool) (*os.Root, error) {
	if create {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, cause(err)
		}
	}
	root, err := os.OpenRoot(dir)
	return root, cause(err)
}

// write puts a record in place, readable by the user only.
func write(root *os.Root, name string, record any) error {
	b, err := json.Marshal(record)
	if err != nil {
		return cause(err)
	}
	return replaceFile(root, name, append(b, '\n'))
}

// replaceFile puts a whole file in place of what is there, or of nothing.
func replaceFile(root *os.Root, name string, text []byte) error {
	tmp, err := stage(root, text)
	if err != nil {
		return err
	}
	if err := root.Rename(tmp, name); err != nil {
		_ = root.Remove(tmp)
		return cause(err)
	}
	return nil
}

// place puts a whole file where nothing is, or answers fs.ErrExist. A hard link does both in one step; where there are none
// (FAT, some shares) the name is taken first, and a crash in between leaves an empty file, which is reported as damaged.
func place(root *os.Root, name string, text []byte) error {
	tmp, err := stage(root, text)
	if err != nil {
		return err
	}
	defer func() { _ = root.Remove(tmp) }() // after a rename there is nothing to remove
	err = root.Link(tmp, name)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		var f *os.File
		if f, err = root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			err = errors.Join(f.Close(), root.Rename(tmp, name))
		}
	}
	if err == nil {
		syncFolder(root)
	}
	return cause(err)
}

// stage writes and syncs a file under a name of our own.
func stage(root *os.Root, text []byte) (string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:])
	tmp := "." + hex.EncodeToString(random[:]) + ".tmp"
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", cause(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = root.Remove(tmp)
		return "", cause(err)
	}
	return tmp, nil
}

// syncFolder makes names durable: a key that a power cut takes away takes with it all that was sealed with it since. Not
// every system can sync a folder.
func syncFolder(root *os.Root) {
	if d, err := root.Open("."); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

func read(root *os.Root, name string, record any) error {
	f, err := root.Open(name)
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return cause(err)
	}
	if json.Unmarshal(b, record) != nil {
		return errDamaged
	}
	return nil
}

var errDamaged = errors.New("a record is damaged")

// cause strips the name of the file, which holds an id.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", p.Op, p.Err)
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s: %w", l.Op, l.Err)
	}
	return err
}
