package vault

import (
	"context"
	"io"
	"time"
)

// Draft is what a client says of a secret it wants kept. Zero hashes guard nothing.
type Draft struct {
	ID                       ID
	Type                     Type
	Link, Manage, Passphrase Hash
	TTL                      time.Duration // 0, of a kept secret: it does not expire
	Creator                  string        // name of the API key, or ""
	Context                  string        // at most MaxContext bytes
	Keeping

	alias Alias
}

// Alias is the name that the vault gave it.
func (d *Draft) Alias() Alias { return d.alias }

// Secret gives the record of a draft that a store accepts at now, with a payload of size bytes.
func (d *Draft) Secret(now Time, size int64) Secret {
	s := Secret{
		ID: d.ID, Alias: d.alias, Type: d.Type, Size: size, State: Waiting,
		Link: d.Link, Manage: d.Manage, Passphrase: d.Passphrase, Creator: d.Creator, Context: d.Context, Keeping: d.Keeping,
		Created: now, Expires: now.Add(d.TTL),
	}
	if d.TTL == 0 && d.Type == Kept {
		s.Expires = Never
	}
	return s
}

// Store keeps secrets. Each verb is atomic and, once it has returned nil, durable as far as the engine can be
// (PROTOCOL 4.7). The store's own clock feeds the rules: with several servers on one store there must be one.
//
// Get, Update, Replace and Take answer with the record as it stands afterwards, also beside a rule's error, and with
// [ErrNotFound] if there is none under that alias. Package storetest holds the contract.
type Store interface {
	// Put keeps a new secret and its payload, reading payload to its end; if reading fails, nothing is kept.
	// If the alias is taken, it compares: the same creation (SameCreation, and equal payload bytes)
	// gives the record and false, anything else ErrConflict; a record that is Gone is in nobody's way. No room gives
	// ErrFull.
	Put(ctx context.Context, d Draft, payload io.Reader) (Secret, bool, error)

	// Get runs rule on a copy, and keeps nothing of what it changed.
	Get(ctx context.Context, a Alias, rule Rule) (Secret, error)

	// Update runs rule and keeps what it changed, also beside its error. The payload of a secret that is no
	// longer Held is erased in the same step. A change never copies a payload.
	Update(ctx context.Context, a Alias, rule Rule) (Secret, error)

	// Replace is Update that keeps payload in the place of the old one if rule returns nil and the secret is Held
	// afterwards, and sets its Size. It reads payload to its end first; if that fails, nothing happens. No room
	// gives ErrFull.
	Replace(ctx context.Context, a Alias, rule Rule, payload io.Reader) (Secret, error)

	// Take is Update that hands out the payload if rule returns nil, even if it is erased in the same step.
	// The caller closes it. ErrNotFound beside a Held secret does not occur.
	Take(ctx context.Context, a Alias, rule Rule) (Secret, io.ReadCloser, error)

	// Sweep runs rule on at most limit secrets that are Due, keeps what it changed, and drops those that are
	// Forgotten. It returns how many it ran on.
	Sweep(ctx context.Context, limit int, rule Rule) (int, error)

	// List gives the records that are Listed in list, the newest first, at most limit of them after the first skip,
	// and how many there are in all. What left the list by time alone is not among them. Records made in the same
	// millisecond come in any order, but always in the same.
	List(ctx context.Context, list Hash, skip, limit int) ([]Secret, int, error)
}

// Listed says in which list a record is now, and when it will leave it by time alone; a zero Hash is none.
func Listed(s *Secret) (list Hash, until Time) {
	switch {
	case s.Type == Kept && s.State == Waiting && !s.Author.IsZero():
		return pendingOf(s.Author), s.Expires
	case s.Type == Kept && s.State == Claimed:
		return ownedBy(s.Owner), s.Expires
	default:
		return Hash{}, 0
	}
}

// The names of lists are as hard to guess as the server's key, because a User is.
func pendingOf(user Hash) Hash { return HashOf(append([]byte("pending:"), user[:]...)) }
func ownedBy(user Hash) Hash   { return HashOf(append([]byte("owned:"), user[:]...)) }

// Inspector is what a Store may add for its operator: it touches the engine and says what the engine's
// settings promise (PROTOCOL 4.7).
type Inspector interface {
	Inspect(ctx context.Context) (Inspection, error)
}

// Inspection describes a store that works.
type Inspection struct {
	Engine  string `json:"engine"`            // "sqlite 3.54.1"
	Promise string `json:"promise"`           // what survives what
	Warning string `json:"warning,omitempty"` // what the operator should mend
}
