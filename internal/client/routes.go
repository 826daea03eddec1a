package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// Limits of PROTOCOL 4.1.
const (
	MinTTL = 60 * time.Second
	MaxTTL = 31_536_000 * time.Second
)

// NewSecret is what Create sends. Of the tokens only hashes leave this machine; a zero token is left out.
type NewSecret struct {
	ID                       seal.ID
	Payload                  []byte
	Link, Manage, Passphrase seal.Token
	TTL                      time.Duration // 0: the server's default
}

// Create stores a payload (PROTOCOL 4.1). A lost answer is made up for by sending the same again: id, hashes and
// bytes are the same, so the server stores it once. 409 therefore never means "already done".
func (c *Client) Create(ctx context.Context, s NewSecret, progress Progress) (wire.Created, error) {
	switch {
	case len(s.Payload) > MaxPayload:
		return wire.Created{}, ErrTooLarge
	case s.TTL != 0 && (s.TTL < MinTTL || s.TTL > MaxTTL):
		return wire.Created{}, ErrTTL
	}
	h := http.Header{"Content-Type": {wire.PayloadType}}
	for name, token := range map[string]seal.Token{
		wire.HeaderLinkHash: s.Link, wire.HeaderManageHash: s.Manage, wire.HeaderPassphraseHash: s.Passphrase,
	} {
		if !token.IsZero() {
			h.Set(name, token.HashText())
		}
	}
	if s.TTL != 0 {
		h.Set(wire.HeaderExpiresIn, strconv.FormatInt(int64(s.TTL/time.Second), 10))
	}
	var created wire.Created
	err := c.do(ctx, call{
		doing: "storing the secret", method: http.MethodPut, path: ref(string(s.ID), ""), header: h, body: s.Payload,
		progress: func(done, total int64) { progress.report(Uploading, done, total) },
		into:     &created,
	})
	return created, err
}

// Resolve gives the id behind an alias (PROTOCOL 4.9). It says nothing about existence: an unknown alias has an id, too.
// A server without this route gives ErrForeign.
func (c *Client) Resolve(ctx context.Context, alias string) (seal.ID, error) {
	const doing = "looking up the secret"
	var r wire.Resolved
	err := c.do(ctx, call{doing: doing, method: http.MethodGet, path: ref(alias, "/id"), into: &r})
	if s := status(err); errors.Is(err, ErrAnswer) || s == http.StatusNotFound || s == http.StatusMethodNotAllowed {
		return "", wrap(doing, ErrForeign)
	}
	if err != nil {
		return "", err
	}
	id, err := seal.ParseID(r.ID)
	if err != nil {
		return "", wrap(doing, ErrForeign)
	}
	return id, nil
}

// Meta looks at a secret without opening it (PROTOCOL 4.2).
func (c *Client) Meta(ctx context.Context, id seal.ID, link seal.Token) (wire.Meta, error) {
	var m wire.Meta
	err := c.do(ctx, call{doing: "looking at the secret", method: http.MethodGet, path: ref(string(id), "/meta"), token: link, into: &m})
	return m, err
}

// Ack confirms a reading; the server erases the payload (PROTOCOL 4.4).
func (c *Client) Ack(ctx context.Context, id seal.ID, link seal.Token, r Reader) error {
	return c.do(ctx, call{
		doing: "confirming the reading", method: http.MethodPost, path: ref(string(id), "/ack"), token: link,
		header: jsonHeader(), body: encode(wire.AckRequest{Reader: wire.Token(r.Reveal())}),
	})
}

// Decline erases a secret unread and tells its sender (PROTOCOL 4.4).
func (c *Client) Decline(ctx context.Context, id seal.ID, link seal.Token) error {
	err := c.do(ctx, call{doing: "declining the secret", method: http.MethodPost, path: ref(string(id), "/decline"), token: link})
	return unless(err, wire.StateDeclined)
}

// Status tells the sender what became of a secret (PROTOCOL 4.5).
func (c *Client) Status(ctx context.Context, id seal.ID, manage seal.Token) (wire.Status, error) {
	var s wire.Status
	err := c.do(ctx, call{doing: "asking for the status", method: http.MethodGet, path: ref(string(id), "/status"), token: manage, into: &s})
	return s, err
}

// Revoke erases a secret (PROTOCOL 4.5); one that is revoked already stays so.
func (c *Client) Revoke(ctx context.Context, id seal.ID, manage seal.Token) error {
	err := c.do(ctx, call{doing: "revoking the secret", method: http.MethodDelete, path: ref(string(id), ""), token: manage})
	return unless(err, wire.StateRevoked)
}

// Health reports whether the server answers and is well (PROTOCOL 4.8).
func (c *Client) Health(ctx context.Context) error {
	const doing = "asking for the server's health"
	var h struct {
		Status string `json:"status"`
	}
	err := c.do(ctx, call{doing: doing, method: http.MethodGet, path: "/api/health", into: &h})
	if err == nil && h.Status != "ok" {
		return wrap(doing, ErrForeign)
	}
	return err
}

// unless forgives a refusal whose code says that what was asked for is so already: after a lost answer it is our own doing.
func unless(err error, state string) error {
	if err != nil && Code(err) == state {
		return nil
	}
	return err
}

func ref(r, route string) string { return "/api/secrets/" + url.PathEscape(r) + route }

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings always marshal
	}
	return b
}
