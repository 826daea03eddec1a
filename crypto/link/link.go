// Package link turns a Link into a URL and back, and repairs what mail gateways and chat clients do to one on the way.
// It makes no request and decrypts nothing: it only carries the key between the characters and package seal.
//
// The forms are FORMAT 3, the repairs FORMAT 3.1. A Link prints without its reference and its key; Reveal gives the whole URL.
package link

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
	"github.com/hushpost/hushpost/crypto/seal"
)

var (
	// ErrDamaged says that a string was a Hushpost link once and its fragment, which holds the key, is missing or not whole.
	// Programs must not report it as "not found" (FORMAT 3.1): the secret may well be waiting.
	ErrDamaged = errors.New("the link is damaged: the part after # is missing or incomplete; ask for it again")
	// ErrNotLink says that a string never was a Hushpost link.
	ErrNotLink = errors.New("this is not a Hushpost link")
	// ErrBase says that a server's address is not http or https with a host, or holds what a link cannot carry.
	ErrBase = errors.New("the server's address must be like https://host or https://host/prefix")
	// ErrRef says that a link cannot be made of this reference or this key.
	ErrRef = errors.New("the alias, id or key is not one a link can be made of")
)

// Kind is what a link leads to.
type Kind int

// The kinds of FORMAT 3. The zero Kind is none of them.
const (
	OneTime Kind = iota + 1 // a one-time secret, its key in the fragment
	Sealed                  // a one-time secret, its key sealed to a recipient
	Kept                    // a kept secret of seed B
	Ticket                  // a composer ticket (PROTOCOL 6)
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case OneTime:
		return "one-time"
	case Sealed:
		return "sealed"
	case Kept:
		return "kept"
	case Ticket:
		return "ticket"
	default:
		return "unknown"
	}
}

// Link is one link in its parts. Base is the server's address without a trailing slash, "https://host:8443/prefix" for
// instance; Ref the alias or id, the id of a kept secret or of a ticket; Lang a language tag or "".
// The key is inside: make a Link with Parse or one of the New functions. One made otherwise has none and reveals "".
type Link struct {
	Base string
	Kind Kind
	Ref  string
	Lang string

	secret opaque.Value[secret]
}

// secret is the fragment; one of the four is set, as the kind says.
type secret struct {
	key     seal.Key
	wrapped []byte
	kept    seal.Kept
	token   seal.Token
}

// b64u as package seal has it: strict, because a sealed link must have one spelling too.
var b64u = base64.RawURLEncoding.Strict()

// NewOneTime makes the link of a one-time secret. base is checked as by ParseBase; ref is its alias or id.
func NewOneTime(base, ref string, k seal.Key) (Link, error) {
	return build(Link{Base: base, Kind: OneTime, Ref: ref, secret: opaque.Of(&secret{key: k})}, !k.IsZero())
}

// NewSealed makes the link of a one-time secret whose key was wrapped for a recipient by package keyring.
func NewSealed(base, ref string, wrapped []byte) (Link, error) {
	return build(Link{Base: base, Kind: Sealed, Ref: ref, secret: opaque.Of(&secret{wrapped: wrapped})}, wrappedSize(len(wrapped)))
}

// NewKept makes the link of a kept secret.
func NewKept(base, id string, s seal.Kept) (Link, error) {
	return build(Link{Base: base, Kind: Kept, Ref: id, secret: opaque.Of(&secret{kept: s})}, !s.IsZero())
}

// NewTicket makes the link of a composer ticket.
func NewTicket(base, ticket string, t seal.Token) (Link, error) {
	return build(Link{Base: base, Kind: Ticket, Ref: ticket, secret: opaque.Of(&secret{token: t})}, !t.IsZero())
}

func build(l Link, hasKey bool) (Link, error) {
	base, err := ParseBase(l.Base)
	if err != nil {
		return Link{}, err
	}
	if !hasKey || !refFits(l.Kind, l.Ref) {
		return Link{}, ErrRef
	}
	l.Base = base
	return l, nil
}

// Key is the key of a one-time link; false for every other kind.
func (l Link) Key() (seal.Key, bool) {
	if l.secret.Get() == nil || l.Kind != OneTime {
		return seal.Key{}, false
	}
	return l.secret.Get().key, true
}

// Wrapped is the wrapped key of a sealed link, for keyring.Identity.Unwrap; false for every other kind.
func (l Link) Wrapped() ([]byte, bool) {
	if l.secret.Get() == nil || l.Kind != Sealed {
		return nil, false
	}
	return l.secret.Get().wrapped, true
}

// Kept is the key material of a kept link; false for every other kind.
func (l Link) Kept() (seal.Kept, bool) {
	if l.secret.Get() == nil || l.Kind != Kept {
		return seal.Kept{}, false
	}
	return l.secret.Get().kept, true
}

// Token is T of a ticket link (PROTOCOL 6.1); false for every other kind.
func (l Link) Token() (seal.Token, bool) {
	if l.secret.Get() == nil || l.Kind != Ticket {
		return seal.Token{}, false
	}
	return l.secret.Get().token, true
}

// Reveal gives the whole URL. Whoever has it can open what it leads to.
func (l Link) Reveal() string {
	if l.secret.Get() == nil {
		return ""
	}
	fragment := ""
	switch l.Kind {
	case OneTime:
		fragment = l.secret.Get().key.Encode()
	case Sealed:
		fragment = "~" + b64u.EncodeToString(l.secret.Get().wrapped)
	case Kept:
		fragment = "key=" + l.secret.Get().kept.Encode()
	case Ticket:
		fragment = l.secret.Get().token.Reveal()
	}
	return l.address(l.Ref, l.lang()) + "#" + fragment
}

// lang is Lang if it can stand in a query as it is; the field is open to everybody, and must not reach the fragment.
func (l Link) lang() string {
	if !isLang(l.Lang) {
		return ""
	}
	return l.Lang
}

// address is everything before the fragment.
func (l Link) address(ref, lang string) string {
	path, join := "/s/", "?"
	switch l.Kind {
	case Kept:
		path, join = "/view?view=", "&"
	case Ticket:
		path = "/c/"
	}
	url := l.Base + path + ref
	if lang != "" {
		url += join + "lng=" + lang
	}
	return url
}

// String is the link without its reference and its key: where it leads, and not to what.
func (l Link) String() string {
	if l.secret.Get() == nil {
		return "link.Link(...)"
	}
	return l.address("...", "") + "#..."
}

// Format prints the redacted form under every verb.
func (l Link) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// MarshalText is the redacted form; there is no way back from it.
func (l Link) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// LogValue is the redacted form.
func (l Link) LogValue() slog.Value { return slog.StringValue(l.String()) }
