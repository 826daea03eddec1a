package client

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// Errors of kept secrets as a whole.
var (
	// ErrUnclaimed: without its link nobody opens a secret that nobody has claimed.
	ErrUnclaimed = errors.New("nobody has claimed it yet")
	// ErrNoKey: only who has a key of their own can make or claim a kept secret.
	ErrNoKey = errors.New("there is no key to keep it with")
	// ErrNotText: a claim would show it otherwise than it was.
	ErrNotText = errors.New("its text is not UTF-8, so it cannot be sealed again")
	// ErrUnclaimable: the server turns a claim down although nobody else has claimed. It wants a proof that the maker of the
	// secret, a client of inigma, did not provide for (PROTOCOL 5.1), and will not think better of it.
	ErrUnclaimable = errors.New("the server turned the claim down, and nobody has claimed it")
	// ErrLinkKind: a method for kept secrets was given another link.
	ErrLinkKind = errors.New("the link leads to no kept secret")
)

// KeptDraft is a secret to be kept. It holds everything in clear.
type KeptDraft struct {
	Text     string
	Label    string // readable for the server and for whoever may fetch the secret
	Days     int    // 0: for ever
	Progress Progress
}

// KeptSent is what the maker of a kept secret gets: the link to give away.
type KeptSent struct {
	Link link.Link
	View View
}

// SendKept seals a text under a new key and stores it; o is who may delete it while nobody has claimed it. When it fails,
// nothing is stored, unless ErrMaybeStored is in the error; in that case, too, nobody has the link.
func (c *Client) SendKept(ctx context.Context, o Owner, d KeptDraft) (KeptSent, error) {
	switch {
	case o.Key.IsZero():
		return KeptSent{}, ErrNoKey
	case len(d.Text) > MaxKeptText:
		return KeptSent{}, ErrKeptTooLarge
	}
	key := seal.NewKept()
	d.Progress.report(Sealing, 0, 0)
	sealed, err := key.Seal(d.Text)
	if err != nil {
		return KeptSent{}, wrap("sealing the secret", err)
	}
	if ctx.Err() != nil {
		return KeptSent{}, context.Cause(ctx) // sealing takes time; nothing was sent yet
	}
	n := NewKept{
		Sealed: sealed, Creator: o.UID(), Days: d.Days, Label: d.Label,
		Claim: key.ClaimToken(sealed.Salt), Idempotency: NewIdempotency(),
	}
	v, err := c.Keep(ctx, n, d.Progress)
	if err != nil {
		return KeptSent{}, c.takeBackKept(ctx, n, err)
	}
	l, err := link.NewKept(c.base, v.Reveal(), key)
	if err != nil {
		return KeptSent{}, c.takeBackKept(ctx, n, lostError{wrap("storing the secret", ErrAnswer)})
	}
	return KeptSent{Link: l, View: v}, nil
}

// takeBackKept follows a Keep whose outcome is not known. Only its answer names the secret: so the request is made once more,
// which stores nothing twice, and what it names is deleted.
func (c *Client) takeBackKept(ctx context.Context, n NewKept, cause error) error {
	if !lost(cause) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackWithin)
	defer cancel()
	v, err := c.Keep(ctx, n, nil)
	if err == nil {
		err = c.Delete(ctx, v, n.Creator)
	}
	if err != nil {
		return fmt.Errorf("%w; %w", cause, ErrMaybeStored)
	}
	return cause
}

// KeptReceived is a kept secret that was opened.
type KeptReceived struct {
	View  View
	Text  string
	Label string // as the server gives it
	Owned bool   // its owner is who asked
}

// ReceiveKept opens the secret of a link and changes nothing: it can be done as often as one likes until somebody claims
// it, and by its owner after that.
func (c *Client) ReceiveKept(ctx context.Context, l link.Link, o Owner, p Progress) (KeptReceived, error) {
	got, _, err := c.receiveKept(ctx, l, o, p)
	return got, err
}

func (c *Client) receiveKept(ctx context.Context, l link.Link, o Owner, p Progress) (KeptReceived, wire.KeptSecret, error) {
	key, ok := l.Kept()
	v, err := ParseView(l.Ref)
	switch {
	case !ok || err != nil:
		return KeptReceived{}, wire.KeptSecret{}, ErrLinkKind
	case l.Base != c.base:
		return KeptReceived{}, wire.KeptSecret{}, ErrElsewhere
	}
	s, err := c.fetchKept(ctx, v, o, p)
	if err != nil {
		return KeptReceived{}, s, err
	}
	if s.IsOwner && !o.Key.IsZero() {
		key = o.Key
	}
	got, err := openKept(ctx, v, s, key, p)
	return got, s, err
}

// ReceiveOwned opens a secret that o has claimed.
func (c *Client) ReceiveOwned(ctx context.Context, v View, o Owner, p Progress) (KeptReceived, error) {
	if o.Key.IsZero() {
		return KeptReceived{}, ErrNoKey
	}
	s, err := c.fetchKept(ctx, v, o, p)
	if err != nil {
		return KeptReceived{}, err
	}
	if !s.IsOwner {
		return KeptReceived{}, ErrUnclaimed
	}
	return openKept(ctx, v, s, o.Key, p)
}

// ClaimKept makes the secret of a link o's own: it is opened, sealed again under o's key, and put in its place. After that
// the link opens nothing. What is o's already is only opened.
func (c *Client) ClaimKept(ctx context.Context, l link.Link, o Owner, p Progress) (KeptReceived, error) {
	if o.Key.IsZero() {
		return KeptReceived{}, ErrNoKey
	}
	got, s, err := c.receiveKept(ctx, l, o, p)
	if err != nil || got.Owned {
		return got, err
	}
	if !utf8.ValidString(got.Text) {
		return KeptReceived{}, ErrNotText
	}
	p.report(Sealing, 0, 0)
	own, err := o.Key.Seal(got.Text) // and not keyring.Reseal, which would open once more what is open
	if err != nil {
		return KeptReceived{}, wrap("sealing the claimed secret", err)
	}
	key, _ := l.Kept()
	err = c.Claim(ctx, NewClaim{
		View: got.View, UID: o.UID(), Sealed: own, Token: key.ClaimToken(s.Salt), Revision: s.Revision,
	}, p)
	if Code(err) == CodeOwned {
		// Another run of the same user may have been quicker. It claimed the same text, but what counts is what is there.
		again, e := c.ReceiveOwned(ctx, got.View, o, p)
		switch {
		case e == nil:
			return again, nil
		case errors.Is(e, ErrUnclaimed):
			return KeptReceived{}, wrap("claiming the secret", ErrUnclaimable)
		}
	}
	if err != nil {
		return KeptReceived{}, err
	}
	got.Owned = true
	return got, nil
}

// fetchKept asks under each of the owner's names, because a server gives what is owned to its owner only.
func (c *Client) fetchKept(ctx context.Context, v View, o Owner, p Progress) (s wire.KeptSecret, err error) {
	for _, u := range o.UIDs() {
		if s, err = c.View(ctx, v, u, p); Code(err) != CodeNotOwner {
			break
		}
	}
	return s, err
}

func openKept(ctx context.Context, v View, s wire.KeptSecret, key seal.Kept, p Progress) (KeptReceived, error) {
	p.report(Opening, 0, 0)
	text, err := key.Open(seal.Claimable{Message: s.Message, IV: s.IV, Salt: s.Salt})
	if err != nil {
		return KeptReceived{}, wrap("opening the secret", err)
	}
	if ctx.Err() != nil {
		return KeptReceived{}, context.Cause(ctx)
	}
	return KeptReceived{View: v, Text: text, Label: s.CustomName, Owned: s.IsOwner}, nil
}
