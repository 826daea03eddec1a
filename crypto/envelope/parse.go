package envelope

import "encoding/binary"

// Parse reads the envelope of a version-2 payload. It is strict: an unknown type, a length beyond the data, bytes
// after the last file, text or names that are not UTF-8 and media types that are not printable ASCII are ErrFormat.
// Only our own writers make version 2, and none of them writes such a thing.
//
// File.Data aliases b: a large file is not copied. Text, Name and Type are copies.
func Parse(b []byte) (Payload, error) {
	p, known, err := parse(b)
	if err != nil {
		return Payload{}, err
	}
	if !known || p.check() != nil {
		return Payload{}, ErrFormat
	}
	return p, nil
}

// ParseLegacy reads the envelope of a version-1 payload: an unknown first byte means that the whole is text, as it
// was before envelopes had types (FORMAT 2.1). A known type is still checked against its lengths.
//
// Text need not be UTF-8 here. Version 1 has no lease: by the time anybody reads this the server has erased the secret,
// so refusing it would destroy it, and clients of that version sealed whatever bytes they were given.
// For the same reason names and media types are taken as written. File.Data aliases b.
func ParseLegacy(b []byte) (Payload, error) {
	p, known, err := parse(b)
	if err != nil {
		return Payload{}, err
	}
	if !known {
		return Payload{Text: string(b)}, nil
	}
	return p, nil
}

// parse tells in known whether the first byte is a type; the empty envelope is the empty text in both versions.
func parse(b []byte) (p Payload, known bool, err error) {
	if len(b) == 0 {
		return Payload{}, true, nil
	}
	r := reader{rest: b[1:]}
	switch b[0] {
	case typeText:
		p.Text = string(b[1:])
	case typeImage:
		p.Text = string(r.take(r.u32()))
		mime := string(r.take(r.u8()))
		// Whatever is left is the image: the type has no length for it and so no end to check.
		p.Files = []File{{Type: mime, Data: r.take(uint64(len(r.rest)))}}
	case typeFiles:
		p.Text = string(r.take(r.u32()))
		p.Files = r.files(r.u16())
		r.bad = r.bad || len(r.rest) > 0
	default:
		return Payload{}, false, nil
	}
	if r.bad {
		return Payload{}, true, ErrFormat
	}
	return p, true, nil
}

// reader takes bytes off the front. The first take beyond the end spoils it, and from then on it gives nothing,
// so that one look at bad at the end covers every length (FORMAT 2.1: each MUST be checked against what is left).
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	// The capacity ends with the field: an append to one file must not write into the next.
	field := r.rest[:n:n]
	r.rest = r.rest[n:]
	return field
}

func (r *reader) u8() uint64 {
	if b := r.take(1); b != nil {
		return uint64(b[0])
	}
	return 0
}

func (r *reader) u16() uint64 {
	if b := r.take(2); b != nil {
		return uint64(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32() uint64 {
	if b := r.take(4); b != nil {
		return uint64(binary.BigEndian.Uint32(b))
	}
	return 0
}

// files reads n files. It grows the list as files turn up and never by n: the count is a claim of two bytes.
func (r *reader) files(n uint64) []File {
	var files []File
	for range n {
		name := string(r.take(r.u16()))
		mime := string(r.take(r.u8()))
		data := r.take(r.u32())
		if r.bad {
			return nil
		}
		files = append(files, File{Name: name, Type: mime, Data: data})
	}
	return files
}
