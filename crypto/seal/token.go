package seal

import (
	"crypto/sha256"
	"crypto/subtle"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
)

// Token is 32 bytes that prove something to a server: possession of a link, of a passphrase, of the making.
// The server keeps only its hash until it is used. The zero Token proves nothing: it reveals "" and equals nothing.
type Token struct{ b opaque.Value[[32]byte] }

// NewToken makes a random token, a manage token for instance.
func NewToken() Token { return Token{opaque.Of(random32())} }

// ParseToken reads 43 characters of unpadded base64url.
func ParseToken(s string) (Token, error) {
	b := decode32(s)
	if b == nil {
		return Token{}, ErrToken
	}
	return Token{opaque.Of(b)}, nil
}

// Reveal gives the token's 43 characters. Whoever has them can do what the token allows.
func (t Token) Reveal() string {
	b := t.b.Get()
	if b == nil {
		return ""
	}
	return b64u.EncodeToString(b[:])
}

// Hash is SHA-256 of the token, what a server is told before the token is used (FORMAT 2.4).
// A token is 256 bits of key material, so its hash gives nothing to guess and needs no salt.
func (t Token) Hash() [32]byte {
	b := t.b.Get()
	if b == nil {
		// Not the hash of nothing: the hash of a value nobody holds, so that a forgotten token opens nothing.
		return *random32()
	}
	return sha256.Sum256(b[:])
}

// HashText is Hash in unpadded base64url, as the headers of PROTOCOL 4.1 carry it.
func (t Token) HashText() string {
	h := t.Hash()
	return b64u.EncodeToString(h[:])
}

// Equal compares in constant time. The zero Token equals nothing, not even itself.
func (t Token) Equal(other Token) bool { return equal32(t.b.Get(), other.b.Get()) }

// IsZero tells whether this is the zero Token.
func (t Token) IsZero() bool { return t.b.Get() == nil }

func equal32(a, b *[32]byte) bool {
	return a != nil && b != nil && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
