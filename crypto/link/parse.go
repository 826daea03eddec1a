package link

import (
	"errors"
	"net/url"
	"strings"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
	"github.com/hushpost/hushpost/crypto/seal"
)

// maxLen bounds the work on a string from outside. The longest link, sealed to a key of 4096 bits, has under 1,000
// characters; the rest is for what gateways append.
const maxLen = 16 << 10

// Parse reads a link, after the repairs of FORMAT 3.1. A string that leads to a secret of ours but whose fragment is
// missing or not whole is ErrDamaged, everything else that is no link ErrNotLink.
//
// A link without a scheme is read as https: chat clients and people drop it, and https is the safe guess.
// http is accepted; whether to talk to such a server is for the one who would.
func Parse(s string) (Link, error) {
	if len(s) > maxLen {
		return Link{}, ErrNotLink
	}
	s = repair(s)
	err := ErrNotLink
	for _, at := range splits(s) {
		l, e := parse(s[:at.start], s[at.end:])
		if e == nil {
			return l, nil
		}
		// The most telling answer wins: one reading of the string that is a link with a bad key makes it a damaged link.
		if errors.Is(e, ErrDamaged) {
			err = ErrDamaged
		}
	}
	return Link{}, err
}

// parse reads a link whose fragment has been found.
func parse(address, fragment string) (Link, error) {
	// A parameter may hold an address of its own; only what stands before the first slash is a scheme.
	if i := strings.Index(address, "://"); i < 0 || strings.ContainsAny(address[:i], "/?") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return Link{}, ErrNotLink // url.Error quotes the address
	}
	l, err := locate(u)
	if err != nil {
		return Link{}, err
	}
	if lang := u.Query().Get("lng"); isLang(lang) {
		l.Lang = lang
	}
	// Every other parameter is dropped: gateways add their own, and none is ours.
	fragment = cleanFragment(fragment)
	found, err := readSecret(&l, fragment)
	if err != nil {
		return Link{}, err
	}
	l.secret = opaque.Of(found)
	return l, nil
}

// locate finds base, kind and reference in the address. Kept links are told from one-time links by path, sealed ones
// only by their fragment.
func locate(u *url.URL) (Link, error) {
	path := strings.TrimRight(u.EscapedPath(), "/")
	cut := strings.LastIndexByte(path, '/')
	if cut < 0 {
		return Link{}, ErrNotLink
	}
	prefix, ref := path[:cut], path[cut+1:]
	l := Link{Ref: ref}
	switch {
	case ref == "view":
		l.Kind, l.Ref = Kept, u.Query().Get("view")
	case strings.HasSuffix(prefix, "/s"):
		l.Kind, prefix = OneTime, strings.TrimSuffix(prefix, "/s")
	case strings.HasSuffix(prefix, "/c"):
		l.Kind, prefix = Ticket, strings.TrimSuffix(prefix, "/c")
	default:
		return Link{}, ErrNotLink
	}
	base, err := makeBase(u, prefix)
	if err != nil || (l.Kind == Kept && l.Ref == "") {
		return Link{}, ErrNotLink
	}
	if !refFits(l.Kind, l.Ref) {
		// Cut off before its fragment, or a page of somebody else that has the same shape. Of the two only a link of
		// ours is worth asking for again, and its references have these characters and no more than an id's.
		if len(l.Ref) <= maxRef && only(l.Ref, refAlphabet) {
			return Link{}, ErrDamaged
		}
		return Link{}, ErrNotLink
	}
	l.Base = base
	return l, nil
}

// readSecret reads the fragment as the kind has it, and makes a one-time link that starts its fragment with ~ a sealed one.
func readSecret(l *Link, fragment string) (*secret, error) {
	var s secret
	var err error
	wrapped, isSealed := strings.CutPrefix(fragment, "~")
	switch {
	case l.Kind == OneTime && isSealed:
		l.Kind = Sealed
		s.wrapped, err = b64u.DecodeString(wrapped)
		if err == nil && !wrappedSize(len(s.wrapped)) {
			err = ErrDamaged
		}
	case l.Kind == OneTime:
		s.key, err = seal.ParseKey(fragment)
	case l.Kind == Kept:
		material, ok := strings.CutPrefix(fragment, "key=")
		if !ok {
			return nil, ErrDamaged
		}
		s.kept, err = seal.ParseKept(material)
	case l.Kind == Ticket:
		s.token, err = seal.ParseToken(fragment)
	}
	if err != nil {
		return nil, ErrDamaged
	}
	return &s, nil
}
