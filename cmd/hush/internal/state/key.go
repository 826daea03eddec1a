package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
)

// Errors of a KeyFile.
var (
	ErrNoKey      = errors.New("there is no key yet")
	ErrExposed    = errors.New("others may read the key file")
	ErrKeyDamaged = errors.New("the key file holds no key that can be read")
	ErrOtherKey   = errors.New("there is another key already")
)

const keyName = "key"

// KeyFile is where the user's own key is. Unlike a record it is text, and the same text that is exported: a copy of it is
// a backup, and it can be imported as it is.
type KeyFile struct{ dir string }

// NewKeyFile uses the file "key" within dir; it is made when it is first needed.
func NewKeyFile(dir string) KeyFile { return KeyFile{dir} }

// Path is where the file is, for people who are told to look after it.
func (k KeyFile) Path() string { return filepath.Join(k.dir, keyName) }

// Load reads the key. A file that others may read is refused, as ssh does it: the key may be known to them, and the user
// has to decide what that means.
func (k KeyFile) Load() (client.Owner, error) {
	root, err := open(k.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return client.Owner{}, ErrNoKey
	}
	if err != nil {
		return client.Owner{}, err
	}
	defer root.Close()
	return loadKey(root)
}

func loadKey(root *os.Root) (client.Owner, error) {
	f, err := root.Open(keyName)
	if errors.Is(err, fs.ErrNotExist) {
		return client.Owner{}, ErrNoKey
	}
	if err != nil {
		return client.Owner{}, cause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return client.Owner{}, cause(err)
	}
	// On Windows the mode says nothing: there the folder is the user's own by its access list.
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return client.Owner{}, ErrExposed
	}
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return client.Owner{}, cause(err)
	}
	return ParseKey(b)
}

// LoadOrMake reads the key, or makes one. Of two runs that make the first key at once, one wins and both go on with its
// key: what the other would keep with a key that was replaced, nobody could read.
func (k KeyFile) LoadOrMake() (o client.Owner, made bool, err error) {
	if o, err = k.Load(); !errors.Is(err, ErrNoKey) {
		return o, false, err
	}
	root, err := open(k.dir, true)
	if err != nil {
		return client.Owner{}, false, err
	}
	defer root.Close()
	o = client.Owner{Key: seal.NewKept()}
	err = place(root, keyName, FormatKey(o))
	if errors.Is(err, fs.ErrExist) {
		o, err = loadKey(root)
		return o, false, err
	}
	return o, err == nil, err
}

// Import puts a key in place. Another one that is there stays, and is ErrOtherKey; with replace it is kept under the name
// that Import gives.
func (k KeyFile) Import(o client.Owner, replace bool) (beside string, err error) {
	root, err := open(k.dir, true)
	if err != nil {
		return "", err
	}
	defer root.Close()
	old, err := loadKey(root)
	switch {
	case errors.Is(err, ErrNoKey):
		return "", place(root, keyName, FormatKey(o))
	case errors.Is(err, ErrKeyDamaged) && replace:
		beside = keyName + ".damaged"
		if err := root.Rename(keyName, beside); err != nil {
			return "", cause(err)
		}
		return filepath.Join(k.dir, beside), place(root, keyName, FormatKey(o))
	case err != nil:
		return "", err
	case old.Key.Equal(o.Key):
		o.Inigma = o.Inigma || old.Inigma
		return "", replaceFile(root, keyName, FormatKey(o))
	case !replace:
		return "", ErrOtherKey
	}
	beside = keyName + "-" + old.Short()
	// By its name it is the same key, if it is there already.
	if err := place(root, beside, FormatKey(old)); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	return filepath.Join(k.dir, beside), replaceFile(root, keyName, FormatKey(o))
}

// Words that stand before a key in a key file, and say which names its owner goes by.
const (
	wordOurs   = "hushpost"
	wordInigma = "inigma"
)

// FormatKey writes a key file. Whoever has it can read everything that is kept with the key.
func FormatKey(o client.Owner) []byte {
	word := wordOurs
	if o.Inigma {
		word = wordInigma
	}
	return fmt.Appendf(nil, "# The key of Hushpost user %s.\n# Whoever has this file can read, rename and delete everything that is kept with it.\n%s %s\n",
		o.Short(), word, o.Key.Encode())
}

// ParseKey reads a key file, or a key alone. A key alone may come from inigma, which exports nothing but its characters.
func ParseKey(b []byte) (client.Owner, error) {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // editors on Windows write it
	var fields []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			fields = append(fields, strings.Fields(line)...)
		}
	}
	o := client.Owner{Inigma: true}
	if len(fields) == 2 && (fields[0] == wordOurs || fields[0] == wordInigma) {
		o.Inigma = fields[0] == wordInigma
		fields = fields[1:]
	}
	if len(fields) != 1 {
		return client.Owner{}, ErrKeyDamaged
	}
	var err error
	if o.Key, err = seal.ParseKept(fields[0]); err != nil {
		return client.Owner{}, ErrKeyDamaged
	}
	return o, nil
}

// WriteNew writes a key file at a path of the user's choice, where nothing is yet, readable by the user only.
func WriteNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names the file
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(path)
	}
	return cause(err)
}
