package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
)

// takeBackWithin is how long Send tries to undo what may have happened, also after its context has ended.
const takeBackWithin = 5 * time.Second

// Errors of a Draft.
var (
	ErrVersion       = errors.New("the format is 1 or 2")
	ErrNoPassphrase1 = errors.New("format 1 knows no passphrase")
)

// Draft is a secret to be sent. It holds everything in clear.
type Draft struct {
	Payload    envelope.Payload
	Passphrase string        // empty: none
	TTL        time.Duration // 0: the server's default
	Version    int           // of the payload, PROTOCOL 2.2 and 2.3; 0 means 2
	Lang       string        // of the page that the link opens; may be empty
	Progress   Progress      // may be nil
}

// Sent is what the sender keeps: the link to give away and the token to manage by.
type Sent struct {
	Link        link.Link
	ID          seal.ID
	Alias       string
	ManageToken seal.Token
	ExpiresAt   time.Time
}

// Send seals a draft under a new key and stores it. When it fails, nothing is stored, unless ErrMaybeStored is in the
// error; in that case, too, nobody has the link.
func (c *Client) Send(ctx context.Context, d Draft) (Sent, error) {
	key, s := seal.NewKey(), NewSecret{ID: seal.NewID(), Manage: seal.NewToken(), TTL: d.TTL}
	keys, err := d.keys(key, s.ID)
	if err != nil {
		return Sent{}, err
	}
	if s.Payload, err = d.seal(keys); err != nil {
		return Sent{}, err
	}
	s.Link = keys.LinkToken()
	s.Passphrase, _ = keys.PassphraseToken()
	if err := ctx.Err(); err != nil {
		return Sent{}, context.Cause(ctx) // stretching and sealing take time; nothing was sent yet
	}
	created, err := c.Create(ctx, s, d.Progress)
	if err != nil {
		return Sent{}, c.takeBack(ctx, s, err)
	}
	l, err := link.NewOneTime(c.base, created.Alias, key)
	if err != nil || created.ID != string(s.ID) {
		return Sent{}, c.takeBack(ctx, s, lostError{wrap("storing the secret", ErrAnswer)})
	}
	l.Lang = d.Lang
	return Sent{Link: l, ID: s.ID, Alias: created.Alias, ManageToken: s.Manage, ExpiresAt: created.ExpiresAt}, nil
}

func (d Draft) keys(key seal.Key, id seal.ID) (seal.Keys, error) {
	if d.Passphrase == "" {
		return key.Keys(id), nil
	}
	if d.Version == 1 {
		return seal.Keys{}, ErrNoPassphrase1
	}
	d.Progress.report(Stretching, 0, 0)
	return key.LockedKeys(id, d.Passphrase)
}

// seal writes version 1 only where it is asked for; that, too, gets a link hash (PROTOCOL 2.4, last sentence).
func (d Draft) seal(keys seal.Keys) ([]byte, error) {
	n, err := d.Payload.Size()
	if err != nil {
		return nil, wrap("packing the secret", err)
	}
	if n > MaxPayload {
		return nil, ErrTooLarge
	}
	d.Progress.report(Sealing, 0, 0)
	var sealed []byte
	switch d.Version {
	case 0, 2:
		sealed, err = keys.Seal(d.Payload)
	case 1:
		sealed, err = keys.SealV1(d.Payload)
	default:
		err = ErrVersion
	}
	if err != nil {
		return nil, wrap("sealing the secret", err)
	}
	return sealed, nil
}

// takeBack follows a create whose outcome is not known. A cancelled context must not stop it: that the sender
// pressed Ctrl-C is the very case. 404 means that nothing arrived.
func (c *Client) takeBack(ctx context.Context, s NewSecret, cause error) error {
	if !lost(cause) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBackWithin)
	defer cancel()
	err := c.Revoke(ctx, s.ID, s.Manage)
	if err == nil || status(err) == http.StatusNotFound {
		return cause
	}
	return fmt.Errorf("%w; %w", cause, ErrMaybeStored)
}
