package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/wire"
)

// Opened is a payload, still sealed, and the time left to ask for it again.
type Opened struct {
	Payload []byte
	Until   time.Time // by this machine's clock; zero when the server did not say
}

// Open opens a secret for a reader (PROTOCOL 4.3). The passphrase token may be zero. A cut connection is made up for with
// the same reader token until the lease ends; progress gets bytes.
func (c *Client) Open(ctx context.Context, id seal.ID, link seal.Token, r Reader, passphrase seal.Token, progress Progress) (Opened, error) {
	body := wire.OpenRequest{Reader: wire.Token(r.Reveal())}
	if !passphrase.IsZero() {
		body.PassphraseToken = wire.Token(passphrase.Reveal())
	}
	var o Opened
	err := c.do(ctx, call{
		doing: "opening the secret", method: http.MethodPost, path: ref(string(id), "/open"), token: link,
		header: jsonHeader(), body: encode(body),
		deadline: func() time.Time { return o.Until },
		read: func(resp *http.Response, dog *watchdog) error {
			o.Until = leaseEnd(resp)
			var err error
			o.Payload, err = payload(resp, dog, progress)
			return err
		},
	})
	return o, err
}

// leaseEnd moves the server's time to our clock, so that a machine whose clock is wrong neither gives up early nor
// asks for ever: only the distance from the answer's own Date counts.
func leaseEnd(resp *http.Response) time.Time {
	end, err := time.Parse(time.RFC3339, resp.Header.Get(wire.HeaderLeaseExpires))
	if err != nil {
		return time.Time{}
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return end
	}
	return time.Now().Add(end.Sub(date))
}

// payload reads a body of announced size into memory of that size, once. Without an announcement (a proxy in between)
// it grows, up to the same limit.
func payload(resp *http.Response, dog *watchdog, progress Progress) ([]byte, error) {
	n := resp.ContentLength
	if n > MaxPayload {
		return nil, ErrTooLarge
	}
	m := &meter{r: resp.Body, total: max(n, 0), dog: dog, progress: func(done, total int64) { progress.report(Downloading, done, total) }}
	if n >= 0 {
		b := make([]byte, n)
		_, err := io.ReadFull(m, b)
		return b, err
	}
	b, err := io.ReadAll(io.LimitReader(m, MaxPayload+1))
	if err == nil && len(b) > MaxPayload {
		return nil, ErrTooLarge
	}
	return b, err
}

// CompatTake reads and erases a secret of the only-once-share dialect (PROTOCOL 4.8). It is sent once and never again:
// after a lost answer a second GET would only blur "lost on the way" into "not found".
func (c *Client) CompatTake(ctx context.Context, alias string) (seal.ID, []byte, error) {
	const doing = "taking the secret"
	var id seal.ID
	var sealed []byte
	err := c.do(ctx, call{
		doing: doing, method: http.MethodGet, path: ref(alias, ""), once: true,
		read: func(resp *http.Response, dog *watchdog) error {
			b, err := payload(resp, dog, nil)
			if err != nil {
				return err
			}
			id, sealed, err = compatSecret(b)
			return err
		},
	})
	e, refused := errors.AsType[*Error](err)
	if refused && e.Message == "" && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed) {
		return "", nil, wrap(doing, ErrForeign) // a 404 of that dialect says something in JSON
	}
	return id, sealed, err
}

func compatSecret(b []byte) (seal.ID, []byte, error) {
	var s wire.CompatSecret
	if json.Unmarshal(b, &s) != nil || s.Ciphertext == "" {
		return "", nil, ErrForeign
	}
	id, err := seal.ParseID(s.ID)
	if err != nil {
		return "", nil, ErrAnswer
	}
	sealed, err := base64.StdEncoding.DecodeString(s.Ciphertext)
	if err != nil {
		return "", nil, ErrAnswer
	}
	return id, sealed, nil
}

func wrap(doing string, err error) error { return fmt.Errorf("%s: %w", doing, err) }
