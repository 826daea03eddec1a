package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/hushpost/hushpost/internal/wire"
)

// Secret is what the holder of everything knows of one secret: the sender's, the recipient's and a reader's part.
// Tests copy it and change a token to be somebody who holds less.
type Secret struct {
	Ref        string // in URLs: the id, until the test sets it to the alias
	ID         string
	Alias      string // as the server answered, if the test keeps it
	Payload    []byte
	Link       []byte // tokens (PROTOCOL 1)
	Manage     []byte
	Passphrase []byte // nil: needs none
	Reader     []byte
}

// NewSecret makes a secret of size random bytes, which no server knows yet.
func NewSecret(size int) *Secret {
	id := Random(16)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80 // a v4 UUID
	s := &Secret{Payload: Random(size), Link: Random(32), Manage: Random(32), Reader: Random(16)}
	s.ID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	s.Ref = s.ID
	return s
}

// Random gives n random bytes.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// B64u is how tokens and their hashes are spelled.
func B64u(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// HashOf is the spelling of a token's SHA-256.
func HashOf(token []byte) string {
	sum := sha256.Sum256(token)
	return B64u(sum[:])
}

// Bearer is the header that proves a token.
func Bearer(token []byte) http.Header {
	if token == nil {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + B64u(token)}}
}

// Client speaks the routes of PROTOCOL 4 as a program would, without ever trying again.
type Client struct {
	URL  string
	HTTP *http.Client
}

// NewClient gives a client with connections of its own. It follows no redirect.
func NewClient(url string) *Client {
	return &Client{URL: url, HTTP: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Answer is a response that was read to its end.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the body into a T, and fails the test if it is none.
func JSON[T any](t testing.TB, a Answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("status %d with a body that is no %T: %q", a.Status, v, a.Body)
	}
	return v
}

// Do makes any request. An error means that there was no whole answer.
func (c *Client) Do(ctx context.Context, method, path string, header http.Header, body io.Reader) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return Answer{}, err
	}
	maps.Copy(r.Header, header)
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	return Answer{resp.StatusCode, resp.Header, text}, err
}

// CreateHeader is what Create sends with the payload.
func CreateHeader(s *Secret) http.Header {
	h := http.Header{"Content-Type": {wire.PayloadType}}
	for name, token := range map[string][]byte{
		wire.HeaderLinkHash: s.Link, wire.HeaderManageHash: s.Manage, wire.HeaderPassphraseHash: s.Passphrase,
	} {
		if token != nil {
			h[name] = []string{HashOf(token)}
		}
	}
	return h
}

// Create is PROTOCOL 4.1.
func (c *Client) Create(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodPut, "/api/secrets/"+s.ID, CreateHeader(s), bytes.NewReader(s.Payload))
}

// Open is PROTOCOL 4.3, with the passphrase token if there is one.
func (c *Client) Open(ctx context.Context, s *Secret) (Answer, error) {
	ask := map[string]string{"reader": B64u(s.Reader)}
	if s.Passphrase != nil {
		ask["passphrase_token"] = B64u(s.Passphrase)
	}
	return c.post(ctx, s, "open", ask)
}

// Ack is PROTOCOL 4.4.
func (c *Client) Ack(ctx context.Context, s *Secret) (Answer, error) {
	return c.post(ctx, s, "ack", map[string]string{"reader": B64u(s.Reader)})
}

// Decline is PROTOCOL 4.4.
func (c *Client) Decline(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodPost, "/api/secrets/"+s.Ref+"/decline", Bearer(s.Link), nil)
}

// Meta is PROTOCOL 4.2.
func (c *Client) Meta(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodGet, "/api/secrets/"+s.Ref+"/meta", Bearer(s.Link), nil)
}

// Resolve is PROTOCOL 4.9.
func (c *Client) Resolve(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodGet, "/api/secrets/"+s.Ref+"/id", nil, nil)
}

// Status is PROTOCOL 4.5.
func (c *Client) Status(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodGet, "/api/secrets/"+s.Ref+"/status", Bearer(s.Manage), nil)
}

// Revoke is PROTOCOL 4.5.
func (c *Client) Revoke(ctx context.Context, s *Secret) (Answer, error) {
	return c.Do(ctx, http.MethodDelete, "/api/secrets/"+s.Ref, Bearer(s.Manage), nil)
}

func (c *Client) post(ctx context.Context, s *Secret, verb string, ask any) (Answer, error) {
	body, err := json.Marshal(ask)
	if err != nil {
		return Answer{}, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	maps.Copy(h, Bearer(s.Link))
	return c.Do(ctx, http.MethodPost, "/api/secrets/"+s.Ref+"/"+verb, h, bytes.NewReader(body))
}
