package seal

import "encoding/hex"

// ID is a secret's id: a UUID in canonical form, 36 characters, lower case. It is bound into the payload as associated
// data and into every derivation, so it must have exactly one spelling.
type ID string

// NewID makes a random UUID of version 4 (RFC 9562, 5.4).
func NewID() ID {
	var u [16]byte
	random(u[:])
	u[6] = u[6]&0x0f | 0x40 // version 4
	u[8] = u[8]&0x3f | 0x80 // variant of RFC 9562
	var s [36]byte
	for i, part := range [...]struct{ at, from, to int }{{0, 0, 4}, {9, 4, 6}, {14, 6, 8}, {19, 8, 10}, {24, 10, 16}} {
		if i > 0 {
			s[part.at-1] = '-'
		}
		hex.Encode(s[part.at:], u[part.from:part.to])
	}
	return ID(s[:])
}

// ParseID reads an id. Any version and variant is taken: seed A's servers and clients make ids of their own, and what
// the bits say is nothing to us. Upper case, braces and "urn:uuid:" are ErrID: they would be second spellings.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return "", ErrID
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", ErrID
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return "", ErrID
		}
	}
	return ID(s), nil
}
