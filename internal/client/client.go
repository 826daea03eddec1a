// Package client speaks the HTTP APIs of one-time and of kept secrets: one method a route, and for each of them methods
// that do the whole: Send and Receive, SendKept, ReceiveKept, ReceiveOwned and ClaimKept.
// It is no user interface and keeps nothing: what it returns is the caller's to show, to store or to forget.
//
// Clause numbers are those of internal/wire/PROTOCOL.md.
package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hushpost/hushpost/crypto/link"
)

// MaxPayload bounds what is sealed, sent and received. A secret is held in memory whole, because nothing of it
// may be shown before its last byte is authenticated; so there must be a bound, whatever a server announces.
const MaxPayload = 256 << 20

const (
	// maxJSON is far above any answer of the API; it keeps a hostile server from filling our memory.
	maxJSON = 64 << 10
	// stallAfter ends an attempt during which no byte moved. A limit on the whole would punish slow lines.
	stallAfter = 30 * time.Second
)

// Errors that are not the server's answer.
var (
	// ErrInsecure: tokens in clear on a network are tokens given away.
	ErrInsecure = errors.New("plain http to another machine shows tokens to everybody on the way")
	// ErrRedirect: a token that follows a redirect is a token given to a stranger.
	ErrRedirect = errors.New("the server redirects to another address, and tokens are not sent after it")
	// ErrForeign: whatever answers does not speak this protocol.
	ErrForeign = errors.New("what answers there is no Hushpost server")
	// ErrAnswer: the server says yes, but not in a way that can be read.
	ErrAnswer = errors.New("the server's answer cannot be read")
	// ErrTooLarge: the payload is larger than MaxPayload.
	ErrTooLarge = fmt.Errorf("the payload is larger than %d MiB", MaxPayload>>20)
	// ErrTTL: the lifetime is outside PROTOCOL 4.1.
	ErrTTL = errors.New("the lifetime is outside 60 seconds to one year")
	// ErrMaybeStored is joined to an error of Send and SendKept when a sealed payload may lie at the server. Nobody has
	// its link, so nobody can open it, and it expires by itself unless it was to be kept for ever.
	ErrMaybeStored = errors.New("the sealed payload may have been stored")
)

// Options of New. The zero value is usable.
type Options struct {
	HTTP         *http.Client // its transport is used; its redirect policy, cookies and timeout are not
	Retry        Retry
	InsecureHTTP bool // allow plain http to other machines
}

// Client is one server's API. It may be used by many goroutines.
type Client struct {
	base  string
	http  *http.Client
	retry Retry
}

// New makes a client of the server at base, https://host[:port][/prefix].
func New(base string, o Options) (*Client, error) {
	base, err := link.ParseBase(base)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, link.ErrBase
	}
	if u.Scheme != "https" && !o.InsecureHTTP && !loopback(u.Hostname()) {
		return nil, ErrInsecure
	}
	c := &Client{base: base, http: &http.Client{}, retry: o.Retry.orDefault()}
	if o.HTTP != nil {
		c.http.Transport = o.HTTP.Transport
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// Base is the server's address, as links begin with it.
func (c *Client) Base() string { return c.base }

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 6.3
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Stage says what Send or Receive is doing.
type Stage int

// The stages, in the order in which they come.
const (
	Stretching Stage = iota + 1 // the passphrase, 800 000 rounds: a good part of a second
	Sealing
	Uploading   // with bytes
	Downloading // with bytes
	Opening
)

// Progress is told what is going on; total is 0 where bytes do not count.
// It may be called from another goroutine than the caller's, but never twice at once.
type Progress func(stage Stage, done, total int64)

func (p Progress) report(stage Stage, done, total int64) {
	if p != nil {
		p(stage, done, total)
	}
}
