package envelope_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/hushpost/hushpost/crypto/envelope"
)

func TestSafeName(t *testing.T) {
	long := strings.Repeat("ä", 100)
	tests := []struct{ in, want string }{
		{"key.pem", "key.pem"},
		{"schlüssel.pem", "schlüssel.pem"},
		{"schlu\u0308ssel.pem", "schlüssel.pem"},
		{"", "file-7"},
		{".", "file-7"},
		{"..", "file-7"},
		{"...", "file-7"},
		{"/", "file-7"},
		{" ", "file-7"},
		{"\u200b", "file-7"},
		{"\xff", "file-7"},
		{"../../etc/passwd", "passwd"},
		{`..\..\boot.ini`, "boot.ini"},
		{`C:\Users\me\key.pem`, "key.pem"},
		{"/etc/passwd", "passwd"},
		{"folder/", "folder"},
		{"a/..", "file-7"},
		{"C:evil", "C_evil"},
		{"a.txt:stream", "a.txt_stream"},
		{".bashrc", "bashrc"},
		{"-rf", "rf"},
		{"--", "file-7"},
		{"name.", "name"},
		{"name. . ", "name"},
		{" name", "name"},
		{"a\x00b\nc\td\x7fe", "abcde"},
		{"a\u0085b", "ab"},
		{"gpj\u202e.exe", "gpj.exe"},
		{"a\u2066b\u2069", "ab"},
		{"a\u200d\ufeffb", "ab"},
		{"a\u2028b", "ab"},
		{"\u3164", "file-7"},
		{"a\ufe0fb", "ab"},
		{"a\u00a0b", "a b"},
		{"a\u3000b", "a b"},
		{`what?*<>|".txt`, "what______.txt"},
		{"CON", "_CON"},
		{"con.txt", "_con.txt"},
		{"nul.tar.gz", "_nul.tar.gz"},
		{"Com1", "_Com1"},
		{"lpt9.x", "_lpt9.x"},
		{"COM¹", "_COM¹"},
		{"aux .txt", "_aux .txt"},
		{"CONIN$", "_CONIN$"},
		{"COM", "COM"},
		{"COM10", "COM10"},
		{"console", "console"},
		{"null", "null"},
		{"c\u200bon", "_con"},
		{strings.Repeat("n", 130), strings.Repeat("n", 120)},
		{strings.Repeat("n", 130) + ".tar", strings.Repeat("n", 116) + ".tar"},
		{long + ".pem", strings.Repeat("ä", 58) + ".pem"},
		{"x" + long + ".pem", "x" + strings.Repeat("ä", 57) + ".pem"},
		{"a." + strings.Repeat("n", 130), "a." + strings.Repeat("n", 118)},
		{strings.Repeat("n", 119) + " tail", strings.Repeat("n", 119)},
	}
	for _, tt := range tests {
		if got := envelope.SafeName(tt.in, 7); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"key.pem", "../x", "con.txt", "a\u202eb", strings.Repeat("ä", 100) + ".pem", "e\u0301", "-x", "\u1100\u1161\u11a8", "\u200b\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		s := envelope.SafeName(in, 1)
		switch {
		case s == "" || len(s) > 120:
			t.Fatalf("%q: %d bytes", in, len(s))
		case !utf8.ValidString(s) || !norm.NFC.IsNormalString(s):
			t.Fatalf("%q: %q is not UTF-8 in NFC", in, s)
		case strings.ContainsAny(s, `/\<>:"|?*`) || strings.IndexFunc(s, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }) >= 0:
			t.Fatalf("%q: %q holds a forbidden character", in, s)
		case strings.HasPrefix(s, ".") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, " ") || strings.HasSuffix(s, ".") || strings.HasSuffix(s, " "):
			t.Fatalf("%q: %q begins or ends badly", in, s)
		}
		if again := envelope.SafeName(s, 1); again != s {
			t.Fatalf("%q: %q becomes %q", in, s, again)
		}
	})
}
