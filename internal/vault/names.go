package vault

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"
)

// Time is an instant in Unix milliseconds, UTC. Zero means "not yet" or "never".
// An integer, not a time.Time: records compare with ==, and a store's clock may be another machine's.
type Time int64

// At gives the Time of t.
func At(t time.Time) Time { return Time(t.UnixMilli()) }

// Add gives the time d later, in whole milliseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

// UTC gives t for people and for JSON.
func (t Time) UTC() time.Time { return time.UnixMilli(int64(t)).UTC() }

// ID is the UUID that the sealing client chose (PROTOCOL 1).
type ID [16]byte

// ParseID takes the canonical form only, 8-4-4-4-12 in lower case: with two spellings of one id,
// two secrets could share it.
func ParseID(s string) (ID, bool) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || strings.ToLower(s) != s {
		return id, false
	}
	n, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:]))
	return id, err == nil && n == len(id)
}

// NewID gives a random ID, for a client that leaves the choice to the server (PROTOCOL 4.8).
func NewID() ID {
	return randomID().version4()
}

func randomID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // never fails
	return id
}

// version4 gives id the version and variant bits of RFC 9562.
func (id ID) version4() ID {
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// String gives the canonical form.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

// LogValue keeps ids out of logs: an id is half of what seed A's dialect needs to read a secret.
func (ID) LogValue() slog.Value { return slog.StringValue("vault.ID(...)") }

// Alias is the short name of a secret in URLs, a number below 62^8 (PROTOCOL 1).
type Alias int64

const (
	aliasLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	aliasLength  = 8
	aliasCount   = 62 * 62 * 62 * 62 * 62 * 62 * 62 * 62
)

// ParseAlias takes 8 characters of [A-Za-z0-9].
func ParseAlias(s string) (Alias, bool) {
	if len(s) != aliasLength {
		return 0, false
	}
	var a Alias
	for i := range len(s) {
		n := strings.IndexByte(aliasLetters, s[i])
		if n < 0 {
			return 0, false
		}
		a = a*Alias(len(aliasLetters)) + Alias(n)
	}
	return a, true
}

// String gives the 8 characters.
func (a Alias) String() string {
	var b [aliasLength]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = aliasLetters[a%Alias(len(aliasLetters))]
		a /= Alias(len(aliasLetters))
	}
	return string(b[:])
}

// LogValue keeps aliases out of logs.
func (Alias) LogValue() slog.Value { return slog.StringValue("vault.Alias(...)") }

// Hash is the SHA-256 of a token, all that a store ever learns of it. The zero Hash guards nothing and
// matches nothing.
type Hash [sha256.Size]byte

// HashOf gives the Hash of a token.
func HashOf(token []byte) Hash { return sha256.Sum256(token) }

// ParseHash reads b64u, 43 characters, in its one canonical spelling.
func ParseHash(s string) (Hash, bool) {
	var h Hash
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(h) || len(s) != base64.RawURLEncoding.EncodedLen(len(h)) { // base64 passes over line breaks
		return h, false
	}
	h = Hash(b)
	return h, !h.IsZero() // which would guard nothing
}

// IsZero reports whether nothing was set.
func (h Hash) IsZero() bool { return h == Hash{} }

// matches compares in constant time, and never matches a hash that was not set.
func (h Hash) matches(other Hash) bool {
	return subtle.ConstantTimeCompare(h[:], other[:]) == 1 && !h.IsZero()
}

// namer derives the names that the server chooses, under the server's key.
//
// An alias is a keyed hash of the id, not a number out of a hat: both names then lead to one record with one
// index, in a table and in a cluster of Redis servers alike, and a repeated create finds its first answer.
// To whoever lacks the key it is uniform and says nothing about the id. Two ids meet in one alias with
// probability 2^-47.6 for each secret that lives; the later is then refused and its client takes another id.
type namer struct{ key [32]byte }

// prf is SHA-256 of key, label and data, which is a good keyed hash here, without HMAC's second pass and its memory: for
// each label the length of data is fixed, so there is nothing to extend.
func (n namer) prf(label string, data []byte) [sha256.Size]byte {
	var in [128]byte
	return sha256.Sum256(append(append(append(in[:0], n.key[:]...), label...), data...))
}

// mac is for what has no fixed length: HMAC-SHA-256 of the parts, of which at most the last may vary in length.
func (n namer) mac(parts ...[]byte) Hash {
	mac := hmac.New(sha256.New, n.key[:])
	for _, p := range parts {
		mac.Write(p)
	}
	return Hash(mac.Sum(nil))
}

// alias takes the first 48-bit word below 62^8: cutting the range instead of reducing into it keeps every
// alias equally likely. A word is taken with probability 0.78.
func (n namer) alias(id ID) Alias {
	block := n.prf("alias:", id[:])
	for {
		for i := 0; i+8 <= len(block); i += 6 {
			word := Alias(binary.BigEndian.Uint64(block[i:]) >> 16) // the upper 6 bytes of 8
			if word < aliasCount {
				return word
			}
		}
		block = n.prf("alias again:", block[:])
	}
}

// decoy is the id that [Vault.Resolve] gives for an alias nobody uses: stable, and of a v4 UUID's shape. Its last six
// bytes are a mark that only the server knows again: a decoy must be refused to a create as a real id would be, or
// trying would tell the two apart. Of the ids that clients choose, one in 2^48 looks like a decoy.
func (n namer) decoy(a Alias) ID {
	block := n.prf("decoy:", []byte(a.String()))
	id := ID(block[:16]).version4()
	mark := n.prf("decoy mark:", id[:10])
	copy(id[10:], mark[:])
	return id
}

func (n namer) isDecoy(id ID) bool {
	mark := n.prf("decoy mark:", id[:10])
	return subtle.ConstantTimeCompare(id[10:], mark[:6]) == 1
}

// answer is the id of a kept secret that was asked for with an idempotency key: of the request, and of the moment when it
// was first seen.
func (n namer) answer(request ID, at Time) ID {
	block := n.prf("answer:", binary.BigEndian.AppendUint64(request[:], uint64(at))) //nolint:gosec // G115: never negative
	return ID(block[:16])
}
