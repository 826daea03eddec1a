package vault

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Event tells the holder of an API key what became of a secret that was made with it (PROTOCOL 6.3).
type Event struct {
	ID      string // the store's, unique among the creator's
	Type    string
	At      Time
	Creator string // the API key's name
	Context []byte // what the creator gave with the secret
	Secret  ID
}

const (
	eventTime = TombstoneTime    // how long an event is kept
	hideTime  = 60 * time.Second // how long it is another poller's
	pollEvery = time.Second      // events of other servers on the same store are found by asking
	maxEvents = 100              // an answer
	// MaxContext is the largest context, in bytes.
	MaxContext = 4 << 10
)

// EventStore is what a Store adds to keep events. It writes what [Happened] gives in the same step as the change
// that made it happen.
type EventStore interface {
	// Events hands out at most limit of creator's events, oldest first, and gives them to nobody else for hide.
	Events(ctx context.Context, creator string, limit int, hide time.Duration) ([]Event, error)
	// AckEvents drops events of creator. Unknown ids are no error: an ack may be repeated.
	AckEvents(ctx context.Context, creator string, ids []string) error
	// SweepEvents drops at most limit events from before a time, and returns how many.
	SweepEvents(ctx context.Context, limit int, keep time.Duration) (int, error)
}

// Happened says what a change means to the creator of the secret; false if nothing to tell. That a secret was
// revoked is no news to the one who did it.
func Happened(before, after *Secret) (Event, bool) {
	if after.Creator == "" || before.State == after.State {
		return Event{}, false
	}
	e := Event{Creator: after.Creator, Context: []byte(after.Context), Secret: after.ID, At: after.Ended}
	switch after.State {
	case Leased:
		e.Type, e.At = "secret.opened", after.Opened
	case Read, Unconfirmed, Declined, Expired, Locked:
		e.Type = "secret." + after.State.String()
	default:
		return Event{}, false
	}
	return e, true
}

// errNoEvents says that the store keeps none.
var errNoEvents = errors.New("this store keeps no events")

// Events gives what happened to creator's secrets, oldest first, at least once each; it waits for the first of
// them at most for wait (PROTOCOL 6.3).
func (v *Vault) Events(ctx context.Context, creator string, wait time.Duration) ([]Event, error) {
	store, ok := v.store.(EventStore)
	if !ok {
		return nil, refusal(errNoEvents)
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		rung := v.bell.next()
		events, err := store.Events(ctx, creator, maxEvents, hideTime)
		if err != nil || len(events) > 0 || wait == 0 {
			return events, refusal(err)
		}
		poll := time.NewTimer(pollEvery)
		select {
		case <-rung:
		case <-poll.C:
		case <-end.C:
			wait = 0
		case <-v.hurried:
			wait = 0
		case <-ctx.Done():
			poll.Stop()
			return nil, refusal(ctx.Err())
		}
		poll.Stop()
	}
}

// AckEvents drops events that were dealt with.
func (v *Vault) AckEvents(ctx context.Context, creator string, ids []string) error {
	store, ok := v.store.(EventStore)
	if !ok {
		return refusal(errNoEvents)
	}
	return refusal(store.AckEvents(ctx, creator, ids))
}

func (v *Vault) sweepEvents(ctx context.Context) error {
	store, ok := v.store.(EventStore)
	for ok {
		n, err := store.SweepEvents(ctx, sweepBatch, eventTime)
		if err != nil || n < sweepBatch {
			return refusal(err)
		}
	}
	return nil
}

// telling rings the bell if rule may have made an event. It rings before the store has written it, which wakes
// a poller too early at worst.
func (v *Vault) telling(rule Rule) Rule {
	return func(now Time, s *Secret) error {
		before := *s
		err := rule(now, s)
		if _, ok := Happened(&before, s); ok {
			v.bell.ring()
		}
		return err
	}
}

// bell wakes everybody who waits, once.
type bell struct {
	mu   sync.Mutex
	wake chan struct{}
}

func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake == nil {
		b.wake = make(chan struct{})
	}
	return b.wake
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wake != nil {
		close(b.wake)
		b.wake = nil
	}
}
