package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/internal/client"
)

// keepReadings is longer than any lease: 256 MiB at 64 KiB/s are 68 minutes (PROTOCOL 4.3).
const keepReadings = 24 * time.Hour

// Readings is the folder of reader tokens. A run that is interrupted after it has opened a secret (a full disk, a closed
// lid) leaves a lease that only its reader token can use (PROTOCOL 4.3); the next run finds it here.
type Readings struct{ dir string }

// NewReadings uses the folder "reading" within dir; it is made with the first entry.
func NewReadings(dir string) Readings { return Readings{filepath.Join(dir, "reading")} }

type reading struct {
	Reader string    `json:"reader"`
	At     time.Time `json:"at"`
}

// Reader gives the token of an earlier run for l, or a new one, which it keeps. It always gives a token: with an error it
// is one that will not be found again.
func (r Readings) Reader(l link.Link) (client.Reader, error) {
	fresh := client.NewReader()
	root, err := open(r.dir, true)
	if err != nil {
		return fresh, err
	}
	defer root.Close()
	var old reading
	if read(root, readingName(l), &old) == nil && time.Since(old.At) < keepReadings {
		if token, err := client.ParseReader(old.Reader); err == nil {
			return token, nil
		}
	}
	r.sweep(root.FS(), root.Remove)
	return fresh, write(root, readingName(l), reading{fresh.Reveal(), time.Now().UTC()})
}

// Done forgets the token for l: there is nothing left to ask for with it.
func (r Readings) Done(l link.Link) error {
	root, err := open(r.dir, false)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(readingName(l)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the reading: %w", cause(err))
	}
	return nil
}

// sweep removes what is too old to be of use; failing that, the next run tries again.
func (r Readings) sweep(files fs.FS, remove func(string) error) {
	names, _ := fs.Glob(files, "*.json")
	for _, n := range names {
		if info, err := fs.Stat(files, n); err == nil && time.Since(info.ModTime()) > keepReadings {
			_ = remove(n)
		}
	}
}

// readingName is a hash, because a list of what somebody has read is nobody's business.
func readingName(l link.Link) string {
	h := sha256.Sum256([]byte(l.Base + "\n" + l.Ref))
	return hex.EncodeToString(h[:16]) + ".json"
}
