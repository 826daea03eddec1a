package client

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/seal"
)

// View names a kept secret to its server: 25 characters of [A-Za-z0-9_-] (PROTOCOL 5). Whoever knows one may fetch what is
// sealed, and put something in its place if its maker was a client of inigma; so it prints redacted.
type View string

const viewLen = 25

// ErrView: not the name of a kept secret.
var ErrView = errors.New("malformed id of a kept secret")

// ParseView reads a View.
func ParseView(s string) (View, error) {
	if len(s) != viewLen || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		return "", ErrView
	}
	return View(s), nil
}

// UID names a user to a server, and is all that user has to prove (PROTOCOL 5); so it prints redacted.
type UID string

// Reveal gives the characters. Whoever has them can do all that their user can.
func (u UID) Reveal() string { return string(u) }

// Reveal gives the characters.
func (v View) Reveal() string { return string(v) }

// Anonymous makes a name for who reads without a key of their own, good for one reading. inigma's own "anonymous" would be
// everybody's: whoever claims something by it makes all of them its owner, and as a short one it counts as a guess.
func Anonymous() UID {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return UID(hex.EncodeToString(b[:]))
}

const (
	redactedView = "client.View(...)"
	redactedUID  = "client.UID(...)"
)

// Format prints the redacted form under every verb.
func (View) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedView) }

// Format prints the redacted form under every verb.
func (UID) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedUID) }

// String is the redacted form.
func (View) String() string { return redactedView }

// String is the redacted form.
func (UID) String() string { return redactedUID }

// LogValue is the redacted form.
func (View) LogValue() slog.Value { return slog.StringValue(redactedView) }

// LogValue is the redacted form.
func (UID) LogValue() slog.Value { return slog.StringValue(redactedUID) }

// MarshalText is the redacted form.
func (View) MarshalText() ([]byte, error) { return []byte(redactedView), nil }

// MarshalText is the redacted form.
func (UID) MarshalText() ([]byte, error) { return []byte(redactedUID), nil }

// Owner is a user with a key of their own; the zero Owner is nobody in particular.
type Owner struct {
	Key seal.Kept
	// Inigma: the key comes from a browser that used inigma. What that claimed is under the key's short UID. Nobody else
	// is asked about by it: with 48 bits it is easily guessed, and servers count who guesses.
	Inigma bool
}

// UID is under which name everything new is claimed; of the zero Owner a new one each time.
func (o Owner) UID() UID {
	if o.Key.IsZero() {
		return Anonymous()
	}
	return UID(keyring.UID(o.Key))
}

// UIDs are all names under which secrets may be the owner's, the one for new ones first.
func (o Owner) UIDs() []UID {
	if o.Key.IsZero() || !o.Inigma {
		return []UID{o.UID()}
	}
	return []UID{o.UID(), UID(keyring.LegacyUID(o.Key))}
}

// Short is what people are shown of their UID: enough to tell two keys apart, too little to be taken for its holder.
func (o Owner) Short() string {
	if o.Key.IsZero() {
		return ""
	}
	return keyring.UID(o.Key)[:12]
}
