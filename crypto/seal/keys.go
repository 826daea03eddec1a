package seal

import (
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
	"github.com/hushpost/hushpost/crypto/internal/primitive"
)

// Labels of the derivations (FORMAT 2.2 and 2.4). Each purpose has its own, so that no value given to a server says
// anything about the key that opens.
const (
	saltV1 = "only-once-share-v1"
	saltV2 = "hushpost-v2"

	labelLink       = "link:"
	labelContent    = "content:"
	labelSalt       = "passphrase-salt:"
	labelPassphrase = "passphrase:"
	labelClaim      = "claim:"
)

// Iterations of PBKDF2-HMAC-SHA-256 (FORMAT 2.4 and 2.6): what seed B uses, above OWASP's 600,000. It is part of the
// format and not of the payload, so that nobody can talk a reader into fewer.
const iterations = 800_000

// Keys are derived from one Key, one id and perhaps a passphrase, and good for that one secret.
// The zero Keys answer ErrKey.
type Keys struct{ m opaque.Value[material] }

type material struct {
	id         ID
	locked     bool
	link       *[32]byte
	passphrase *[32]byte // nil without a passphrase
	k1         *[32]byte // nil with a passphrase: version 1 has none
	k2         *[32]byte
}

// LinkToken proves to the server that its holder has the link (FORMAT 2.4).
func (ks Keys) LinkToken() Token {
	m := ks.m.Get()
	if m == nil {
		return Token{}
	}
	return Token{opaque.Of(m.link)}
}

// PassphraseToken proves that its holder has the link and knows the passphrase; false when there is none.
func (ks Keys) PassphraseToken() (Token, bool) {
	m := ks.m.Get()
	if m == nil || !m.locked {
		return Token{}, false
	}
	return Token{opaque.Of(m.passphrase)}, true
}

// Keys derives what a secret without a passphrase needs (FORMAT 2.2 and 2.4).
func (k Key) Keys(id ID) Keys {
	b := k.b.Get()
	if b == nil {
		return Keys{}
	}
	return Keys{opaque.Of(&material{
		id:   id,
		link: derive32(b[:], saltV2, labelLink, id),
		k1:   derive32(b[:], saltV1, "", id),
		k2:   derive32(b[:], saltV2, labelContent, id),
	})}
}

// LockedKeys derives what a secret with a passphrase needs (FORMAT 2.4). It takes a good part of a second: that is the
// point of it. The empty passphrase is ErrPassphrase: it would look like protection. So is one that is not UTF-8:
// no browser could type it again.
func (k Key) LockedKeys(id ID, passphrase string) (Keys, error) {
	b := k.b.Get()
	if b == nil {
		return Keys{}, ErrKey
	}
	if passphrase == "" || !utf8.ValidString(passphrase) {
		return Keys{}, ErrPassphrase
	}
	_, stretched, err := k.stretch(id, passphrase)
	if err != nil {
		return Keys{}, err
	}
	// Both go into the key that opens and into the token: the link alone gives no guess at the passphrase that could be
	// checked without the server, and the passphrase is never the only protection.
	both := slices.Concat(b[:], stretched)
	return Keys{opaque.Of(&material{
		id:         id,
		locked:     true,
		link:       derive32(b[:], saltV2, labelLink, id),
		passphrase: derive32(both, saltV2, labelPassphrase, id),
		k2:         derive32(both, saltV2, labelContent, id),
	})}, nil
}

// stretch normalises first, by NFKC: keyboards and systems spell the same character in different bytes. The salt comes
// from the key, so it is as good as random and need not be stored or asked for.
func (k Key) stretch(id ID, passphrase string) (salt, stretched []byte, err error) {
	salt = derive(k.b.Get()[:], saltV2, labelSalt+string(id), saltLen)
	stretched, err = primitive.PBKDF2(norm.NFKC.String(passphrase), salt, iterations, primitive.KeySize)
	return salt, stretched, err
}

func derive32(ikm []byte, salt, label string, id ID) *[32]byte {
	return (*[32]byte)(derive(ikm, salt, label+string(id), 32))
}

// derive cannot fail: HKDF refuses only lengths beyond 255 blocks, and ours are 16 and 32.
func derive(ikm []byte, salt, info string, n int) []byte {
	out, err := primitive.HKDF(ikm, []byte(salt), []byte(info), n)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return out
}
