// Package seal holds the keys of one secret: it makes and reads them, seals, opens and derives the tokens that prove possession.
// It is no transport and no storage: it sends nothing, keeps nothing, and what the characters of a key are written into is its caller's business.
//
// The formats are FORMAT 2.2 to 2.6. Everything here that is worth stealing prints as seal.Key(...) and the like;
// the functions that give the characters are called Encode and Reveal (PROTOCOL 3.3).
package seal

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
)

var (
	// ErrID says that a string is no id in canonical form.
	ErrID = errors.New("the id is not in the form of a lower-case UUID")
	// ErrKey says that a string is no key, or that a zero Key, Keys or Kept was used.
	ErrKey = errors.New("the key is missing, incomplete or altered")
	// ErrToken says that a string is no token.
	ErrToken = errors.New("the token is not 32 bytes of unpadded base64url")
	// ErrPassphrase says that a passphrase is empty or not UTF-8.
	ErrPassphrase = errors.New("the passphrase is empty or not valid UTF-8")
	// ErrMismatch says that a payload needs a passphrase and the keys were made without one, or the reverse.
	ErrMismatch = errors.New("the payload and the keys disagree on whether a passphrase is needed")
	// ErrOpen says that authentication did not succeed. Which of the reasons it was cannot be known.
	ErrOpen = errors.New("the key or the passphrase is wrong, or the payload was altered")
	// ErrVersion says that the payload's first byte is neither version 1 nor version 2.
	ErrVersion = errors.New("the payload is of a version this program does not know")
	// ErrFormat says that a payload is too short, sets an unknown flag, or opened to bad padding or a bad envelope.
	ErrFormat = errors.New("the payload is incomplete or not in a form this program knows")
	// ErrV1 says that version 1 cannot carry what it was asked to: a passphrase, or files beyond one nameless image.
	ErrV1 = errors.New("version 1 cannot carry a passphrase, a named file or more than one file")
)

// b64u refuses trailing bits that are not zero: two spellings of one key would be two links for one secret, and
// a damaged last character must be noticed before anything is asked of a server. It would skip line breaks silently, so
// decoders here check the length of the text as well.
var b64u = base64.RawURLEncoding.Strict()

// random is where keys and IVs come from. It is a variable for the vectors alone, which need a fixed IV: only
// export_test.go can reach it. rand.Read never fails: it ends the process instead.
var random = func(b []byte) { _, _ = rand.Read(b) }

func random32() *[32]byte {
	b := new([32]byte)
	random(b[:])
	return b
}

// decode32 reads 43 characters of b64u; nil when they are anything else.
func decode32(s string) *[32]byte {
	if len(s) != b64u.EncodedLen(32) {
		return nil
	}
	b := new([32]byte)
	if n, err := b64u.Decode(b[:], []byte(s)); err != nil || n != len(b) {
		return nil
	}
	return b
}
