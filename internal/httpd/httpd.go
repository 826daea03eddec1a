// Package httpd speaks the HTTP API of a vault: our own dialect, only-once-share's and inigma's, over one set of rules.
// It opens no socket, file or database and can open no secret: it is handed a vault and gives an http.Handler.
//
// Clause numbers are those of internal/wire/PROTOCOL.md.
package httpd

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// Options of a handler. Vault and Log are needed, the rest may be zero.
type Options struct {
	Vault      *vault.Vault
	Log        *slog.Logger
	APIKeys    APIKeys
	Limits     *Limits        // nil limits nothing
	Proxies    []netip.Prefix // whose X-Forwarded-* is believed
	Origins    []string       // other origins whose pages may use the API, "https://example.org"
	MaxPayload int64          // bytes; 0 is DefaultMaxPayload
	PublicURL  *url.URL       // what people reach this server by, if a proxy changes the Host; or nil
	Version    string         // shown by /api/health?verbose
	Now        func() time.Time
}

// DefaultMaxPayload is the largest payload, in bytes.
const DefaultMaxPayload = 64 << 20

// wholeMemory bounds what requests of only-once-share's and inigma's clients may hold at once, unless one alone may need
// more: their payload is a JSON string, which cannot be read in pieces. Our own dialect streams and needs no such bound.
const wholeMemory = 256 << 20

type server struct {
	Options
	proxies proxies
	origins map[string]bool // of Options.Origins
	self    string          // origin of PublicURL, or ""
	csrf    *http.CrossOriginProtection

	compatLimit int64        // bytes of a body
	keptLimit   int64        // of a body with a message
	wholeMost   int64        // bytes of memory for bodies of these two
	wholeHeld   atomic.Int64 // of it, in use
}

// New gives the handler. It fails only if an origin is not one.
func New(o Options) (http.Handler, error) { return newHandler(o, wholeMemory) }

func newHandler(o Options, memory int64) (http.Handler, error) {
	if o.MaxPayload == 0 {
		o.MaxPayload = DefaultMaxPayload
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &server{
		Options: o, proxies: o.Proxies, origins: make(map[string]bool),
		csrf:        http.NewCrossOriginProtection(),
		compatLimit: int64(base64.StdEncoding.EncodedLen(int(o.MaxPayload))) + smallBody,
		keptLimit:   min(int64(base64.StdEncoding.EncodedLen(int(o.MaxPayload))), keptMessage) + keptRoom,
	}
	s.wholeMost = max(memory, heldFor(max(s.compatLimit, s.keptLimit)))
	for _, origin := range o.Origins {
		if err := s.csrf.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("reading the origin %q: %w", origin, err)
		}
		s.origins[origin] = true
	}
	if u := o.PublicURL; u != nil {
		s.self = u.Scheme + "://" + u.Host
		if err := s.csrf.AddTrustedOrigin(s.self); err != nil {
			return nil, fmt.Errorf("reading the public address: %w", err)
		}
	}
	mux := http.NewServeMux()
	for pattern, methods := range s.byPattern() {
		mux.Handle(pattern, methods)
	}
	return s.logged(s.secured(paced(mux))), nil
}
