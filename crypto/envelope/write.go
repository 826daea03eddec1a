package envelope

import "encoding/binary"

// Size is the length of the encoded envelope in bytes, so that a caller can allocate once, padding and tag included.
// It fails with ErrText, ErrType or ErrTooLarge exactly when AppendTo does.
func (p Payload) Size() (int, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	// Summed in 64 bits: no sum of 65,535 lengths under 2^33 overflows there, on a 32-bit int it could.
	n := uint64(1) + uint64(len(p.Text))
	switch p.kind() {
	case typeImage:
		f := p.Files[0]
		n += 4 + 1 + uint64(len(f.imageType())) + uint64(len(f.Data))
	case typeFiles:
		n += 4 + 2
		for _, f := range p.Files {
			n += 2 + uint64(len(f.Name)) + 1 + uint64(len(f.Type)) + 4 + uint64(len(f.Data))
		}
	}
	if n > maxInt {
		return 0, ErrTooLarge
	}
	return int(n), nil
}

const maxInt = uint64(^uint(0) >> 1)

// AppendTo appends the encoded envelope to b, in the lowest type that can carry the payload (FORMAT 2.1).
// With Size bytes of spare capacity nothing is allocated.
func (p Payload) AppendTo(b []byte) ([]byte, error) {
	if err := p.check(); err != nil {
		return b, err
	}
	kind := p.kind()
	b = append(b, kind)
	if kind == typeText {
		return append(b, p.Text...), nil
	}
	b = append32(b, p.Text)
	if kind == typeImage {
		f := p.Files[0]
		b = append8(b, f.imageType())
		return append(b, f.Data...), nil
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Files))) //nolint:gosec // check has bounded the count
	for _, f := range p.Files {
		b = append16(b, f.Name)
		b = append8(b, f.Type)
		b = append32(b, f.Data)
	}
	return b, nil
}

func append8(b []byte, s string) []byte {
	return append(append(b, byte(len(s))), s...) //nolint:gosec // check has bounded the length
}

func append16(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s))) //nolint:gosec // check has bounded the length
	return append(b, s...)
}

func append32[T string | []byte](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s))) //nolint:gosec // check has bounded the length
	return append(b, s...)
}
