package httpd_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// visitors are those who look at links that were not sent to them: what they say of themselves.
var visitors = map[string]http.Header{
	"Slack":          {"User-Agent": {"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}, "Range": {"bytes=0-32768"}},
	"Teams":          {"User-Agent": {"Mozilla/5.0 (compatible; MicrosoftPreview/2.0; +https://aka.ms/MicrosoftPreview)"}},
	"Safe Links":     {"User-Agent": {"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0.0.0 Safari/537.36"}, "X-Forwarded-For": {"40.94.0.1"}},
	"WhatsApp":       {"User-Agent": {"WhatsApp/2.23 A"}},
	"Proofpoint":     {"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}, "Connection": {"close"}},
	"a search robot": {"User-Agent": {"Googlebot/2.1"}, "If-Modified-Since": {"Mon, 23 Nov 2026 12:00:00 GMT"}},
}

// browsers is how a browser asks without its user wanting the secret.
var browsers = map[string]http.Header{
	"navigation":      {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"none"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-User": {"?1"}},
	"own navigation":  {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"document"}},
	"frame":           {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"iframe"}},
	"image":           {"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Dest": {"image"}},
	"own image":       {"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"image"}},
	"prefetch":        {"Sec-Purpose": {"prefetch"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-origin"}},
	"prerender":       {"Sec-Purpose": {"prefetch;prerender"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"none"}},
	"old prefetch":    {"Purpose": {"prefetch"}},
	"old Firefox":     {"X-Moz": {"prefetch"}},
	"other site":      {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}},
	"sibling site":    {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Site": {"same-site"}, "Origin": {"https://other.example"}},
	"old browser":     {"Origin": {"https://evil.example"}},
	"sandboxed frame": {"Origin": {"null"}},
}

// looking are the methods that must never change anything (PROTOCOL 4.7), also those nobody implements.
var looking = []string{"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "SEARCH"}

// places gives every URL in which a name of s can stand, as it was sent and as mail gateways mangle it.
func places(s *testenv.Secret) (links, api []string) {
	for _, ref := range []string{s.ID, s.Alias} {
		links = append(links, "/s/"+ref, "/s/"+ref+"/", "/s/"+ref+"%23c29tZSBrZXkgdGhhdCBpcyBub3Qgb25l", "/s/"+ref+"?utm_source=mail", "//s/"+ref)
		for _, tail := range []string{"", "/", "/id", "/meta", "/open", "/ack", "/decline", "/status", "?open", "/open?reader=AAAAAAAAAAAAAAAAAAAAAA"} {
			api = append(api, "/api/secrets/"+ref+tail)
		}
	}
	return links, api
}

// TestScannersChangeNothing sends a zoo of them to every URL of secrets that wait.
func TestScannersChangeNothing(t *testing.T) {
	w := newWorld(t)
	guarded, kept, unguarded := w.created(), w.state("kept"), w.state("unguarded")
	before := w.outside(guarded)
	for _, s := range []*testenv.Secret{guarded, kept, unguarded} {
		links, api := places(s)
		for _, method := range looking {
			for name, h := range visitors {
				for _, path := range append(links, api...) {
					// Whoever knows the alias of an only-once-share secret can use it up by GET: PROTOCOL 4.8 says so.
					if s == unguarded && method == "GET" && strings.HasPrefix(path, "/api/secrets/") && len(strings.Split(path, "/")) == 4 {
						continue
					}
					w.visit(name, method, path, h)
				}
			}
			for name, h := range browsers {
				for _, path := range append(links, api...) {
					w.visit(name, method, path, h)
				}
			}
		}
	}
	if after := w.outside(guarded); after != before {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
	w.opens(guarded)
	w.opens(kept)
	if a := w.do("GET", "/api/secrets/"+unguarded.Alias, nil, ""); a.Status != http.StatusOK || testenv.JSON[wire.CompatSecret](t, a).Ciphertext != "QUJD" {
		t.Errorf("the unguarded secret: %d %s", a.Status, a.Body)
	}
}

// TestButtonsWithoutTheKeyChangeNothing: a scanner that runs scripts and presses everything has no link token, since
// the fragment is not sent to it or was cut off.
func TestButtonsWithoutTheKeyChangeNothing(t *testing.T) {
	w := newWorld(t)
	s := w.created()
	for name, h := range visitors {
		for _, tail := range []string{"/open", "/ack", "/decline"} {
			a := w.do("POST", "/api/secrets/"+s.Ref+tail, and(typeJSON, h), `{"reader":"AAAAAAAAAAAAAAAAAAAAAA"}`)
			if a.Status != http.StatusNotFound {
				t.Errorf("%s: %d", name, a.Status)
			}
		}
		if a := w.do("DELETE", "/api/secrets/"+s.Ref, h, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	w.opens(s)
}

// visit asks, and finds answers that hold a payload.
func (w *world) visit(name, method, path string, h http.Header) {
	w.t.Helper()
	a := w.do(method, path, h, "")
	if a.Status >= http.StatusInternalServerError || a.Header.Get("Content-Type") == wire.PayloadType || strings.Contains(string(a.Body), "ciphertext") {
		w.t.Fatalf("%s: %s %s: %d %s", name, method, path, a.Status, a.Header.Get("Content-Type"))
	}
	if method != "GET" && method != "OPTIONS" && strings.HasPrefix(path, "/api/secrets/") && a.Status < 400 {
		w.t.Fatalf("%s: %s %s: %d", name, method, path, a.Status)
	}
}

// outside is everything that its holders can see of s.
func (w *world) outside(s *testenv.Secret) string {
	w.t.Helper()
	return string(w.must(http.StatusOK, w.Meta, s).Body) + string(w.must(http.StatusOK, w.Status, s).Body)
}
