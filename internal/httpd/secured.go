package httpd

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/hushpost/hushpost/internal/wire"
)

// Headers of every answer. They are slices made once: an answer only points to them.
var (
	hNoStore  = []string{"no-store"}
	hNoSniff  = []string{"nosniff"}
	hReferrer = []string{"no-referrer"}
	hCORP     = []string{"same-origin"}
	hRobots   = []string{"noindex, nofollow, noarchive, nosnippet"}
	hPolicy   = []string{"default-src 'none'; frame-ancestors 'none'; sandbox"}
	hVary     = []string{"Origin, Sec-Fetch-Site"}
	hSTS      = []string{"max-age=63072000; includeSubDomains"}
)

// secured sets the headers that go with everything, and those that only mean something for what a browser may show,
// embed or index: the answer to a GET. No-store also keeps payloads out of caches on disk.
func (s *server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Cache-Control"] = hNoStore
		h["X-Content-Type-Options"] = hNoSniff
		h["Content-Security-Policy"] = hPolicy
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			h["Referrer-Policy"] = hReferrer
			h["Cross-Origin-Resource-Policy"] = hCORP
			h["X-Robots-Tag"] = hRobots
		}
		if s.overTLS(r) {
			h["Strict-Transport-Security"] = hSTS
		}
		if len(s.origins) > 0 {
			h["Vary"] = hVary
		}
		if origin := r.Header.Get("Origin"); s.origins[origin] {
			h["Access-Control-Allow-Origin"] = []string{origin}
			h["Access-Control-Expose-Headers"] = []string{exposed}
		}
		next.ServeHTTP(w, r)
	})
}

// overTLS believes X-Forwarded-Proto from a trusted proxy only.
func (s *server) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if r.Header.Get("X-Forwarded-Proto") != "https" {
		return false
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && s.proxies.trust(plain(peer.Addr()))
}

var (
	exposed = strings.Join([]string{wire.HeaderID, wire.HeaderLeaseExpires, "Retry-After"}, ", ")
	allowed = strings.Join([]string{
		"Authorization", "Content-Type", wire.HeaderLinkHash, wire.HeaderManageHash, wire.HeaderPassphraseHash, wire.HeaderExpiresIn,
	}, ", ")
)

// preflight tells a page of a listed origin what it may do.
func (s *server) preflight(w http.ResponseWriter, r *http.Request, methods string) {
	if s.origins[r.Header.Get("Origin")] && r.Header.Get("Access-Control-Request-Method") != "" {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", methods)
		h.Set("Access-Control-Allow-Headers", allowed)
		h.Set("Access-Control-Max-Age", "600")
	}
}
