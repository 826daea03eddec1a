// Package primitive is the one place that calls AES-256-GCM, HKDF-SHA-256 and PBKDF2-HMAC-SHA-256.
// It is no format: which key, salt, label and associated data belong together is package seal's business.
//
// The calls stand apart so that the Wycheproof vectors (crypto/wycheproof) run against exactly what seals a secret,
// not against a second copy of the same few lines.
package primitive

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Sizes in bytes. Other key, IV and tag sizes exist for AES-GCM; the protocol has only these, so nothing else is taken.
const (
	KeySize    = 32
	IVSize     = 12
	LongIVSize = 16 // only to open: inigma's browsers make such IVs (FORMAT 2.6)
	TagSize    = 16
)

var (
	// ErrSize says that a key, IV or length has a size the protocol does not know.
	ErrSize = errors.New("key, IV or length of a size the protocol does not know")
	// ErrAuth says that the tag does not belong to this key, IV, associated data and ciphertext.
	ErrAuth = errors.New("authentication of the ciphertext did not succeed")
)

// SealInPlace encrypts text where it lies and returns it with the tag appended.
// With TagSize bytes of spare capacity behind text nothing is allocated for the data.
func SealInPlace(key, iv, aad, text []byte) ([]byte, error) {
	if len(iv) != IVSize {
		return nil, ErrSize
	}
	aead, err := gcm(key, iv)
	if err != nil {
		return nil, err
	}
	return aead.Seal(text[:0], iv, text, aad), nil
}

// OpenInPlace decrypts box, ciphertext and tag, where it lies and returns the text, which shares box's memory.
// When the tag is wrong box holds neither ciphertext nor text afterwards.
func OpenInPlace(key, iv, aad, box []byte) ([]byte, error) {
	aead, err := gcm(key, iv)
	if err != nil {
		return nil, err
	}
	text, err := aead.Open(box[:0], iv, box, aad)
	if err != nil {
		return nil, ErrAuth
	}
	return text, nil
}

// gcm checks the IV's size itself: the standard library panics on a wrong one.
func gcm(key, iv []byte) (cipher.AEAD, error) {
	if len(key) != KeySize || len(iv) != IVSize && len(iv) != LongIVSize {
		return nil, ErrSize
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("making the block cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithNonceSize(block, len(iv))
	if err != nil {
		return nil, fmt.Errorf("making the GCM mode: %w", err)
	}
	return aead, nil
}

// HKDF derives n bytes with HKDF-SHA-256 (RFC 5869). More than 255 blocks is ErrSize, as the RFC has it.
func HKDF(ikm, salt, info []byte, n int) ([]byte, error) {
	if n < 1 || n > 255*sha256.Size {
		return nil, ErrSize
	}
	out, err := hkdf.Key(sha256.New, ikm, salt, string(info), n)
	if err != nil {
		return nil, fmt.Errorf("deriving with HKDF: %w", err)
	}
	return out, nil
}

// PBKDF2 stretches a password into n bytes with PBKDF2-HMAC-SHA-256 (RFC 8018).
func PBKDF2(password string, salt []byte, iterations, n int) ([]byte, error) {
	if iterations < 1 || n < 1 {
		return nil, ErrSize
	}
	out, err := pbkdf2.Key(sha256.New, password, salt, iterations, n)
	if err != nil {
		return nil, fmt.Errorf("stretching with PBKDF2: %w", err)
	}
	return out, nil
}
