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

// Identity is a private key, the one that opens what was sealed to its Recipient. The zero Identity answers ErrKey.
type Identity struct{ priv opaque.Value[rsa.PrivateKey] }

// NewIdentity makes a key of 2048 bits, the size seed B's browsers make: a link sealed to it stays under 400 characters.
func NewIdentity() (Identity, error) {
	priv, err := rsa.GenerateKey(rand.Reader, minBits)
	if err != nil {
		return Identity{}, fmt.Errorf("making a recipient key: %w", err)
	}
	return Identity{opaque.Of(priv)}, nil
}

// ParseIdentity reads a private key as PKCS#8 in DER.
func ParseIdentity(pkcs8 []byte) (Identity, error) {
	k, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return Identity{}, ErrKey // the parser's words may quote the key
	}
	priv, ok := k.(*rsa.PrivateKey)
	if !ok || !usable(&priv.PublicKey) {
		return Identity{}, ErrKey
	}
	return Identity{opaque.Of(priv)}, nil
}

// Reveal gives the private key as PKCS#8 in DER, not encrypted. Whoever has it can open every link sealed to it.
func (i Identity) Reveal() ([]byte, error) {
	if i.priv.Get() == nil {
		return nil, ErrKey
	}
	der, err := x509.MarshalPKCS8PrivateKey(i.priv.Get())
	if err != nil {
		return nil, fmt.Errorf("encoding the private key: %w", err)
	}
	return der, nil
}

// Recipient is the public half.
func (i Identity) Recipient() Recipient {
	if i.priv.Get() == nil {
		return Recipient{}
	}
	return Recipient{opaque.Of(&i.priv.Get().PublicKey)}
}

// Unwrap opens W of a sealed link (PROTOCOL 3). Everything that can be wrong with w is ErrUnwrap: OAEP must not say at
// which check it stopped.
func (i Identity) Unwrap(w []byte) (seal.Key, error) {
	if i.priv.Get() == nil {
		return seal.Key{}, ErrKey
	}
	raw, err := rsa.DecryptOAEP(sha256.New(), nil, i.priv.Get(), w, nil)
	if err != nil {
		return seal.Key{}, ErrUnwrap
	}
	k, err := seal.ParseKey(base64.RawURLEncoding.EncodeToString(raw))
	if err != nil {
		return seal.Key{}, ErrUnwrap
	}
	return k, nil
}

// Format prints the redacted form under every verb.
func (i Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, identityText) }

// String is the redacted form.
func (i Identity) String() string { return identityText }

// MarshalText is the redacted form; Reveal gives the key.
func (i Identity) MarshalText() ([]byte, error) { return []byte(identityText), nil }

// LogValue is the redacted form.
func (i Identity) LogValue() slog.Value { return slog.StringValue(identityText) }
