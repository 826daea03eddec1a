package httpd

import (
	"encoding/base64"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// compat is only-once-share's dialect (PROTOCOL 4.8): its clients work unchanged. What they make is guarded by
// nothing but its name, and a GET uses it up.
var compat = dialect{
	kinds: map[vault.Kind]*problem{
		vault.KindNotFound:    refusing(http.StatusNotFound, "", "Secret not found or already viewed"),
		vault.KindEnded:       refusing(http.StatusNotFound, "", "Secret not found or already viewed"),
		vault.KindConflict:    refusing(http.StatusConflict, "", "Secret ID already in use"),
		vault.KindLifetime:    refusing(http.StatusBadRequest, "", "The lifetime is outside what this server allows"),
		vault.KindFull:        refusing(http.StatusInsufficientStorage, "", "The server has no room for new secrets"),
		vault.KindUnavailable: errUnavailable,
	},
	write: func(w http.ResponseWriter, p *problem) {
		writeJSON(w, p.status, struct {
			Error string `json:"error"`
		}{p.body.Error})
	},
}

var (
	errCompatReference = refusing(http.StatusBadRequest, "", "Invalid secret ID")
	errCompatBody      = refusing(http.StatusBadRequest, "", "The body must be a JSON object with a ciphertext in base64")
	errCompatBase64    = refusing(http.StatusBadRequest, "", "The ciphertext must be standard base64 with padding")
	errCompatTTL       = refusing(http.StatusBadRequest, "", "The ttl must be a whole number of hours")
	errCompatID        = refusing(http.StatusBadRequest, "", "The id must be a UUID in lower case, with hyphens")
)

// Lifetimes of only-once-share, in hours. What lies outside is moved to the nearer end.
const (
	compatMinTTL     = 1
	compatMaxTTL     = 72
	compatDefaultTTL = 24
)

func (s *server) compatCreate(w http.ResponseWriter, r *http.Request) error {
	body, err := s.receive(w, r, s.compatLimit)
	if err != nil {
		return err
	}
	defer body.settle(r.Context())
	whole := s.whole(body)
	defer whole.release()
	var ask wire.CompatCreate
	if err := decodeFrom(w, r, whole, s.compatLimit, &ask); err != nil {
		if whole.refused {
			return errBusy
		}
		return compat.body(err)
	}
	d, err := s.compatDraft(&ask)
	if err != nil {
		return err
	}
	text := &strictBase64{Reader: base64.NewDecoder(base64.StdEncoding.Strict(), strings.NewReader(ask.Ciphertext))}
	secret, created, err := s.Vault.Create(r.Context(), d, text)
	if text.bad {
		return errCompatBase64
	}
	if err != nil {
		return err
	}
	if !created { // the very same again: our own dialect's clients rely on that, here an id in use is refused
		return &vault.Error{Kind: vault.KindConflict}
	}
	writeJSON(w, http.StatusCreated, wire.CompatCreated{ID: secret.ID.String(), Alias: secret.Alias.String()})
	return nil
}

// whole reads a body that has to be held whole.
func (s *server) whole(body io.Reader) *heldBody {
	return &heldBody{Reader: body, held: &s.wholeHeld, most: s.wholeMost}
}

// heldBody counts the memory of a body that has to be held whole, as it comes: a slow client takes what it has sent and
// not what it has announced.
type heldBody struct {
	io.Reader
	held    *atomic.Int64 // by all of them together
	most    int64         // of it
	mine    int64
	refused bool
}

// heldFor is what n bytes of a body take: the body, the string in it, and what growing buffers waste.
func heldFor(n int64) int64 { return 3 * n }

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	more := heldFor(int64(n))
	b.mine += more
	if b.held.Add(more) > b.most {
		b.refused = true
		return 0, errBusy
	}
	return n, err
}

func (b *heldBody) release() { b.held.Add(-b.mine) }

func (s *server) compatDraft(ask *wire.CompatCreate) (d vault.Draft, err error) {
	if ask.Ciphertext == "" {
		return d, errCompatBody
	}
	unpadded := strings.TrimRight(ask.Ciphertext, "=")
	if strings.ContainsAny(unpadded, "\r\n=") { // which Go's decoder would skip, or take at the end of a buffer
		return d, errCompatBase64
	}
	if int64(base64.RawStdEncoding.DecodedLen(len(unpadded))) > s.MaxPayload {
		return d, errTooLarge
	}
	hours := float64(compatDefaultTTL)
	if ask.TTL != nil {
		hours = *ask.TTL
	}
	if ask.TTLHours != nil { // the name in its code; its README says ttl
		hours = *ask.TTLHours
	}
	whole := int64(min(max(hours, compatMinTTL), compatMaxTTL))
	if hours != math.Trunc(hours) {
		return d, errCompatTTL
	}
	d.TTL = min(time.Duration(whole)*time.Hour, s.Vault.MaxTTL())
	if ask.ID == "" {
		d.ID = vault.NewID()
		return d, nil
	}
	var ok bool
	if d.ID, ok = vault.ParseID(ask.ID); !ok {
		return d, errCompatID
	}
	return d, nil
}

// strictBase64 remembers that decoding failed: to the store, every reader's error is the same.
type strictBase64 struct {
	io.Reader
	bad bool
}

func (b *strictBase64) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.bad = b.bad || err != nil && err != io.EOF // bare, as io.Reader demands
	return n, err
}

// compatTake is the one GET that changes something, and it does so for GET alone.
func (s *server) compatTake(w http.ResponseWriter, r *http.Request) error {
	ref, ok := s.Vault.Ref(r.PathValue("id"))
	if !ok {
		return errCompatReference
	}
	secret, payload, err := s.Vault.TakeUnguarded(r.Context(), ref)
	if err != nil {
		return err
	}
	defer func() { _ = payload.Close() }()
	const head, tail = `{"ciphertext":"`, `","id":"`
	end := tail + secret.ID.String() + "\"}\n"
	s.sendBase64(w, r, head, payload, end, len(head)+base64.StdEncoding.EncodedLen(int(secret.Size))+len(end))
	return nil
}

// foreignRead tells requests that a browser makes without its user asking for the secret: navigation, embeds,
// prefetching, and pages of other sites (PROTOCOL 4.8). CrossOriginProtection lets every GET through.
func (s *server) foreignRead(r *http.Request) bool {
	h := r.Header
	mode, site, origin := h.Get("Sec-Fetch-Mode"), h.Get("Sec-Fetch-Site"), h.Get("Origin")
	switch {
	case mode == "navigate", mode == "no-cors":
		return true
	case strings.Contains(h.Get("Sec-Purpose"), "prefetch"), h.Get("Purpose") == "prefetch", h.Get("X-Moz") == "prefetch":
		return true
	case s.origins[origin], origin != "" && origin == s.self:
		return false
	case site != "":
		return site != "same-origin" && site != "none"
	default: // no browser, or an old one
		return origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host
	}
}
