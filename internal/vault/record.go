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
//	|| of a kept secret: which of its hashes, and 8 if there is a copy || those hashes, 32 each || the copy's id[16]
//	   || varint: revision || iv, salt and label, each after its varint length
//	|| if flags says so: varint length || creator || context
const (
	recordVersion = 1
	hasCreator    = 1 << 4 // a flag; those below it are of the hashes
	isKept        = 1 << 5
	isAnswered    = 1 << 6
	allFlags      = isAnswered<<1 - 1
	hasCopy       = 1 << 3 // a flag of a kept secret

	// RecordSize is enough for every record of a one-time secret without a creator.
	RecordSize = 3 + 16 + 4*32 + 9*binary.MaxVarintLen64
)

var errRecord = errors.New("vault: a stored record is damaged or of a newer version")

func (s *Secret) hashes() []*Hash {
	return []*Hash{&s.Link, &s.Manage, &s.Passphrase, &s.Reader}
}

func (k *Keeping) hashes() []*Hash { return []*Hash{&k.Author, &k.Owner, &k.Claim} }

// appendHashes appends those of hs that are set, and sets their bits in b[flags].
func appendHashes(b []byte, flags int, hs []*Hash) []byte {
	for i, h := range hs {
		if !h.IsZero() {
			b[flags] |= 1 << i
			b = append(b, h[:]...)
		}
	}
	return b
}

// AppendRecord appends the stored form of s to b.
func (s *Secret) AppendRecord(b []byte) []byte {
	b = append(b, recordVersion, byte(s.State), 0)
	flags := len(b) - 1
	b = append(b, s.ID[:]...)
	b = appendHashes(b, flags, s.hashes())
	for _, n := range [...]int64{
		int64(s.Alias), s.Size, int64(s.Wrong), int64(s.Refused), int64(s.Created), int64(s.Expires - s.Created),
		since(s.Opened, s.Created), since(s.LeaseEnds, s.Opened), since(s.Ended, s.Created),
	} {
		b = binary.AppendVarint(b, n)
	}
	switch s.Type {
	case Kept:
		b[flags] |= isKept
		b = s.append(b)
	case Answered:
		b[flags] |= isAnswered
	}
	if s.Creator != "" {
		b[flags] |= hasCreator
		b = binary.AppendVarint(b, int64(len(s.Creator)))
		b = append(append(b, s.Creator...), s.Context...)
	}
	return b
}

func (k *Keeping) append(b []byte) []byte {
	b = append(b, 0)
	flags := len(b) - 1
	b = appendHashes(b, flags, k.hashes())
	if k.Copy != (ID{}) {
		b[flags] |= hasCopy
		b = append(b, k.Copy[:]...)
	}
	b = binary.AppendVarint(b, int64(k.Revision))
	for _, text := range [...]string{k.IV, k.Salt, k.Label} {
		b = append(binary.AppendVarint(b, int64(len(text))), text...)
	}
	return b
}

// ParseRecord reads what AppendRecord wrote.
func ParseRecord(b []byte) (Secret, error) {
	var s Secret
	if len(b) < 19 || b[0] != recordVersion || b[2] > allFlags || b[2]&isKept != 0 && b[2]&isAnswered != 0 {
		return s, errRecord
	}
	flags := b[2]
	if s.State = State(b[1]); s.State < Waiting || s.State == Forgotten || s.State > Claimed {
		return Secret{}, errRecord // time would call it forgotten, and its holder would read "not found"
	}
	s.ID = ID(b[3:19])
	r := recordReader{rest: b[19:]}
	r.hashes(flags, s.hashes())
	var n [9]int64
	for i := range n {
		n[i] = r.number()
	}
	switch {
	case flags&isKept != 0:
		s.Type = Kept
		s.read(&r)
	case flags&isAnswered != 0:
		s.Type = Answered
	}
	if flags&hasCreator != 0 {
		s.Creator = r.text()
		r.bad = r.bad || s.Creator == ""
		s.Context, r.rest = string(r.rest), nil
	}
	if r.bad || len(r.rest) != 0 || n[0] >= aliasCount || s.State == Claimed && s.Type != Kept {
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

func (k *Keeping) read(r *recordReader) {
	if b := r.take(1); b != nil {
		r.bad = b[0] >= hasCopy<<1
		r.hashes(b[0], k.hashes())
		if b[0]&hasCopy != 0 {
			copy(k.Copy[:], r.take(len(k.Copy)))
		}
	}
	k.Revision = int(r.number())
	k.IV, k.Salt, k.Label = r.text(), r.text(), r.text()
}

// recordReader takes a record apart. Once something was bad, it stays bad and gives nothing.
type recordReader struct {
	rest []byte
	bad  bool
}

func (r *recordReader) take(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *recordReader) hashes(flags byte, hs []*Hash) {
	for i, h := range hs {
		if flags&(1<<i) != 0 {
			copy(h[:], r.take(len(h)))
		}
	}
}

// number is never negative: nothing in a record is.
func (r *recordReader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 || n < 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *recordReader) text() string {
	n := r.number()
	if n > int64(len(r.rest)) {
		r.bad = true
		return ""
	}
	return string(r.take(int(n)))
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
