// Package envelope turns a Payload, what the sender wrote, into the bytes that are sealed, and back.
// It is no cryptography and no file system: it neither seals what it writes nor saves what it reads.
//
// The byte layout is FORMAT 2.1.
package envelope

import (
	"errors"
	"math"
	"unicode/utf8"
)

// The first byte of an envelope (FORMAT 2.1).
const (
	typeText  = 0x00
	typeImage = 0x01
	typeFiles = 0x02
)

// What the length fields can hold (FORMAT 2.1).
const (
	maxType  = math.MaxUint8
	maxName  = math.MaxUint16
	maxFiles = math.MaxUint16
	maxData  = math.MaxUint32
)

var (
	// ErrFormat says that bytes are no envelope of the version they are read as.
	ErrFormat = errors.New("the content is not in a form this program knows")
	// ErrText says that the text or a file's name is not UTF-8: bytes that are no text belong into a file.
	ErrText = errors.New("the text or a file's name is not valid UTF-8")
	// ErrType says that a file's media type is over 255 bytes or not printable ASCII.
	ErrType = errors.New("a file's media type is too long or not printable ASCII")
	// ErrTooLarge says that a length or the number of files does not fit its field.
	ErrTooLarge = errors.New("a text, a file or the number of files is too large for the format")
)

// Payload is a secret in clear: a text, files, or both. The zero value is the empty text.
type Payload struct {
	Text  string
	Files []File
}

// File is one file of a payload. Name and Type are the sender's words: SafeName makes a name fit for a folder,
// and what a file is shown as goes by ImageType, never by Type.
type File struct {
	Name, Type string
	Data       []byte
}

// check finds what a writer must not write. Parse holds version-2 envelopes to the same rules,
// so that whatever it accepts can be written again.
func (p Payload) check() error {
	if !utf8.ValidString(p.Text) {
		return ErrText
	}
	if uint64(len(p.Text)) > maxData || len(p.Files) > maxFiles {
		return ErrTooLarge
	}
	for _, f := range p.Files {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

func (f File) check() error {
	if !utf8.ValidString(f.Name) {
		return ErrText
	}
	if len(f.Type) > maxType {
		return ErrType
	}
	for i := range len(f.Type) {
		// A media type may end up in a header or an attribute: no control characters, nothing that needs an encoding.
		if f.Type[i] < ' ' || f.Type[i] > '~' {
			return ErrType
		}
	}
	if len(f.Name) > maxName || uint64(len(f.Data)) > maxData {
		return ErrTooLarge
	}
	return nil
}

// kind is the lowest type that carries p (FORMAT 2.1): what seed A's clients can read stays readable for them.
func (p Payload) kind() byte {
	switch {
	case len(p.Files) == 0:
		return typeText
	case len(p.Files) == 1 && p.Files[0].plainImage():
		return typeImage
	default:
		return typeFiles
	}
}

// plainImage tells whether a nameless file is an image of the allow-list by content, and is not declared to be
// something else: type 0x01 would lose a name, and must not carry a foreign media type to a reader that believes it.
func (f File) plainImage() bool {
	return f.Name == "" && ImageType(f.Data) != "" && (f.Type == "" || allowed(f.Type))
}

// imageType is the media type that type 0x01 states: the declared one, or what the content is.
func (f File) imageType() string {
	if f.Type != "" {
		return f.Type
	}
	return ImageType(f.Data)
}
