package seal

import "github.com/hushpost/hushpost/crypto/internal/opaque"

// Key is the master key of one secret: 32 random bytes that travel only in a URL's fragment (PROTOCOL 1).
// The zero Key opens nothing: it encodes to "", equals nothing, and its Keys answer ErrKey.
type Key struct{ b opaque.Value[[32]byte] }

// NewKey makes a random key. A key is for one secret: never seal two under the same.
func NewKey() Key { return Key{opaque.Of(random32())} }

// ParseKey reads the 43 characters that Encode gives, and refuses every other spelling of the same bytes.
func ParseKey(s string) (Key, error) {
	b := decode32(s)
	if b == nil {
		return Key{}, ErrKey
	}
	return Key{opaque.Of(b)}, nil
}

// Encode gives the key's 43 characters. Whoever has them and can reach the payload can read the secret.
func (k Key) Encode() string {
	b := k.b.Get()
	if b == nil {
		return ""
	}
	return b64u.EncodeToString(b[:])
}

// Equal compares in constant time. The zero Key equals nothing, not even itself.
func (k Key) Equal(other Key) bool { return equal32(k.b.Get(), other.b.Get()) }

// IsZero tells whether this is the zero Key.
func (k Key) IsZero() bool { return k.b.Get() == nil }
