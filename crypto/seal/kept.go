package seal

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
	"github.com/hushpost/hushpost/crypto/internal/primitive"
)

// Kept is the key material of a kept secret, or a user's own: a string of [A-Za-z0-9_-] (FORMAT 2.6). Its characters
// are what is stretched, not the bytes they would decode to. The zero Kept opens nothing.
type Kept struct{ s opaque.Value[string] }

// Lengths of key material. We write 32 characters, 192 bits. Seed B never checked what it read: any string served, and
// one of its vectors has 33 characters. So reading takes what can be in use: under 16 characters somebody has cut the
// link, and beyond 128, seed B's own limit for a uid, it is no key.
const (
	keptLen    = 32
	minKeptLen = 16
	maxKeptLen = 128
)

const keptAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

const saltLen = 16

// b64 is how seed B's wire carries bytes (PROTOCOL 5). Strict: a second spelling of a salt would give another claim token.
var b64 = base64.StdEncoding.Strict()

// Claimable is a sealed kept secret: ciphertext with its tag, IV and salt, each in standard base64, which travel beside
// each other (FORMAT 2.6). None of it is secret without the Kept.
type Claimable struct{ Message, IV, Salt string }

// NewKept makes key material of 32 characters.
func NewKept() Kept {
	b := make([]byte, keptLen)
	random(b)
	for i, c := range b {
		b[i] = keptAlphabet[c&63] // 64 characters: six bits choose one without bias
	}
	s := string(b)
	return Kept{opaque.Of(&s)}
}

// ParseKept reads key material; what is no such string is ErrKey.
func ParseKept(s string) (Kept, error) {
	if len(s) < minKeptLen || len(s) > maxKeptLen {
		return Kept{}, ErrKey
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return Kept{}, ErrKey
		}
	}
	return Kept{opaque.Of(&s)}, nil
}

// Encode gives the characters. Whoever has them can read the secret as often as it can be fetched.
func (s Kept) Encode() string {
	if s.IsZero() {
		return ""
	}
	return *s.s.Get()
}

// Equal compares in time that depends on the lengths alone. The zero Kept equals nothing, not even itself.
func (s Kept) Equal(other Kept) bool {
	return !s.IsZero() && !other.IsZero() && subtle.ConstantTimeCompare([]byte(s.Encode()), []byte(other.Encode())) == 1
}

// IsZero tells whether this is the zero Kept.
func (s Kept) IsZero() bool { return s.s.Get() == nil }

// Seal seals a text under a fresh salt and IV. Like LockedKeys it takes a good part of a second.
func (s Kept) Seal(text string) (Claimable, error) {
	if s.IsZero() {
		return Claimable{}, ErrKey
	}
	if !utf8.ValidString(text) {
		return Claimable{}, ErrFormat // seed B's readers decode as UTF-8 and would show something else
	}
	var salt [saltLen]byte
	var iv [primitive.IVSize]byte
	random(salt[:])
	random(iv[:])
	key, err := s.stretch(salt[:])
	if err != nil {
		return Claimable{}, err
	}
	b := append(make([]byte, 0, len(text)+primitive.TagSize), text...)
	box, err := primitive.SealInPlace(key, iv[:], nil, b)
	if err != nil {
		return Claimable{}, fmt.Errorf("sealing the text: %w", err)
	}
	return Claimable{b64.EncodeToString(box), b64.EncodeToString(iv[:]), b64.EncodeToString(salt[:])}, nil
}

// Open reads the text of a kept secret. What is no base64 or has the wrong size is ErrFormat, what does not
// authenticate ErrOpen. The text is given as it was sealed, UTF-8 or not: what seed B could show must not be withheld.
func (s Kept) Open(c Claimable) (string, error) {
	if s.IsZero() {
		return "", ErrKey
	}
	box, iv, salt := decode64(c.Message), decode64(c.IV), decode64(c.Salt)
	if len(box) < primitive.TagSize || len(iv) != primitive.IVSize && len(iv) != primitive.LongIVSize || len(salt) != saltLen {
		return "", ErrFormat
	}
	key, err := s.stretch(salt)
	if err != nil {
		return "", err
	}
	text, err := primitive.OpenInPlace(key, iv, nil, box)
	if err != nil {
		return "", ErrOpen
	}
	return string(text), nil
}

// ClaimToken proves to the server that its holder could read the message that it replaces (PROTOCOL 5.1). salt is the
// message's, in the base64 of the wire: the characters are bound, not the bytes. The zero Kept gives the zero Token.
func (s Kept) ClaimToken(salt string) Token {
	if s.IsZero() {
		return Token{}
	}
	return Token{opaque.Of((*[32]byte)(derive([]byte(s.Encode()), saltV2, labelClaim+salt, 32)))}
}

// decode64 is nil for what is no base64. The decoder would skip line breaks, which are one more second spelling.
func decode64(s string) []byte {
	b, err := b64.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil
	}
	return b
}

func (s Kept) stretch(salt []byte) ([]byte, error) {
	return primitive.PBKDF2(s.Encode(), salt, iterations, primitive.KeySize)
}
