// Package tty is what hush does with a terminal: showing a stranger's text harmlessly, asking for hidden input, progress.
// It is no styling: there are no colours and nothing moves but the progress line.
package tty

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

// IsTerminal reports whether v, a stream, is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Clean escapes what a terminal would obey instead of showing, and what makes text read otherwise than it is: control
// characters, invalid UTF-8, bidirectional overrides, invisible characters. n counts them. Line ends and tabs stay.
func Clean(s string) (clean string, n int) {
	s = strings.ReplaceAll(s, "\r\n", "\n") // a carriage return alone overwrites the line; before a line feed it does nothing
	var b strings.Builder
	for s != "" {
		r, width := utf8.DecodeRuneInString(s)
		char := s[:width]
		s = s[width:]
		switch {
		case r == utf8.RuneError && width == 1:
			fmt.Fprintf(&b, `\x%02x`, char[0])
		case r == '\n' || r == '\t' || !harmful(r):
			b.WriteString(char)
			continue
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		n++
	}
	return b.String(), n
}

// CleanLine is Clean for text that must stay on its line.
func CleanLine(s string) string {
	s, _ = Clean(s)
	return strings.NewReplacer("\n", `\n`, "\t", " ").Replace(s)
}

// harmful leaves alone the joiners (U+200C, U+200D), without which Persian and many emoji are misspelt, and the
// format characters that are visible (the Arabic number signs).
func harmful(r rune) bool {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), unicode.Is(unicode.Noncharacter_Code_Point, r):
		return true
	case r == 0x00ad, r == 0x180e, r == 0x200b, r == 0xfeff, r == 0x2028, r == 0x2029:
		return true
	}
	return 0x2060 <= r && r <= 0x206f || 0xfff9 <= r && r <= 0xfffb || 0xe0000 <= r && r <= 0xe007f
}

// JSONWriter writes JSON with everything escaped that Clean would escape. In JSON only strings hold such characters,
// and \u means the same to every reader, so nothing is lost and no terminal is harmed.
type JSONWriter struct{ W io.Writer }

func (j JSONWriter) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for _, r := range string(p) { // json.Encoder writes whole documents of valid UTF-8
		switch {
		case r == '\n' || !harmful(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	if _, err := j.W.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// CleanText is Clean without the count.
func CleanText(s string) string {
	s, _ = Clean(s)
	return s
}
