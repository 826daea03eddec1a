package client

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// ackWithin bounds the confirmation: the secret is in hand, and its reader is waiting.
const ackWithin = 10 * time.Second

// Errors of a Reading.
var (
	ErrKind         = errors.New("only one-time links can be opened here")
	ErrElsewhere    = errors.New("the link belongs to another server")
	ErrNoPassphrase = errors.New("the secret is locked with a passphrase")
)

// Reading is how to receive. All fields may be zero.
type Reading struct {
	// Reader of an earlier try, so that it may be finished within its lease; zero makes a new one.
	Reader Reader
	// Passphrase is asked for only when there is one, and again after a wrong one, until it returns an error.
	Passphrase func(context.Context, Ask) (string, error)
	// Save is called after decryption and before the confirmation: while the lease runs, a full disk costs nothing.
	// After its error nothing is confirmed.
	Save     func(Received) error
	Progress Progress
}

// Ask is what is known when a passphrase is asked for.
type Ask struct {
	Again bool // the one before was wrong
	Left  int  // how many tries the server still grants; -1 when it did not say
}

// Received is an opened secret.
type Received struct {
	ID          seal.ID
	Payload     envelope.Payload
	Version     int
	Compatible  bool  // taken by PROTOCOL 4.8: the server erased it before we could open it, there was no lease
	Unconfirmed error // the confirmation failed; the server erases the payload when the lease ends
}

// Fate is what a failed Receive leaves behind.
type Fate int

// Fates.
const (
	Untouched Fate = iota // nothing was opened
	Uncertain             // it may have been opened for our reader token, which may ask again
	Held                  // it is open for our reader token, which may ask again until ReceiveError.Until
	Gone                  // the server has erased it, or may have; there is nothing to ask again (PROTOCOL 4.8)
)

// ReceiveError is an error of Receive with the secret's fate.
type ReceiveError struct {
	Fate  Fate
	Until time.Time
	Err   error
}

func (e *ReceiveError) Error() string { return e.Err.Error() }
func (e *ReceiveError) Unwrap() error { return e.Err }

// reception is one Receive on its way.
type reception struct {
	Reading
	c      *Client
	ref    string
	key    seal.Key
	id     seal.ID
	keys   seal.Keys
	locked bool
	opened Opened
	compat bool
}

// Receive opens the secret of a one-time link: it resolves, opens, decrypts, saves, confirms (PROTOCOL 4.3, 4.4, 4.8, 4.9).
// Errors are *ReceiveError.
func (c *Client) Receive(ctx context.Context, l link.Link, how Reading) (Received, error) {
	r := &reception{Reading: how, c: c, ref: l.Ref}
	var ok bool
	if r.key, ok = l.Key(); !ok || l.Kind != link.OneTime {
		return Received{}, &ReceiveError{Err: ErrKind}
	}
	if l.Base != c.base {
		return Received{}, &ReceiveError{Err: ErrElsewhere}
	}
	if r.Reader.IsZero() {
		r.Reader = NewReader()
	}
	if fate, err := r.fetch(ctx); err != nil {
		return Received{}, &ReceiveError{Fate: fate, Until: r.opened.Until, Err: err}
	}
	got, err := r.decrypt(ctx)
	if err == nil && how.Save != nil {
		err = how.Save(got)
	}
	if err != nil {
		fate := Held
		if r.compat {
			fate = Gone
		}
		return Received{}, &ReceiveError{Fate: fate, Until: r.opened.Until, Err: err}
	}
	if !r.compat {
		// From here on the secret counts as read, so Ctrl-C must not leave it unconfirmed.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackWithin)
		defer cancel()
		got.Unconfirmed = c.Ack(ctx, r.id, r.keys.LinkToken(), r.Reader)
	}
	return got, nil
}

// fetch gets the payload, by whichever dialect has it.
func (r *reception) fetch(ctx context.Context) (Fate, error) {
	var err error
	if r.id, err = seal.ParseID(r.ref); err != nil {
		r.id, err = r.c.Resolve(ctx, r.ref)
	}
	if errors.Is(err, ErrForeign) {
		return r.take(ctx, err)
	}
	if err != nil {
		return Untouched, err
	}
	err = r.open(ctx)
	switch {
	case err == nil:
		return Held, nil
	case status(err) == http.StatusNotFound:
		return r.take(ctx, err) // it may be one of PROTOCOL 4.8, which no link token opens
	case !r.opened.Until.IsZero():
		return Held, err
	case lost(err):
		return Uncertain, err
	}
	return Untouched, err
}

// take reads and erases by PROTOCOL 4.8. When nothing is there, the earlier error says it better.
func (r *reception) take(ctx context.Context, earlier error) (Fate, error) {
	id, sealed, err := r.c.CompatTake(ctx, r.ref)
	switch {
	case err == nil:
		r.id, r.opened, r.compat = id, Opened{Payload: sealed}, true
		r.keys, r.locked = r.key.Keys(id), false
		return Gone, nil
	case status(err) == http.StatusNotFound && errors.Is(earlier, ErrForeign):
		return Untouched, err
	case errors.Is(err, ErrForeign):
		return Untouched, earlier
	case lost(err):
		return Gone, err
	case status(err) != 0:
		return Untouched, earlier
	}
	return Untouched, err
}

// open asks for the passphrase only when the server does, and as often as it is wrong.
func (r *reception) open(ctx context.Context) error {
	r.keys = r.key.Keys(r.id)
	var proof seal.Token
	for {
		var err error
		r.opened, err = r.c.Open(ctx, r.id, r.keys.LinkToken(), r.Reader, proof, r.Progress)
		if code := Code(err); code != wire.CodePassphraseRequired && code != wire.CodePassphraseWrong {
			return err
		}
		ask := Ask{Again: r.locked, Left: -1}
		if e, ok := errors.AsType[*Error](err); ok && e.AttemptsLeft != nil {
			ask.Left = *e.AttemptsLeft
		}
		if err := r.unlock(ctx, ask); err != nil {
			return err
		}
		proof, _ = r.keys.PassphraseToken()
	}
}

func (r *reception) unlock(ctx context.Context, ask Ask) error {
	if r.Passphrase == nil {
		return ErrNoPassphrase
	}
	p, err := r.Passphrase(ctx, ask)
	if err != nil {
		return err
	}
	r.Progress.report(Stretching, 0, 0)
	keys, err := r.key.LockedKeys(r.id, p)
	if err != nil {
		return err
	}
	r.keys, r.locked = keys, true
	return ctx.Err()
}

// decrypt opens in place. A payload that says it is locked although the server asked for nothing was made by a client
// that sent no passphrase hash: then only decryption can tell a wrong passphrase, so a copy is opened.
func (r *reception) decrypt(ctx context.Context) (Received, error) {
	r.Progress.report(Opening, 0, 0)
	got := Received{ID: r.id, Compatible: r.compat}
	var err error
	if got.Version, err = seal.Version(r.opened.Payload); err != nil {
		return Received{}, err
	}
	if r.locked || !seal.NeedsPassphrase(r.opened.Payload) {
		got.Payload, err = r.keys.Open(r.opened.Payload)
		return got, err
	}
	for {
		if err := r.unlock(ctx, Ask{Again: r.locked, Left: -1}); err != nil {
			return Received{}, err
		}
		got.Payload, err = r.keys.Open(bytes.Clone(r.opened.Payload))
		if !errors.Is(err, seal.ErrOpen) {
			return got, err
		}
	}
}
