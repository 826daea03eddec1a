package envelope

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of SafeName in bytes. Most file systems take 255; 120 leaves room for " (2)", a temporary suffix and for
// systems that count UTF-16 units or decompose. An extension is short or it is none.
const (
	maxSafeName  = 120
	maxExtension = 16
)

// SafeName makes a name that can be written into a folder on any system out of what a sender called a file.
// It holds no separator, no control, bidi or zero-width character, none of <>:"|?*, no leading dot or hyphen, no trailing
// dot or space, is no device of Windows, is NFC and at most 120 bytes long, the extension kept.
// If nothing is left it is "file-n". A safe name comes back unchanged. Two names may become the same one.
func SafeName(name string, n int) string {
	name = strings.TrimRight(name, `/\`)
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:] // the sender's folders, "..", and drive letters before a separator are of no use here
	}
	name = norm.NFC.String(strings.Map(safeRune, strings.ToValidUTF8(name, "")))
	name = trimName(name)
	if isDevice(name) {
		name = "_" + name
	}
	name = cutName(name)
	if name == "" {
		return "file-" + strconv.Itoa(n)
	}
	return name
}

// safeRune drops what cannot be seen and replaces what a file system or a shell reads as more than a letter.
func safeRune(r rune) rune {
	switch {
	case strings.ContainsRune(`<>:"|?*`, r):
		return '_' // Windows refuses them; a colon also opens an alternate stream
	case unicode.Is(unicode.Zs, r):
		return ' ' // a look-alike of the space makes two names that differ look the same
	case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return -1 // controls, bidi marks, zero-width characters, fillers, private use
	default:
		return r
	}
}

// trimName takes leading dots, which hide a file or climb, a leading hyphen, which the next command that meets the
// file would read as an option, and trailing dots and spaces, which Windows drops and so makes another name.
func trimName(name string) string {
	return strings.TrimRight(strings.TrimLeft(name, ". -"), ". ")
}

// isDevice tells names that Windows opens as a device whatever folder they are in, with any extension:
// "nul.tar.gz" is NUL.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	// Windows counts the superscript digits as digits here.
	return ok && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}

// cutName cuts the stem, at a rune's border, and keeps the extension: that is what opens the file.
func cutName(name string) string {
	if len(name) <= maxSafeName {
		return name
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= maxExtension {
		ext = name[i:]
	}
	end := maxSafeName - len(ext)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return strings.TrimRight(name[:end], ". ") + ext
}
