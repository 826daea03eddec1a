package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
)

// Errors of Find.
var (
	ErrUnknown   = errors.New("no secret that was sent from here has this short id")
	ErrAmbiguous = errors.New("several secrets have a short id that begins so")
)

// Entry is one secret that was sent from here.
type Entry struct {
	ID      seal.ID
	Alias   string // the short id
	Server  string
	Manage  seal.Token
	Created time.Time
	Expires time.Time
}

// record is an Entry as it is written. Server names it by id, people by alias.
type record struct {
	ID          string    `json:"id"`
	Alias       string    `json:"alias"`
	Server      string    `json:"server"`
	ManageToken string    `json:"manage_token"`
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// Sent is the folder of manage tokens, one file a secret.
type Sent struct{ dir string }

// NewSent uses the folder "sent" within dir; it is made with the first entry.
func NewSent(dir string) Sent { return Sent{filepath.Join(dir, "sent")} }

// Put keeps an entry. Its file is named by the id and not by the alias, of which two may differ in case only.
func (s Sent) Put(e Entry) error {
	root, err := open(s.dir, true)
	if err != nil {
		return err
	}
	defer root.Close()
	return write(root, name(e.ID), record{string(e.ID), e.Alias, e.Server, e.Manage.Reveal(), e.Created.UTC(), e.Expires.UTC()})
}

// Remove forgets an entry; one that is forgotten already stays so.
func (s Sent) Remove(e Entry) error {
	root, err := open(s.dir, false)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name(e.ID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cause(err)
	}
	return nil
}

// List gives all entries, newest first, and how many files could not be read.
func (s Sent) List() (entries []Entry, damaged int, err error) {
	root, err := open(s.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), "*.json")
	if err != nil {
		return nil, 0, cause(err)
	}
	for _, n := range names {
		var r record
		err := read(root, n, &r)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run has just removed it
		}
		e, ok := r.entry()
		if err != nil || !ok || n != name(e.ID) {
			damaged++
			continue
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b Entry) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return entries, damaged, nil
}

// entry checks what was read: the server becomes an address that a token is sent to.
func (r record) entry() (Entry, bool) {
	id, err1 := seal.ParseID(r.ID)
	token, err2 := seal.ParseToken(r.ManageToken)
	base, err3 := link.ParseBase(r.Server)
	ok := err1 == nil && err2 == nil && err3 == nil && r.Alias != ""
	return Entry{id, r.Alias, base, token, r.CreatedAt, r.ExpiresAt}, ok
}

// Find gives the entry whose short id (or id) is, or alone begins with, prefix.
func (s Sent) Find(prefix string) (Entry, error) {
	entries, _, err := s.List()
	if err != nil {
		return Entry{}, fmt.Errorf("reading the list of what was sent: %w", err)
	}
	var found []Entry
	for _, e := range entries {
		if e.Alias == prefix || string(e.ID) == prefix {
			return e, nil
		}
		if prefix != "" && (strings.HasPrefix(e.Alias, prefix) || strings.HasPrefix(string(e.ID), prefix)) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, ErrUnknown
	case 1:
		return found[0], nil
	}
	return Entry{}, ErrAmbiguous
}

func name(id seal.ID) string { return string(id) + ".json" }
