package link_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
)

const (
	alias  = "aB3dE6gH"
	id     = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
	view   = "abcdefghijklmnopqrstuv-_5"
	ticket = "AAECAwQFBgcICQoLDA0ODw"
	key    = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	kept   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabc-_f"
)

func wrapped(n int) []byte { return bytes.Repeat([]byte{0xa5}, n) }

func sealedFragment(n int) string { return "~" + base64.RawURLEncoding.EncodeToString(wrapped(n)) }

func TestRevealAndParse(t *testing.T) {
	k, _ := seal.ParseKey(key)
	s, _ := seal.ParseKept(kept)
	tok, _ := seal.ParseToken(key)
	tests := []struct {
		want string
		make func() (link.Link, error)
		kind link.Kind
	}{
		{"https://h.example/s/" + alias + "#" + key, func() (link.Link, error) { return link.NewOneTime("https://h.example", alias, k) }, link.OneTime},
		{"https://h.example/s/" + id + "#" + key, func() (link.Link, error) { return link.NewOneTime("https://h.example/", id, k) }, link.OneTime},
		{"http://[::1]:8080/a/b/s/" + alias + "#" + key, func() (link.Link, error) { return link.NewOneTime("HTTP://[::1]:8080/a/b/", alias, k) }, link.OneTime},
		{"https://h.example/s/" + alias + "#" + sealedFragment(256), func() (link.Link, error) { return link.NewSealed("https://H.example", alias, wrapped(256)) }, link.Sealed},
		{"https://h.example/s/" + alias + "#" + sealedFragment(512), func() (link.Link, error) { return link.NewSealed("https://h.example", alias, wrapped(512)) }, link.Sealed},
		{"https://h.example/view?view=" + view + "#key=" + kept, func() (link.Link, error) { return link.NewKept("https://h.example", view, s) }, link.Kept},
		{"https://h.example/p/c/" + ticket + "#" + key, func() (link.Link, error) { return link.NewTicket("https://h.example/p", ticket, tok) }, link.Ticket},
	}
	for _, tt := range tests {
		l, err := tt.make()
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
			continue
		}
		for _, lang := range []string{"", "de", "pt-BR"} {
			l.Lang = lang
			got, err := link.Parse(l.Reveal())
			if err != nil || got.Kind != tt.kind || got.Lang != lang || got.Reveal() != l.Reveal() || got.Ref != l.Ref || got.Base != l.Base {
				t.Errorf("%s in %q: read back as %s, %v", tt.want, lang, got.Kind, err)
			}
		}
		if l.Lang = ""; l.Reveal() != tt.want {
			t.Errorf("got %s, want %s", l.Reveal(), tt.want)
		}
		l.Lang = "de#x"
		if l.Reveal() != tt.want {
			t.Errorf("a bad language gives %s", l.Reveal())
		}
	}
}

func TestKeyMaterialByKind(t *testing.T) {
	for url, want := range map[string]link.Kind{
		"https://h/s/" + alias + "#" + key:                 link.OneTime,
		"https://h/s/" + alias + "#" + sealedFragment(256): link.Sealed,
		"https://h/view?view=" + view + "#key=" + kept:     link.Kept,
		"https://h/c/" + ticket + "#" + key:                link.Ticket,
	} {
		l, err := link.Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		k, isKey := l.Key()
		w, isWrapped := l.Wrapped()
		s, isKept := l.Kept()
		tok, isToken := l.Token()
		if l.Kind != want || isKey != (want == link.OneTime) || isWrapped != (want == link.Sealed) || isKept != (want == link.Kept) || isToken != (want == link.Ticket) {
			t.Errorf("%s: wrong material", want)
		}
		if (isKey && k.Encode() != key) || (isWrapped && !bytes.Equal(w, wrapped(256))) || (isKept && s.Encode() != kept) || (isToken && tok.Reveal() != key) {
			t.Errorf("%s: altered material", want)
		}
	}
}

func TestRepairs(t *testing.T) {
	const good = "https://h.example/s/" + alias + "#" + key
	const german = "https://h.example/s/" + alias + "?lng=de#" + key
	tests := map[string]struct{ in, want string }{
		"nothing to do":             {good, good},
		"escaped #":                 {"https://h.example/s/" + alias + "%23" + key, good},
		"escaped twice":             {"https://h.example/s/" + alias + "%2523" + key, good},
		"escaped three times":       {"https://h.example/s/" + alias + "%252523" + key, good},
		"escaped behind a language": {"https://h.example/s/" + alias + "?lng=de%23" + key, german},
		"escaped, then parameters":  {"https://h.example/s/" + alias + "%23" + key + "?utm_source=x&y=z", good},
		"escaped, then a #":         {"https://h.example/s/" + alias + "%23" + key + "#", good},
		"parameters at the end":     {good + "&fbclid=abc", good},
		"parameters before":         {"https://h.example/s/" + alias + "?utm_source=a%23b&lng=de&fbclid=x#" + key, german},
		"an address as a parameter": {"h.example/s/" + alias + "?from=https://mail.example/x#" + key, good},
		"angle brackets":            {"<" + good + ">", good},
		"as Slack writes it":        {"<" + good + "|a secret>", good},
		"escaped angle bracket":     {good + "%3E", good},
		"escaped line break":        {good + "%0D%0A", good},
		"comma":                     {good + ",", good},
		"full stop and parenthesis": {"(" + good + ").", good},
		"square bracket":            {"[" + good + "]", good},
		"quotes":                    {`"` + good + `"`, good},
		"apostrophe":                {"'" + good + "'", good},
		"typographic quotes":        {"„" + good + "“", good},
		"line break at the end":     {good + "\r\n", good},
		"wrapped by a mail program": {good[:40] + "\r\n" + good[40:], good},
		"wrapped in the address":    {"https://h.exam\n ple/s/" + alias + "#" + key, good},
		"indented":                  {"  \t" + good + " ", good},
		"no-break space":            {good + "\u00a0", good},
		"zero-width characters":     {"\ufeff" + good[:30] + "\u200b" + good[30:] + "\u2060", good},
		"soft hyphen":               {good[:50] + "\u00ad" + good[50:], good},
		"no scheme":                 {good[len("https://"):], good},
		"upper-case scheme":         {"HTTPS://H.Example" + good[len("https://h.example"):], good},
		"slash behind the alias":    {"https://h.example/s/" + alias + "/#" + key, good},
		"slash behind the key":      {good + "/", good},
		"bad language":              {"https://h.example/s/" + alias + "?lng=%22%3E#" + key, good},
		"escaped tilde":             {"https://h.example/s/" + alias + "#%7E" + sealedFragment(256)[1:], "https://h.example/s/" + alias + "#" + sealedFragment(256)},
		"escaped equals sign":       {"https://h.example/view?view=" + view + "%23key%3D" + kept, "https://h.example/view?view=" + view + "#key=" + kept},
		"kept, parameters around":   {"https://h.example/view?utm=1&view=" + view + "&x=y#key=" + kept + "&z=1", "https://h.example/view?view=" + view + "#key=" + kept},
	}
	for name, tt := range tests {
		l, err := link.Parse(tt.in)
		if err != nil || l.Reveal() != tt.want {
			t.Errorf("%s: %q gives %q, %v", name, tt.in, l.Reveal(), err)
		}
	}
}

func TestDamaged(t *testing.T) {
	for name, in := range map[string]string{
		"no fragment":             "https://h/s/" + alias,
		"empty fragment":          "https://h/s/" + alias + "#",
		"short":                   "https://h/s/" + alias + "#" + key[:42],
		"long":                    "https://h/s/" + alias + "#" + key + "A",
		"escaped and short":       "https://h/s/" + alias + "%23" + key[:42],
		"foreign character":       "https://h/s/" + alias + "#" + key[:20] + "+" + key[21:],
		"trailing bits":           "https://h/s/" + alias + "#" + key[:42] + "9",
		"id and no fragment":      "https://h/s/" + id,
		"cut in the alias":        "https://h/s/" + alias[:5],
		"cut in the id":           "https://h/s/" + id[:20],
		"alias of nine":           "https://h/s/" + alias + "x#" + key,
		"sealed and short":        "https://h/s/" + alias + "#" + sealedFragment(255),
		"sealed and cut":          "https://h/s/" + alias + "#" + sealedFragment(256)[:340],
		"sealed and long":         "https://h/s/" + alias + "#" + sealedFragment(513),
		"sealed and empty":        "https://h/s/" + alias + "#~",
		"kept without key=":       "https://h/view?view=" + view + "#" + kept,
		"kept without fragment":   "https://h/view?view=" + view,
		"kept and short":          "https://h/view?view=" + view + "#key=abc",
		"kept, cut in the id":     "https://h/view?view=abc",
		"ticket without fragment": "https://h/c/" + ticket,
		"ticket, cut in the id":   "https://h/c/" + ticket[:21] + "#" + key,
		"text behind it":          "https://h/s/" + alias + "#" + key + " and so on",
	} {
		if l, err := link.Parse(in); !errors.Is(err, link.ErrDamaged) || l.Reveal() != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotLink(t *testing.T) {
	for name, in := range map[string]string{
		"empty":                 "",
		"words":                 "correct horse battery staple",
		"a key alone":           key,
		"another page":          "https://h/about#" + key,
		"the server":            "https://h/",
		"no reference":          "https://h/s/#" + key,
		"reference of no form":  "https://h/s/a.b#" + key,
		"kept without an id":    "https://h/view#key=" + kept,
		"user and password":     "https://u:p@h/s/" + alias + "#" + key,
		"user":                  "https://u@h/s/" + alias + "#" + key,
		"no host":               "https:///s/" + alias + "#" + key,
		"no host but a port":    "https://:80/s/" + alias + "#" + key,
		"another scheme":        "ftp://h/s/" + alias + "#" + key,
		"script":                "javascript:alert(1)//h/s/" + alias + "#" + key,
		"file":                  "file:///s/" + alias + "#" + key,
		"climbing prefix":       "https://h/../s/" + alias + "#" + key,
		"escaped prefix":        "https://h/%2e%2e/s/" + alias + "#" + key,
		"empty part of prefix":  "https://h//s/" + alias + "#" + key,
		"strange host":          "https://h<b>/s/" + alias + "#" + key,
		"host in other letters": "https://hоst.example/s/" + alias + "#" + key,
		"port that is none":     "https://h:x/s/" + alias + "#" + key,
		"text before it":        "see https://h/s/" + alias + "#" + key,
		"endless":               "https://h/s/" + alias + "#" + strings.Repeat("A", 20_000),
	} {
		if l, err := link.Parse(in); !errors.Is(err, link.ErrNotLink) || l.Reveal() != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseBase(t *testing.T) {
	for in, want := range map[string]string{
		"https://h.example": "https://h.example", "https://H.example/": "https://h.example", "http://localhost:8080": "http://localhost:8080",
		"https://h/prefix/": "https://h/prefix", "http://[::1]:1/x/y": "http://[::1]:1/x/y",
		"": "", "h.example": "", "localhost:8080": "", "ftp://h": "", "https://": "", "https://u:p@h": "", "https://h?x=y": "", "https://h?": "",
		"https://h#x": "", "https://h#": "", "https://h/a//b": "", "https://h/a/../b": "", "https://h/a b": "", "https://h:": "", "mailto:a@h": "",
		"https://ban\u212a.example": "", "https://ban%E2%84%AA.example": "", "https://\u0130nternal": "", // lower case makes ASCII of them
	} {
		got, err := link.ParseBase(in)
		if got != want || (err == nil) != (want != "") || (err != nil && !errors.Is(err, link.ErrBase)) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	k, s, tok := seal.NewKey(), seal.NewKept(), seal.NewToken()
	of := func(_ link.Link, err error) error { return err }
	for name, tt := range map[string]struct{ got, want error }{
		"base":                  {of(link.NewOneTime("h", alias, k)), link.ErrBase},
		"no key":                {of(link.NewOneTime("https://h", alias, seal.Key{})), link.ErrRef},
		"alias":                 {of(link.NewOneTime("https://h", "../../ab", k)), link.ErrRef},
		"id in capitals":        {of(link.NewOneTime("https://h", strings.ToUpper(id), k)), link.ErrRef},
		"wrapped key too short": {of(link.NewSealed("https://h", alias, wrapped(255))), link.ErrRef},
		"wrapped key too long":  {of(link.NewSealed("https://h", alias, wrapped(513))), link.ErrRef},
		"view":                  {of(link.NewKept("https://h", "abc", s)), link.ErrRef},
		"no key material":       {of(link.NewKept("https://h", view, seal.Kept{})), link.ErrRef},
		"ticket":                {of(link.NewTicket("https://h", ticket[:21], tok)), link.ErrRef},
		"no token":              {of(link.NewTicket("https://h", ticket, seal.Token{})), link.ErrRef},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v", name, tt.got)
		}
	}
}

func TestRedaction(t *testing.T) {
	for in, want := range map[string]string{
		"https://h/s/" + alias + "?lng=de#" + key:          "https://h/s/...#...",
		"https://h/s/" + alias + "#" + sealedFragment(256): "https://h/s/...#...",
		"https://h/view?view=" + view + "#key=" + kept:     "https://h/view?view=...#...",
		"https://h/c/" + ticket + "#" + key:                "https://h/c/...#...",
	} {
		l, err := link.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%10s"} {
			if out := fmt.Sprintf(verb, l); out != want {
				t.Errorf("%s prints %s, want %s", verb, out, want)
			}
		}
		type hidden struct{ l link.Link }
		var all bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&all, nil))
		log.Info("m", slog.Any("l", l), slog.Any("p", &l), slog.Any("s", []link.Link{l}))
		slog.New(slog.NewTextHandler(&all, nil)).Info("m", slog.Any("l", l), slog.Any("h", hidden{l}))
		if err := json.NewEncoder(&all).Encode(map[string]any{"l": l, "p": &l}); err != nil {
			t.Fatal(err)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			fmt.Fprintf(&all, verb+verb+verb, hidden{l}, &hidden{l}, []link.Link{l})
		}
		fmt.Fprintln(&all, fmt.Errorf("opening %v: %w", l, link.ErrDamaged))
		raw, _ := base64.RawURLEncoding.DecodeString(key)
		for _, secret := range []string{key, kept, sealedFragment(256), hex.EncodeToString(raw), hex.EncodeToString([]byte(key)), hex.EncodeToString([]byte(kept)), "165 165 165", "a5a5a5"} {
			if strings.Contains(all.String(), secret) {
				t.Errorf("%s: %.8s… shows", want, secret)
			}
		}
	}
	if s := (link.Link{Base: "https://h", Kind: link.OneTime, Ref: alias}); s.Reveal() != "" || strings.Contains(s.String(), alias) {
		t.Error("a link without a key reveals something")
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	for _, in := range []string{"https://h:bad-canary/s/x#" + key, "canary", "https://canary/s/x", "https://h/s/" + alias + "#canary"} {
		if _, err := link.Parse(in); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := link.ParseBase("https://h:bad-canary"); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"https://h/s/" + alias + "#" + key, "<http://[::1]:8080/p/s/" + id + "?lng=de%23" + key + ">.", "h/s/" + alias + "%2523" + key,
		"https://h/s/" + alias + "#" + sealedFragment(256), "https://h/view?view=" + view + "#key=" + kept, "https://h/c/" + ticket + "#" + key,
		"https://h/s/" + alias, "https://u:p@h/s/" + alias, "%", "#", "://", "//s/", "/view?view=", "https://h/s/%23%23#%25",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		l, err := link.Parse(in)
		if err != nil {
			if (!errors.Is(err, link.ErrDamaged) && !errors.Is(err, link.ErrNotLink)) || l.Reveal() != "" {
				t.Fatalf("got %v", err)
			}
			return
		}
		canonical := l.Reveal()
		again, err := link.Parse(canonical)
		if err != nil || again.Reveal() != canonical || again.Kind != l.Kind {
			t.Fatalf("%q: %q is not read as itself, %v", in, canonical, err)
		}
		if base, err := link.ParseBase(l.Base); err != nil || base != l.Base {
			t.Fatalf("%q: base %q, %v", in, l.Base, err)
		}
		for _, mangled := range []string{"<" + canonical + ">", canonical + ").", strings.Replace(canonical, "#", "%2523", 1), canonical[:len(canonical)/2] + "\r\n" + canonical[len(canonical)/2:]} {
			if m, err := link.Parse(mangled); err != nil || m.Reveal() != canonical {
				t.Fatalf("%q is not repaired, %v", mangled, err)
			}
		}
	})
}
