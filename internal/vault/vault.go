package vault

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Vault answers for the secrets of one Store. Its methods may be called by many goroutines.
// Their errors are all *Error.
type Vault struct {
	store   Store
	names   namer
	maxTTL  time.Duration
	strict  bool
	refused tally
	bell    bell

	hurry   sync.Once
	hurried chan struct{} // closed by Hurry
}

// Options of a Vault.
type Options struct {
	// Key makes the names that the server chooses. It must stay the same as long as the store's content does.
	Key [32]byte
	// MaxTTL narrows the lifetimes that are accepted; 0 is MaxTTL.
	MaxTTL time.Duration
	// Strict refuses claims that prove nothing: seed B's own clients can then read and list, but not claim (PROTOCOL 5.1).
	Strict bool
}

// New gives the Vault over a store.
func New(store Store, o Options) *Vault {
	if o.MaxTTL == 0 {
		o.MaxTTL = MaxTTL
	}
	return &Vault{store: store, names: namer{o.Key}, maxTTL: o.MaxTTL, strict: o.Strict, hurried: make(chan struct{})}
}

// MaxTTL is the longest lifetime that Create accepts.
func (v *Vault) MaxTTL() time.Duration { return v.maxTTL }

// Ref names a secret by id or by alias (PROTOCOL 4).
type Ref struct {
	alias Alias
	id    ID
	byID  bool
}

// Ref reads either name; false if s has the form of neither.
func (v *Vault) Ref(s string) (Ref, bool) {
	if id, ok := ParseID(s); ok {
		return Ref{alias: v.names.alias(id), id: id, byID: true}, true
	}
	a, ok := ParseAlias(s)
	return Ref{alias: a}, ok
}

// Create keeps a secret (PROTOCOL 4.1). The second result is false if this very request was answered before.
func (v *Vault) Create(ctx context.Context, d Draft, payload io.Reader) (Secret, bool, error) {
	if d.TTL < MinTTL || d.TTL > v.maxTTL {
		return Secret{}, false, &Error{Kind: KindLifetime}
	}
	if v.names.isDecoy(d.ID) {
		return Secret{}, false, &Error{Kind: KindConflict}
	}
	d.alias = v.names.alias(d.ID)
	s, created, err := v.store.Put(ctx, d, payload)
	return s, created, refusal(err)
}

// Resolve gives the id behind a name, which an opener must know to prove that it has the link (PROTOCOL 4.9).
// A name that nobody uses has an id too, a decoy: the answer says nothing about what exists.
func (v *Vault) Resolve(ctx context.Context, r Ref) (ID, error) {
	if r.byID {
		return r.id, nil
	}
	s, err := v.store.Get(ctx, r.alias, named(r, look))
	if err = refusal(err); errors.Is(err, errNotFound) {
		return v.names.decoy(r.alias), nil
	}
	return s.ID, err
}

// Meta describes a secret to a holder of its link and changes nothing (PROTOCOL 4.2).
func (v *Vault) Meta(ctx context.Context, r Ref, link Hash) (Secret, error) {
	s, err := v.store.Get(ctx, r.alias, named(r, withLink(link, look)))
	return s, refusal(err)
}

// Open hands the payload to the first reader, and to that reader again while its lease lasts (PROTOCOL 4.3).
// A zero passphrase hash means that none was given.
func (v *Vault) Open(ctx context.Context, r Ref, link, reader, passphrase Hash) (Secret, io.ReadCloser, error) {
	s, payload, err := v.store.Take(ctx, r.alias, v.telling(named(r, withLink(link, open(reader, passphrase)))))
	if err == error(errRefused) { //nolint:errorlint // this very value: its kind alone would not say that a secret exists
		v.refused.add(r.alias)
	}
	return s, payload, refusal(err)
}

// Ack erases the payload: its reader has it (PROTOCOL 4.4).
func (v *Vault) Ack(ctx context.Context, r Ref, link, reader Hash) error {
	return v.update(ctx, r, withLink(link, ack(reader)))
}

// Decline erases a secret that its recipient did not expect (PROTOCOL 4.4).
func (v *Vault) Decline(ctx context.Context, r Ref, link Hash) error {
	return v.update(ctx, r, withLink(link, decline))
}

// Revoke erases a secret that nobody has opened yet, for its sender (PROTOCOL 4.5).
func (v *Vault) Revoke(ctx context.Context, r Ref, manage Hash) error {
	return v.update(ctx, r, withManage(manage, revoke))
}

func (v *Vault) update(ctx context.Context, r Ref, rule Rule) error {
	_, err := v.store.Update(ctx, r.alias, v.telling(named(r, rule)))
	return refusal(err)
}

// Status tells the sender what became of a secret (PROTOCOL 4.5).
func (v *Vault) Status(ctx context.Context, r Ref, manage Hash) (Secret, error) {
	s, err := v.store.Get(ctx, r.alias, named(r, withManage(manage, look)))
	s.Refused += v.refused.pending(r.alias)
	return s, refusal(err)
}

// TakeUnguarded reads and removes a secret of an only-once-share client in one step (PROTOCOL 4.8).
func (v *Vault) TakeUnguarded(ctx context.Context, r Ref) (Secret, io.ReadCloser, error) {
	s, payload, err := v.store.Take(ctx, r.alias, named(r, takeUnguarded))
	return s, payload, refusal(err)
}

// Inspect touches the store.
func (v *Vault) Inspect(ctx context.Context) (Inspection, error) {
	if i, ok := v.store.(Inspector); ok {
		report, err := i.Inspect(ctx)
		return report, refusal(err)
	}
	_, err := v.store.Get(ctx, 0, look)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return Inspection{}, refusal(err)
}

const (
	sweepEvery = 10 * time.Second // a lease that ran out is off the disk well within the 60 s of PROTOCOL 4.7
	sweepBatch = 200              // records a step: no writer waits longer than these take
)

// Hurry ends all waiting in Events, now and from now on: a server that is about to stop would wait for its pollers.
func (v *Vault) Hurry() { v.hurry.Do(func() { close(v.hurried) }) }

// Run keeps the house clean until ctx ends: it settles what time has changed and counts refused opens.
func (v *Vault) Run(ctx context.Context, log *slog.Logger) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := v.Sweep(ctx); err != nil && ctx.Err() == nil {
			log.Warn("sweeping", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			// Only a crash may lose counts (PROTOCOL 4.5).
			if err := v.refused.flush(context.WithoutCancel(ctx), v.store); err != nil {
				log.Warn("counting refused opens", slog.Any("err", err))
			}
			return
		case <-tick.C:
		}
	}
}

// Sweep settles every secret that is due, and drops events that nobody fetched.
func (v *Vault) Sweep(ctx context.Context) error {
	if err := v.refused.flush(ctx, v.store); err != nil {
		return refusal(err)
	}
	for {
		n, err := v.store.Sweep(ctx, sweepBatch, v.telling(Settle))
		if err != nil {
			return refusal(err)
		}
		if n < sweepBatch {
			return v.sweepEvents(ctx)
		}
	}
}
