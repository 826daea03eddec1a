package vault

import (
	"encoding/binary"
	"errors"
)

// The stored form of a Secret, for every store alike: one byte string instead of a column a field. It is
// smaller (a waiting secret's is about 95 bytes), read and written in one go, and a store that can compare
// it has its compare-and-swap.
//
//	version (1) || state || flags || id[16] || the hashes that flags name, 32 each
//	|| varints: alias, size, wrong, refused, created, expires−created,
//	   opened, lease−opened and ended−created (each shifted by one; 0: not yet)
//	|| if flags says so: varint length || creator || context
const (
	recordVersion = 1
	hasCreator    = 1 << 4 // a flag; those below it are of the hashes

	// RecordSize is enough for every record without a creator.
	RecordSize = 3 + 16 + 4*32 + 9*binary.MaxVarintLen64
)

var errRecord = errors.New("vault: a stored record is damaged or of a newer version")

func (s *Secret) hashes() [4]*Hash {
	return [...]*Hash{&s.Link, &s.Manage, &s.Passphrase, &s.Reader}
}

// AppendRecord appends the stored form of s to b.
func (s *Secret) AppendRecord(b []byte) []byte {
	b = append(b, recordVersion, byte(s.State), 0)
	flags := len(b) - 1
	b = append(b, s.ID[:]...)
	for i, h := range s.hashes() {
		if !h.IsZero() {
			b[flags] |= 1 << i
			b = append(b, h[:]...)
		}
	}
	for _, n := range [...]int64{
		int64(s.Alias), s.Size, int64(s.Wrong), int64(s.Refused), int64(s.Created), int64(s.Expires - s.Created),
		since(s.Opened, s.Created), since(s.LeaseEnds, s.Opened), since(s.Ended, s.Created),
	} {
		b = binary.AppendVarint(b, n)
	}
	if s.Creator != "" {
		b[flags] |= hasCreator
		b = binary.AppendVarint(b, int64(len(s.Creator)))
		b = append(append(b, s.Creator...), s.Context...)
	}
	return b
}

// ParseRecord reads what AppendRecord wrote.
func ParseRecord(b []byte) (Secret, error) {
	var s Secret
	if len(b) < 19 || b[0] != recordVersion || b[2] >= hasCreator<<1 {
		return s, errRecord
	}
	if s.State = State(b[1]); s.State < Waiting || s.State >= Forgotten {
		return Secret{}, errRecord // time would call it forgotten, and its holder would read "not found"
	}
	s.ID = ID(b[3:19])
	rest := b[19:]
	for i, h := range s.hashes() {
		if b[2]&(1<<i) == 0 {
			continue
		}
		if len(rest) < len(h) {
			return Secret{}, errRecord
		}
		*h, rest = Hash(rest), rest[len(h):]
	}
	var n [9]int64
	for i := range n {
		v, k := binary.Varint(rest)
		if k <= 0 || v < 0 {
			return Secret{}, errRecord
		}
		n[i], rest = v, rest[k:]
	}
	if n[0] >= aliasCount {
		return Secret{}, errRecord
	}
	if b[2]&hasCreator != 0 {
		size, k := binary.Varint(rest)
		if k <= 0 || size <= 0 || size > int64(len(rest)-k) {
			return Secret{}, errRecord
		}
		rest = rest[k:]
		s.Creator, s.Context, rest = string(rest[:size]), string(rest[size:]), nil
	}
	if len(rest) != 0 {
		return Secret{}, errRecord
	}
	s.Alias, s.Size, s.Wrong, s.Refused = Alias(n[0]), n[1], int(n[2]), int(n[3])
	s.Created = Time(n[4])
	s.Expires = s.Created + Time(n[5])
	s.Opened = after(n[6], s.Created)
	s.LeaseEnds = after(n[7], s.Opened)
	s.Ended = after(n[8], s.Created)
	return s, nil
}

// since shifts by one, so that a time that is not yet set takes one byte and no time is lost.
func since(t, base Time) int64 {
	if t == 0 {
		return 0
	}
	return int64(max(t-base, 0)) + 1
}

func after(n int64, base Time) Time {
	if n == 0 {
		return 0
	}
	return base + Time(n-1)
}
