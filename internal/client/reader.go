package client

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
)

// Reader is who opens a secret, as far as the server knows: 16 random bytes. Its holder may ask again within the
// lease (PROTOCOL 4.3), so it is a secret itself and prints redacted.
type Reader struct{ b [16]byte }

// ErrReader: not the 22 characters that Reveal gives.
var ErrReader = errors.New("malformed reader token")

// NewReader is for one reading; another secret takes another, or the server could tell that one person reads both.
func NewReader() Reader {
	var r Reader
	_, _ = rand.Read(r.b[:]) // never fails: crypto/rand ends the program instead
	return r
}

// ParseReader reads what Reveal wrote.
func ParseReader(s string) (Reader, error) {
	var r Reader
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(r.b) {
		return Reader{}, ErrReader
	}
	copy(r.b[:], b)
	return r, nil
}

// IsZero reports a Reader that nobody made.
func (r Reader) IsZero() bool { return r == Reader{} }

// Reveal gives the characters, b64u.
func (r Reader) Reveal() string { return base64.RawURLEncoding.EncodeToString(r.b[:]) }

const redactedReader = "client.Reader(...)"

func (Reader) String() string               { return redactedReader }
func (Reader) GoString() string             { return redactedReader }
func (Reader) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(redactedReader)) }
func (Reader) LogValue() slog.Value         { return slog.StringValue(redactedReader) }
func (Reader) MarshalText() ([]byte, error) { return []byte(redactedReader), nil }
