package vault

import (
	"context"
	"io"
	"time"
)

// Draft is what a client says of a secret it wants kept. Zero hashes guard nothing.
type Draft struct {
	ID                       ID
	Link, Manage, Passphrase Hash
	TTL                      time.Duration
	Creator                  string // name of the API key, or ""
	Context                  string // at most MaxContext bytes

	alias Alias
}

// Alias is the name that the vault gave it.
func (d *Draft) Alias() Alias { return d.alias }

// Secret gives the record of a draft that a store accepts at now, with a payload of size bytes.
func (d *Draft) Secret(now Time, size int64) Secret {
	return Secret{
		ID: d.ID, Alias: d.alias, Size: size, State: Waiting,
		Link: d.Link, Manage: d.Manage, Passphrase: d.Passphrase, Creator: d.Creator, Context: d.Context,
		Created: now, Expires: now.Add(d.TTL),
	}
}

// Store keeps secrets. Each verb is atomic and, once it has returned nil, durable as far as the engine can be
// (PROTOCOL 4.7). The store's own clock feeds the rules: with several servers on one store there must be one.
//
// Get, Update and Take answer with the record as it stands afterwards, also beside a rule's error, and with
// [ErrNotFound] if there is none under that alias. Package storetest holds the contract.
type Store interface {
	// Put keeps a new secret and its payload, reading payload to its end; if reading fails, nothing is kept.
	// If the alias is taken, it compares: the same creation (SameCreation, and equal payload bytes)
	// gives the record and false, anything else ErrConflict. No room gives ErrFull.
	Put(ctx context.Context, d Draft, payload io.Reader) (Secret, bool, error)

	// Get runs rule on a copy, and keeps nothing of what it changed.
	Get(ctx context.Context, a Alias, rule Rule) (Secret, error)

	// Update runs rule and keeps what it changed, also beside its error. The payload of a secret that is no
	// longer Held is erased in the same step. A change never copies a payload.
	Update(ctx context.Context, a Alias, rule Rule) (Secret, error)

	// Take is Update that hands out the payload if rule returns nil, even if it is erased in the same step.
	// The caller closes it. ErrNotFound beside a Held secret does not occur.
	Take(ctx context.Context, a Alias, rule Rule) (Secret, io.ReadCloser, error)

	// Sweep runs rule on at most limit secrets that are Due, keeps what it changed, and drops those that are
	// Forgotten. It returns how many it ran on.
	Sweep(ctx context.Context, limit int, rule Rule) (int, error)

	// Close waits for what is under way.
	Close() error
}

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
