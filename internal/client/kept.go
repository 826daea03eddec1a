package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// Limits of PROTOCOL 5.
const (
	// MaxKeptText is how many bytes of text a kept secret holds: 2 MiB of base64, less the tag.
	MaxKeptText = 2<<20/4*3 - 16
	// MaxKeptDays is its longest lifetime; 0 days are for ever.
	MaxKeptDays = 365
	// MaxPerPage is the longest page of a list.
	MaxPerPage = 100
)

// Errors of kept secrets.
var (
	ErrKeptTooLarge = fmt.Errorf("a kept secret holds %d bytes of text at most", MaxKeptText)
	ErrKeptTTL      = fmt.Errorf("a kept secret lives for 1 to %d days, or for ever", MaxKeptDays)
	// ErrMaybeClaimed is joined to an error of Claim and ClaimKept when the server may have carried it out.
	ErrMaybeClaimed = errors.New("it may have been claimed")
)

// NewKept is what Keep sends. Of the claim token only its hash leaves this machine; a zero one is left out, and then
// everybody who knows the View can claim.
type NewKept struct {
	Sealed  seal.Claimable
	Creator UID
	Days    int    // 0: for ever
	Label   string // readable for the server
	Claim   seal.Token

	// Idempotency names the request: the same again has the same answer for a day. Empty: Keep makes one, which serves
	// its own retries.
	Idempotency string
}

// NewIdempotency makes a name for a request.
func NewIdempotency() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Keep stores a kept secret. A lost answer is made up for by sending the same again under the same idempotency key.
func (c *Client) Keep(ctx context.Context, n NewKept, progress Progress) (View, error) {
	switch {
	case len(n.Sealed.Message) > 2<<20:
		return "", ErrKeptTooLarge
	case n.Days < 0 || n.Days > MaxKeptDays:
		return "", ErrKeptTTL
	}
	body := wire.KeepRequest{
		Message: n.Sealed.Message, IV: n.Sealed.IV, Salt: n.Sealed.Salt,
		CreatorUID: wire.Token(n.Creator), TTL: &n.Days, CustomName: n.Label, IdempotencyKey: n.Idempotency,
	}
	if body.IdempotencyKey == "" {
		body.IdempotencyKey = NewIdempotency()
	}
	if !n.Claim.IsZero() {
		body.ClaimHash = n.Claim.HashText()
	}
	var made wire.KeptCreated
	const doing = "storing the secret"
	err := c.keptCall(ctx, keptCall{doing: doing, route: "create", body: body, into: &made, limit: maxJSON, progress: progress})
	if err != nil {
		return "", err
	}
	v, err := ParseView(made.View)
	if err != nil {
		return "", lostError{wrap(doing, ErrAnswer)}
	}
	return v, nil
}

// View fetches a kept secret for a user. It changes nothing and may be repeated.
func (c *Client) View(ctx context.Context, v View, u UID, progress Progress) (wire.KeptSecret, error) {
	var s wire.KeptSecret
	const doing = "fetching the secret"
	err := c.keptCall(ctx, keptCall{
		doing: doing, route: "view", body: wire.ViewRequest{View: v.Reveal(), UID: wire.Token(u)},
		into: &s, limit: maxKept, progress: progress,
	})
	if err == nil && s.Message == "" {
		err = wrap(doing, ErrAnswer)
	}
	return s, err
}

// NewClaim is what Claim sends: the message, sealed again under the claimer's own key.
type NewClaim struct {
	View     View
	UID      UID
	Sealed   seal.Claimable
	Token    seal.Token // zero: none
	Revision int        // which the claimer has read
}

// Claim makes a user the owner of a secret. One claim wins. Where an answer is lost, the retry is turned down as any second
// claim is; so a refusal counts only when the server does not hold what was sent.
func (c *Client) Claim(ctx context.Context, n NewClaim, progress Progress) error {
	const doing = "claiming the secret"
	body := wire.ClaimRequest{
		View: n.View.Reveal(), UID: wire.Token(n.UID), Message: n.Sealed.Message, IV: n.Sealed.IV, Salt: n.Sealed.Salt,
		IfRevision: &n.Revision, ClaimToken: wire.Token(n.Token.Reveal()),
	}
	err := c.keptDo(ctx, keptCall{doing: doing, route: "update", body: body, limit: maxJSON, progress: progress})
	if Code(err) == CodeOwned {
		s, e := c.View(ctx, n.View, n.UID, nil)
		switch code := Code(e); {
		case e == nil && s.IsOwner && s.Message == n.Sealed.Message:
			return nil
		case e == nil, code == CodeNotOwner, code == wire.CodeNotFound, code == wire.StateExpired:
			return err // whoever it was
		}
	}
	if lost(err) {
		return fmt.Errorf("%w; %w", err, ErrMaybeClaimed)
	}
	return err
}

// UndoClaim gives a message back to its author, if the claim proved nothing and is less than a day old (PROTOCOL 5.1).
func (c *Client) UndoClaim(ctx context.Context, v View, u UID) error {
	err := c.keptDo(ctx, keptCall{
		doing: "undoing the claim", route: "undo-claim", body: wire.ViewRequest{View: v.Reveal(), UID: wire.Token(u)}, limit: maxJSON,
	})
	if lost(err) && Code(err) == wire.CodeNotFound { // after a lost answer there is no claim left to undo
		if s, e := c.View(ctx, v, u, nil); e == nil && !s.IsOwner {
			return nil
		}
	}
	return err
}

// ListOwned lists what a user has claimed, the newest first; pages count from 1.
func (c *Client) ListOwned(ctx context.Context, u UID, page, perPage int) (wire.KeptList, error) {
	return c.listKept(ctx, "listing what is owned", "list-secrets", u, page, perPage)
}

// ListPending lists what a user has made and nobody has claimed yet.
func (c *Client) ListPending(ctx context.Context, u UID, page, perPage int) (wire.KeptList, error) {
	return c.listKept(ctx, "listing what is unclaimed", "list-pending-secrets", u, page, perPage)
}

func (c *Client) listKept(ctx context.Context, doing, route string, u UID, page, perPage int) (wire.KeptList, error) {
	var l wire.KeptList
	err := c.keptCall(ctx, keptCall{
		doing: doing, route: route, body: wire.ListRequest{UID: wire.Token(u), Page: page, PerPage: perPage}, into: &l, limit: maxList,
	})
	for _, e := range l.Secrets {
		if _, bad := ParseView(e.ID); bad != nil && err == nil {
			err = wrap(doing, ErrAnswer)
		}
	}
	return l, err
}

// Relabel changes the label of a secret that the user owns. The server drops tags and <>"/\ and cuts at 100 characters.
func (c *Client) Relabel(ctx context.Context, v View, u UID, label string) error {
	return c.keptDo(ctx, keptCall{
		doing: "naming the secret", route: "update-custom-name",
		body: wire.RelabelRequest{View: v.Reveal(), UID: wire.Token(u), CustomName: label}, limit: maxJSON,
	})
}

// Delete erases a secret, for its owner, or for its author while nobody has claimed it. Where an answer is lost and the
// server then knows no such secret, it is the first request that has erased it.
func (c *Client) Delete(ctx context.Context, v View, u UID) error {
	err := c.keptDo(ctx, keptCall{
		doing: "deleting the secret", route: "delete-secret", body: wire.ViewRequest{View: v.Reveal(), UID: wire.Token(u)}, limit: maxJSON,
	})
	if lost(err) && Code(err) == wire.CodeNotFound {
		if _, e := c.View(ctx, v, u, nil); Code(e) == wire.CodeNotFound {
			return nil
		}
	}
	return err
}
