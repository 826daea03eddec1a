// Package state keeps what hush must remember from one run to the next: manage tokens of what was sent, and reader
// tokens of readings that are not finished. It never keeps a key, a link, a passphrase or a text.
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
func write(root *os.Root, name string, record any) (err error) {
	b, err := json.Marshal(record)
	if err != nil {
		return cause(err)
	}
	var random [8]byte
	_, _ = rand.Read(random[:])
	tmp := "." + hex.EncodeToString(random[:]) + ".tmp"
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = root.Rename(tmp, name)
	}
	if err != nil {
		_ = root.Remove(tmp)
	}
	return cause(err)
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
