package link

import (
	"net/url"
	"strings"

	"github.com/hushpost/hushpost/crypto/seal"
)

const (
	alnum       = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	refAlphabet = alnum + "-_"

	aliasLen  = 8  // PROTOCOL 1
	viewLen   = 25 // PROTOCOL 5
	ticketLen = 22 // b64u of 16 bytes, PROTOCOL 6.1
	maxRef    = 36 // an id

	// A wrapped key is as long as the recipient's modulus, 2048 to 4096 bits.
	minWrapped = 256
	maxWrapped = 512
)

// ParseBase brings a server's address into the form of Link.Base: scheme and host in lower case, no trailing slash.
// User and password, query and fragment are ErrBase: none belongs in a link, and a password would travel with it.
func ParseBase(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#") {
		return "", ErrBase // url.Error quotes the address
	}
	return makeBase(u, strings.TrimRight(u.EscapedPath(), "/"))
}

func makeBase(u *url.URL, prefix string) (string, error) {
	if (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || u.Opaque != "" || u.Hostname() == "" {
		return "", ErrBase
	}
	// A host ends up in Link.String and in what is typed and compared by eye: nothing but what hosts are made of.
	// Names in other alphabets come as punycode; lower case comes after the check, for it makes a k of a Kelvin sign.
	if !only(u.Host, alnum+"-._:[]") || strings.HasSuffix(u.Host, ":") {
		return "", ErrBase
	}
	host := strings.ToLower(u.Host)
	if prefix != "" {
		for part := range strings.SplitSeq(prefix[1:], "/") {
			if part == "" || part == "." || part == ".." || !only(part, refAlphabet+".~") {
				return "", ErrBase
			}
		}
	}
	return u.Scheme + "://" + host + prefix, nil
}

// refFits checks the reference's form (PROTOCOL 1, 5 and 6.1). The id is taken in place of the alias (FORMAT 3.1).
func refFits(k Kind, ref string) bool {
	switch k {
	case OneTime, Sealed:
		_, err := seal.ParseID(ref)
		return err == nil || (len(ref) == aliasLen && only(ref, alnum))
	case Kept:
		return len(ref) == viewLen && only(ref, refAlphabet)
	case Ticket:
		id, err := b64u.DecodeString(ref)
		return err == nil && len(id) == 16 && len(ref) == ticketLen
	default:
		return false
	}
}

// isLang takes tags like "de" and "pt-BR": two or three letters, and at most one subtag.
func isLang(s string) bool {
	primary, sub, more := strings.Cut(s, "-")
	if len(primary) < 2 || len(primary) > 3 || !only(primary, alnum[:52]) {
		return false
	}
	return !more || (len(sub) >= 2 && len(sub) <= 8 && only(sub, alnum))
}

func wrappedSize(n int) bool { return n >= minWrapped && n <= maxWrapped }

func only(s, alphabet string) bool { return strings.Trim(s, alphabet) == "" }
