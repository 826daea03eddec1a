package keyring

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
	"github.com/hushpost/hushpost/crypto/seal"
)

// Sizes of RSA keys in bits. 2048 is what seed B's browsers hold and cannot export, 112 bits of strength; more than 4096
// makes a link of over 700 characters, and a reader of foreign keys compute for whoever sent them.
const (
	minBits = 2048
	maxBits = 4096
	// exponent is what WebCrypto makes and everybody uses; others have no purpose but to be odd.
	exponent = 65537
)

// What these print as. A public key is not secret, but it is somebody's.
const (
	recipientText = "keyring.Recipient(...)"
	identityText  = "keyring.Identity(...)"
)

// Recipient is a public key that links can be sealed to. The zero Recipient answers ErrKey.
type Recipient struct{ pub opaque.Value[rsa.PublicKey] }

// ParseRecipient reads a public key as SubjectPublicKeyInfo in DER, which WebCrypto exports as "spki".
func ParseRecipient(spki []byte) (Recipient, error) {
	k, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return Recipient{}, ErrKey // the parser's words may quote the key
	}
	pub, ok := k.(*rsa.PublicKey)
	if !ok || !usable(pub) {
		return Recipient{}, ErrKey
	}
	return Recipient{opaque.Of(pub)}, nil
}

func usable(pub *rsa.PublicKey) bool {
	n := pub.N.BitLen()
	return n >= minBits && n <= maxBits && pub.E == exponent
}

// Encode gives the public key as SubjectPublicKeyInfo in DER.
func (r Recipient) Encode() ([]byte, error) {
	if r.pub.Get() == nil {
		return nil, ErrKey
	}
	der, err := x509.MarshalPKIXPublicKey(r.pub.Get())
	if err != nil {
		return nil, fmt.Errorf("encoding the recipient's key: %w", err)
	}
	return der, nil
}

// Wrap seals a secret's key to the recipient: W of PROTOCOL 3, RSA-OAEP-SHA-256 without a label, as many bytes as the
// recipient's modulus has.
func (r Recipient) Wrap(k seal.Key) ([]byte, error) {
	// Package seal hands the bytes of a key to nobody; its characters are the only way in and out.
	raw, err := base64.RawURLEncoding.DecodeString(k.Encode())
	if r.pub.Get() == nil || err != nil || len(raw) == 0 {
		return nil, ErrKey
	}
	w, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, r.pub.Get(), raw, nil)
	if err != nil {
		return nil, fmt.Errorf("wrapping the key: %w", err)
	}
	return w, nil
}

// Format prints the redacted form under every verb.
func (r Recipient) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, recipientText) }

// String is the redacted form.
func (r Recipient) String() string { return recipientText }

// MarshalText is the redacted form; Encode gives the key.
func (r Recipient) MarshalText() ([]byte, error) { return []byte(recipientText), nil }

// LogValue is the redacted form.
func (r Recipient) LogValue() slog.Value { return slog.StringValue(recipientText) }
