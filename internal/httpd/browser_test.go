package httpd_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
)

const listed, unlisted = "https://paste.example.org", "https://evil.example"

func withOrigins(o *httpd.Options) { o.Origins = []string{listed} }

// crossSite is what a browser says when a page of origin calls the API.
func crossSite(origin string) http.Header {
	return http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
}

// TestOtherOrigins: pages of other sites change nothing and read nothing, unless the operator lists them.
func TestOtherOrigins(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*httpd.Options)
		header  http.Header
		allowed bool
	}{
		{"a listed origin", withOrigins, crossSite(listed), true},
		{"another origin", withOrigins, crossSite(unlisted), false},
		{"a lookalike", withOrigins, crossSite(listed + ".evil.example"), false},
		{"by plain http", withOrigins, crossSite(strings.Replace(listed, "https", "http", 1)), false},
		{"a listed origin, where none is", func(*httpd.Options) {}, crossSite(listed), false},
		{"the public address", func(o *httpd.Options) { o.PublicURL = &url.URL{Scheme: "https", Host: "hush.example"} }, http.Header{"Origin": {"https://hush.example"}}, true},
		{"an old browser, another origin", withOrigins, http.Header{"Origin": {unlisted}}, false},
		{"no browser", withOrigins, nil, true},
		{"the page itself", withOrigins, http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.change)
			refused := func(method, op string, s *testenv.Secret) {
				t.Helper()
				if a := w.send(plain[op](w, s, c.header, nil)); (a.Status == http.StatusForbidden) == c.allowed || a.Status >= 500 {
					t.Errorf("%s: %d", op, a.Status)
				}
			}
			waiting, leased, unguarded := w.created(), w.state("leased"), w.state("unguarded")
			for op := range plain {
				method, _, _ := strings.Cut(op, " ")
				switch {
				case op == "GET /api/secrets/{id}":
					refused(method, op, unguarded)
				case method == "GET" || strings.Contains(op, "events"):
				case strings.HasSuffix(op, "/ack"):
					refused(method, op, leased)
				case method == "PUT" || op == "POST /api/secrets":
					refused(method, op, testenv.NewSecret(10))
				default: // whatever comes first ends it, and the rest is refused for another reason than 403
					refused(method, op, waiting)
				}
			}
			cors := c.allowed && c.header.Get("Origin") == listed
			if a := w.send(plain["GET /api/secrets/{id}/meta"](w, leased, c.header, nil)); (a.Header.Get("Access-Control-Allow-Origin") == listed) != cors {
				t.Errorf("reading is allowed to %q", a.Header.Get("Access-Control-Allow-Origin"))
			}
			if !c.allowed {
				w.opens(waiting)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	ask := http.Header{"Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"authorization, content-type, hushpost-link-hash"}}
	for _, on := range []bool{true, false} {
		w := newWorld(t, func(o *httpd.Options) {
			if on {
				withOrigins(o)
			}
		})
		a := w.do("OPTIONS", "/api/secrets/Unknown0", and(crossSite(listed), ask), "")
		if a.Status != http.StatusNoContent || a.Header.Get("Allow") != "DELETE, GET, OPTIONS, PUT" {
			t.Errorf("%d, Allow: %s", a.Status, a.Header.Get("Allow"))
		}
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": listed, "Access-Control-Allow-Methods": "DELETE, GET, OPTIONS, PUT", "Access-Control-Max-Age": "600",
		} {
			if !on {
				want = ""
			}
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		headers := strings.Split(strings.ToLower(a.Header.Get("Access-Control-Allow-Headers")), ", ")
		if on != slices.Contains(headers, "hushpost-link-hash") || on != slices.Contains(headers, "authorization") {
			t.Errorf("headers: %v", headers)
		}
		if a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Error("cookies are nobody's here")
		}
		if b := w.do("OPTIONS", "/api/secrets/Unknown0", and(crossSite(unlisted), ask), ""); b.Header.Get("Access-Control-Allow-Methods") != "" ||
			b.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("to another origin: %v", b.Header)
		}
		if vary := a.Header.Get("Vary"); on != strings.Contains(vary, "Origin") {
			t.Errorf("Vary: %q", vary)
		}
	}
}

// TestTransportSecurity: the header goes with TLS, which only a trusted proxy can vouch for.
func TestTransportSecurity(t *testing.T) {
	for trusted, want := range map[string]bool{"127.0.0.0/8": true, "10.0.0.0/8": false} {
		w := newWorld(t, func(o *httpd.Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix(trusted)} })
		for proto, over := range map[string]bool{"https": want, "http": false, "": false} {
			a := w.do("GET", "/api/health", http.Header{"X-Forwarded-Proto": {proto}}, "")
			if got := a.Header.Get("Strict-Transport-Security") != ""; got != over {
				t.Errorf("behind %s, %q: %v", trusted, proto, got)
			}
		}
	}
}

// TestEveryAnswerIsGuarded asks for what no other test does; that the headers are there, watched sees.
func TestEveryAnswerIsGuarded(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200},
		{"HEAD", "/", 200},
		{"POST", "/", 405},
		{"GET", "/s/Unknown0", 200},
		{"HEAD", "/s/Unknown0", 200},
		{"GET", "/s/%3Cscript%3E", 200},
		{"POST", "/s/Unknown0", 405},
		{"GET", "/nothing", 404},
		{"BREW", "/nothing", 404},
		{"GET", "//api/health", 307},
		{"GET", "/api/../api/health", 307},
		{"HEAD", "/api/health", 200},
		{"HEAD", "/api/openapi.yaml", 200},
		{"HEAD", "/api/secrets/Unknown0", 405},
		{"HEAD", "/api/secrets/Unknown0/meta", 405},
		{"PATCH", "/api/secrets/Unknown0", 405},
		{"POST", "/api/secrets/Unknown0", 405},
		{"GET", "/api/secrets", 405},
		{"GET", "/api/secrets/", 404},
		{"GET", "/api/secrets/Unknown0/open", 405},
		{"GET", "/api/secrets/Unknown0/nothing", 404},
		{"GET", "/api/secrets/Unknown0%2Fmeta", 400},
		{"OPTIONS", "/api/events", 204},
	} {
		a := w.do(c.method, c.path, nil, "")
		if a.Status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, a.Status, c.status)
		}
		if a.Status == http.StatusMethodNotAllowed && a.Header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
		if strings.Contains(string(a.Body), "<script>") {
			t.Errorf("%s %s: the path comes back", c.method, c.path)
		}
	}
}
