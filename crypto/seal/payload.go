package seal

import (
	"fmt"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/internal/primitive"
)

// Versions of a payload, its first byte (FORMAT 2.2 and 2.3).
const (
	version1 = 0x01
	version2 = 0x02

	flagPassphrase = 0x01

	header1 = 1 + primitive.IVSize
	header2 = 2 + primitive.IVSize
)

// Seal makes a payload of version 2 (FORMAT 2.3). It builds it in one buffer of its final size and encrypts there.
//
// The IV is random. A key seals one secret, so the bound of 2^32 messages under a random 96-bit IV is far away, and
// sealing twice by mistake still does not repeat an IV.
func (ks Keys) Seal(p envelope.Payload) ([]byte, error) {
	m := ks.m.Get()
	if m == nil {
		return nil, ErrKey
	}
	n, err := p.Size()
	if err != nil {
		return nil, fmt.Errorf("sealing the payload: %w", err)
	}
	size := header2 + paddedLen(n)
	b := make([]byte, header2, size+primitive.TagSize)
	b[0], b[1] = version2, m.flags()
	random(b[2:header2])
	if b, err = p.AppendTo(b); err != nil {
		return nil, fmt.Errorf("sealing the payload: %w", err)
	}
	b = append(b, mark)[:size] // make has zeroed what the mark does not fill
	return m.encrypt(m.k2, b, header2, m.aad2(b[1]))
}

// SealV1 makes a payload of version 1, which seed A's clients can open too (FORMAT 2.2). It has no padding: the server
// learns the length. A passphrase, a named file or a second file is ErrV1: those clients would show the
// envelope of the files as text.
func (ks Keys) SealV1(p envelope.Payload) ([]byte, error) {
	m := ks.m.Get()
	if m == nil {
		return nil, ErrKey
	}
	if m.locked {
		return nil, ErrV1
	}
	n, err := p.Size()
	if err != nil {
		return nil, fmt.Errorf("sealing the payload: %w", err)
	}
	b := make([]byte, header1, header1+n+primitive.TagSize)
	b[0] = version1
	random(b[1:header1])
	if b, err = p.AppendTo(b); err != nil {
		return nil, fmt.Errorf("sealing the payload: %w", err)
	}
	if b[header1] > 0x01 {
		return nil, ErrV1 // the envelope's type: seed A knows 0x00 and 0x01
	}
	return m.encrypt(m.k1, b, header1, []byte(m.id))
}

// Open reads a payload of either version and checks all of it before it gives any of it.
//
// It decrypts in place: payload is overwritten whether it opens or not, and the files' data lie in it afterwards.
// Keys made with a passphrase open only what was sealed with one, and the reverse: ErrMismatch.
func (ks Keys) Open(payload []byte) (envelope.Payload, error) {
	m := ks.m.Get()
	if m == nil {
		return envelope.Payload{}, ErrKey
	}
	version, err := Version(payload)
	if err != nil {
		return envelope.Payload{}, err
	}
	if m.locked != NeedsPassphrase(payload) {
		return envelope.Payload{}, ErrMismatch
	}
	if version == version1 {
		return m.open1(payload)
	}
	return m.open2(payload)
}

// Version is 1 or 2, the form of a payload. What is too short to be one or sets a flag that is not known is ErrFormat.
func Version(payload []byte) (int, error) {
	switch {
	case len(payload) == 0:
		return 0, ErrFormat
	case payload[0] != version1 && payload[0] != version2:
		return 0, ErrVersion
	case payload[0] == version1 && len(payload) < header1+primitive.TagSize,
		payload[0] == version2 && len(payload) < header2+primitive.TagSize:
		return 0, ErrFormat
	case payload[0] == version2 && payload[1]&^flagPassphrase != 0:
		return 0, ErrFormat // FORMAT 2.3: an unknown flag may change the meaning of everything after it
	default:
		return int(payload[0]), nil
	}
}

// NeedsPassphrase tells whether a payload was sealed with a passphrase. The flag is authenticated when it is opened;
// until then it is only a hint.
func NeedsPassphrase(payload []byte) bool {
	return len(payload) > 1 && payload[0] == version2 && payload[1]&flagPassphrase != 0
}

func (m *material) flags() byte {
	if m.locked {
		return flagPassphrase
	}
	return 0
}

// aad2 binds the header and the id: a payload moved to another id, or with its flag changed, does not open.
func (m *material) aad2(flags byte) []byte {
	return append([]byte{version2, flags}, m.id...)
}

func (m *material) encrypt(key *[32]byte, b []byte, header int, aad []byte) ([]byte, error) {
	box, err := primitive.SealInPlace(key[:], b[header-primitive.IVSize:header], aad, b[header:])
	if err != nil {
		return nil, fmt.Errorf("sealing the payload: %w", err)
	}
	return b[:header+len(box)], nil
}

func (m *material) open1(payload []byte) (envelope.Payload, error) {
	text, err := primitive.OpenInPlace(m.k1[:], payload[1:header1], []byte(m.id), payload[header1:])
	if err != nil {
		return envelope.Payload{}, ErrOpen
	}
	p, err := envelope.ParseLegacy(text)
	if err != nil {
		return envelope.Payload{}, ErrFormat
	}
	return p, nil
}

func (m *material) open2(payload []byte) (envelope.Payload, error) {
	text, err := primitive.OpenInPlace(m.k2[:], payload[2:header2], m.aad2(payload[1]), payload[header2:])
	if err != nil {
		return envelope.Payload{}, ErrOpen
	}
	text, err = unpad(text)
	if err != nil {
		return envelope.Payload{}, err
	}
	p, err := envelope.Parse(text)
	if err != nil {
		return envelope.Payload{}, ErrFormat
	}
	return p, nil
}
