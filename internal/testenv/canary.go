package testenv

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Canary remembers secrets, and finds them again in the forms that a careless program gives them.
// It is for one goroutine. Secrets shorter than 8 bytes would be found by chance.
type Canary struct {
	forms []form
}

type form struct {
	name string
	text []byte
}

// Add remembers a secret: raw, in hex, and in both alphabets of base64 wherever it may stand in what was encoded.
func (c *Canary) Add(name string, secret []byte) {
	h := hex.EncodeToString(secret)
	c.forms = append(c.forms,
		form{name, bytes.Clone(secret)}, form{name + " in hex", []byte(h)}, form{name + " in HEX", []byte(strings.ToUpper(h))})
	for before := range 3 {
		// The characters that also depend on the bytes before and behind are left away.
		text := base64.StdEncoding.EncodeToString(append(make([]byte, before), secret...))
		text = text[(before*8+5)/6 : (before+len(secret))*8/6]
		c.forms = append(c.forms, form{name + " in base64", []byte(text)})
		if other := strings.NewReplacer("+", "-", "/", "_").Replace(text); other != text {
			c.forms = append(c.forms, form{name + " in base64url", []byte(other)})
		}
	}
}

// Search names the secrets that are in text.
func (c *Canary) Search(text []byte) []string {
	var found []string
	for _, f := range c.forms {
		if bytes.Contains(text, f.text) {
			found = append(found, f.name)
		}
	}
	return found
}

// SearchFolder names the secrets that are in the files of dir, or in their names. Files that go away meanwhile hold
// nothing.
func (c *Canary) SearchFolder(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range c.Search([]byte(d.Name())) {
			found = append(found, name+", in the name of a file")
		}
		if d.IsDir() {
			return nil
		}
		text, err := os.ReadFile(path) //nolint:gosec // a folder of the test
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, name := range c.Search(text) {
			found = append(found, name+", in "+filepath.Base(path))
		}
		return nil
	})
	return found, err
}
