// Package keyring is what a user's own key can do: name its owner, re-seal a kept secret to claim it, and open links that are sealed to a recipient.
// It is no storage: where keys are kept, and under what protection, is for the program that uses it.
package keyring

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/hushpost/hushpost/crypto/seal"
)

var (
	// ErrKey says that a key is in no form that is read here, not RSA of 2048 to 4096 bits, or a zero value.
	ErrKey = errors.New("the key is not an RSA key of 2048 to 4096 bits in the expected form")
	// ErrUnwrap says that a wrapped key was made for another recipient, or altered.
	ErrUnwrap = errors.New("the link was sealed to another key, or altered")
)

// UID names the owner of a key to a server: 64 hexadecimal characters (PROTOCOL 5.1). The label keeps it apart from
// seed B's, of which a server that was given this one must learn nothing. Programs show its first 12.
func UID(s seal.Kept) string {
	h := sha256.Sum256([]byte("hushpost-uid:" + s.Encode()))
	return hex.EncodeToString(h[:])
}

// LegacyUID names the owner as seed B does: 12 hexadecimal characters (FORMAT 2.6). At 48 bits it is a name and no
// proof; it is for secrets that seed B's clients made.
func LegacyUID(s seal.Kept) string {
	h := sha256.Sum256([]byte(s.Encode()))
	return hex.EncodeToString(h[:])[:12]
}

// Reseal opens c with one key and seals its text under another: the step of claiming that makes a kept secret
// the claimer's own. Salt and IV are fresh. It stretches twice.
func Reseal(c seal.Claimable, from, to seal.Kept) (seal.Claimable, error) {
	if to.IsZero() {
		return seal.Claimable{}, seal.ErrKey // before the old one is opened for nothing
	}
	text, err := from.Open(c)
	if err != nil {
		return seal.Claimable{}, fmt.Errorf("opening the secret to claim: %w", err)
	}
	own, err := to.Seal(text)
	if err != nil {
		return seal.Claimable{}, fmt.Errorf("sealing the claimed secret: %w", err)
	}
	return own, nil
}
