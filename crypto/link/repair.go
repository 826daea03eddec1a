package link

import (
	"net/url"
	"strings"
	"unicode"
)

// What stands around a link when it is copied out of a sentence, or is put there by a client that makes it clickable.
// None of these characters can begin or end a link: a fragment ends in a letter, a digit, - or _.
const (
	opening = "<([{\"'`“‘«„*"
	closing = ">)]}\"'`”’»“.,;:!?*…"
)

// repair undoes what happens to a link as a whole (FORMAT 3.1): mail programs wrap it, so white space and line breaks
// inside go; chat clients slip in characters of no width; markup and sentences surround it.
func repair(s string) string {
	s = strings.Map(visible, s)
	if strings.HasPrefix(s, "<") {
		s, _, _ = strings.Cut(s, "|") // <https://…|label>: how Slack writes a link
	}
	return strings.TrimRight(strings.TrimLeft(s, opening), closing)
}

func visible(r rune) rune {
	if unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) {
		return -1
	}
	return r
}

// split is where the # of a link stands, in one of its spellings.
type split struct{ start, end int }

// splits lists the places where the fragment may begin, the best first. Gateways escape # once, and once more each time
// a link is rewritten, so %23, %2523 and %252523 count. A real # comes first: an escaped one before it may
// belong to a parameter that somebody added. At the end of the string there is always one, the missing fragment.
func splits(s string) []split {
	var all []split
	for _, mark := range []string{"#", "%23", "%2523", "%252523"} {
		if i := strings.Index(s, mark); i >= 0 {
			all = append(all, split{i, i + len(mark)})
		}
	}
	if len(all) == 0 {
		all = append(all, split{len(s), len(s)})
	}
	return all
}

// cleanFragment takes off what was appended behind the fragment: a fragment of ours holds no %, ?, & or #, so escapes
// are undone, parameters are somebody else's, and what a sentence left before them goes.
func cleanFragment(s string) string {
	for range 3 { // as often as splits looks for the escaped #
		plain, err := url.PathUnescape(s)
		if err != nil {
			break
		}
		s = strings.Map(visible, plain) // a line break may have been escaped as well
	}
	if i := strings.IndexAny(s, "?&#"); i >= 0 {
		s = s[:i]
	}
	return strings.TrimRight(s, closing+"/")
}
