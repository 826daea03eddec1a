package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// wireFunc is a connection in memory, for tests in which time matters.
type wireFunc func(*http.Request) (*http.Response, error)

func (f wireFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, body string, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Request: r, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func inMemory(t *testing.T, f wireFunc) *client.Client {
	t.Helper()
	c, err := client.New("https://secrets.example.com", client.Options{HTTP: &http.Client{Transport: f}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var errReset = &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}

func TestRetries(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	nameless := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	status := func(n int, header ...string) wireFunc {
		return func(r *http.Request) (*http.Response, error) { return answer(r, n, "{}", header...), nil }
	}
	failing := func(err error) wireFunc {
		return func(*http.Request) (*http.Response, error) { return nil, err }
	}
	for _, test := range []struct {
		name     string
		with     wireFunc
		attempts int
		atLeast  time.Duration
		atMost   time.Duration
	}{
		{"a lost answer", failing(errReset), 6, 3 * time.Second, 8 * time.Second},
		{"nobody there", failing(refused), 3, 300 * time.Millisecond, time.Second},
		{"no such name", failing(nameless), 1, 0, 0},
		{"502", status(502), 6, 3 * time.Second, 8 * time.Second},
		{"503 with Retry-After", status(503, "Retry-After", "7"), 6, 35 * time.Second, 40 * time.Second},
		{"503 asking for a day", status(503, "Retry-After", "86400"), 6, 150 * time.Second, 155 * time.Second},
		{"429 with Retry-After", status(429, "Retry-After", "3"), 6, 15 * time.Second, 20 * time.Second},
		{"429 asking for an hour", status(429, "Retry-After", "3600"), 1, 0, 0},
		{"404", status(404), 1, 0, 0},
		{"409", status(409), 1, 0, 0},
		{"507", status(507), 1, 0, 0},
		{"redirect", status(307, "Location", "https://evil.example/"), 1, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, began := 0, time.Now()
				c := inMemory(t, func(r *http.Request) (*http.Response, error) { n++; return test.with(r) })
				if _, err := c.Status(t.Context(), seal.NewID(), seal.NewToken()); err == nil {
					t.Fatal("no error")
				}
				if took := time.Since(began); n != test.attempts || took < test.atLeast || took > test.atMost {
					t.Errorf("%d attempts in %s", n, took)
				}
			})
		})
	}
}

func TestRetryOutlivesTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var bodies [][]byte
		c := inMemory(t, func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			bodies = append(bodies, b)
			if n++; n < 4 {
				return nil, errReset
			}
			id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
			return answer(r, 200, fmt.Sprintf(`{"id":%q,"alias":"Kx7mP2nQ","expires_at":"2030-01-01T00:00:00Z"}`, id)), nil
		})
		var done int64
		_, err := c.Send(t.Context(), client.Draft{Payload: envelope.Payload{Text: text}, Progress: func(s client.Stage, d, total int64) {
			if s == client.Uploading {
				done = d
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bodies {
			if !bytes.Equal(b, bodies[0]) || int64(len(b)) != done {
				t.Fatal("another body, or no progress")
			}
		}
	})
}

// blocked is a body that never comes.
type blocked struct{ ctx context.Context }

func (b blocked) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, b.ctx.Err() }
func (b blocked) Close() error             { return nil }

func TestStalledConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := inMemory(t, func(r *http.Request) (*http.Response, error) {
			resp := answer(r, 200, "")
			resp.ContentLength, resp.Body = 100, blocked{r.Context()}
			resp.Header.Set(wire.HeaderLeaseExpires, time.Now().Add(20*time.Second).UTC().Format(time.RFC3339))
			return resp, nil
		})
		_, err := c.Open(t.Context(), seal.NewID(), seal.NewToken(), client.NewReader(), seal.Token{}, nil)
		if err == nil || !strings.Contains(err.Error(), "no byte moved for 30s") {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("gave up after %s; the lease was over by then", took)
		}
	})
}

func TestLeaseIsMeasuredByTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := time.Now().Add(-3 * time.Hour).UTC()
		c := inMemory(t, func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, "sealed", "Date", server.Format(http.TimeFormat),
				wire.HeaderLeaseExpires, server.Add(2*time.Minute).Format(time.RFC3339)), nil
		})
		o, err := c.Open(t.Context(), seal.NewID(), seal.NewToken(), client.NewReader(), seal.Token{}, nil)
		if err != nil || string(o.Payload) != "sealed" {
			t.Fatal(err)
		}
		if left := time.Until(o.Until); left != 2*time.Minute {
			t.Errorf("time left: %s", left)
		}
	})
}

func TestRefusalIsMapped(t *testing.T) {
	body := `{"error":"gone","code":"read","opened_at":"2026-11-23T12:45:00Z","ended_at":"2026-11-23T12:46:00Z","attempts_left":3}`
	c := inMemory(t, func(r *http.Request) (*http.Response, error) { return answer(r, 410, body, "Retry-After", "5"), nil })
	_, err := c.Meta(t.Context(), seal.NewID(), seal.NewToken())
	e, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatal(err)
	}
	if e.Status != 410 || e.Code != "read" || e.Message != "gone" || *e.AttemptsLeft != 3 || e.RetryAfter != 5*time.Second ||
		!e.OpenedAt.Equal(time.Date(2026, 11, 23, 12, 45, 0, 0, time.UTC)) || !e.EndedAt.After(*e.OpenedAt) {
		t.Errorf("%+v", e)
	}
}

// An answer is refused before it fills the memory, whatever its length is said to be.
func TestAnswersAreBounded(t *testing.T) {
	endless := func(r *http.Request, n int64) *http.Response {
		resp := answer(r, 200, "")
		resp.ContentLength, resp.Body = n, io.NopCloser(zeros{})
		return resp
	}
	for _, test := range []struct {
		name string
		size int64
		want error
		do   func(context.Context, *client.Client) error
	}{
		{"JSON without end", -1, client.ErrAnswer, func(ctx context.Context, c *client.Client) error {
			_, err := c.Status(ctx, seal.NewID(), seal.NewToken())
			return err
		}},
		{"JSON of 65 KiB", 65 << 10, client.ErrAnswer, func(ctx context.Context, c *client.Client) error {
			_, err := c.Meta(ctx, seal.NewID(), seal.NewToken())
			return err
		}},
		{"payload of a terabyte", 1 << 40, client.ErrTooLarge, func(ctx context.Context, c *client.Client) error {
			_, err := c.Open(ctx, seal.NewID(), seal.NewToken(), client.NewReader(), seal.Token{}, nil)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := inMemory(t, func(r *http.Request) (*http.Response, error) { return endless(r, test.size), nil })
			if err := test.do(t.Context(), c); !errors.Is(err, test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestRedirectsCarryNoToken(t *testing.T) {
	visited := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited = true }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		srv := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		c := connect(t, srv.URL, srv.Client())
		if err := c.Revoke(t.Context(), seal.NewID(), seal.NewToken()); !errors.Is(err, client.ErrRedirect) {
			t.Errorf("%d: %v", status, err)
		}
		_, err := c.Send(t.Context(), client.Draft{Payload: envelope.Payload{Text: text}})
		if !errors.Is(err, client.ErrRedirect) || errors.Is(err, client.ErrMaybeStored) {
			t.Errorf("%d: %v", status, err)
		}
		srv.Close()
	}
	if visited {
		t.Error("the redirect was followed")
	}
}

func TestPlainHTTPIsForThisMachineOnly(t *testing.T) {
	for base, want := range map[string]error{
		"https://secrets.example.com": nil, "http://localhost:8080": nil, "http://127.0.0.1:8080": nil, "http://127.8.9.1": nil,
		"http://[::1]:8080": nil, "http://hush.localhost": nil,
		"http://secrets.example.com": client.ErrInsecure, "http://192.168.0.7:8080": client.ErrInsecure,
		"http://localhost.example.com": client.ErrInsecure, "http://127.0.0.1.example.com": client.ErrInsecure,
		"ftp://secrets.example.com": link.ErrBase, "": link.ErrBase, "https://user:pw@example.com": link.ErrBase,
	} {
		if _, err := client.New(base, client.Options{}); !errors.Is(err, want) {
			t.Errorf("%q: %v", base, err)
		}
		if _, err := client.New(base, client.Options{InsecureHTTP: true}); errors.Is(err, client.ErrInsecure) {
			t.Errorf("%q: refused although allowed", base)
		}
	}
}

// TestErrorsTellNothing looks for every secret of a request in the error that each kind of failure makes.
func TestErrorsTellNothing(t *testing.T) {
	id, token, pass, reader := seal.NewID(), seal.NewToken(), seal.NewToken(), client.NewReader()
	secrets := []string{string(id), alias, token.Reveal(), pass.Reveal(), reader.Reveal(), token.HashText(), "secrets.example.com/"}
	failures := map[string]wireFunc{
		"network": func(*http.Request) (*http.Response, error) { return nil, errReset },
		"echo": func(r *http.Request) (*http.Response, error) {
			return answer(r, 403, fmt.Sprintf(`{"error":%q,"code":%q}`, r.URL, token.Reveal())), nil
		},
		"malformed": func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, r.URL.String()+token.Reveal()), nil
		},
		"redirect": func(r *http.Request) (*http.Response, error) {
			return answer(r, 302, "", "Location", r.URL.String()), nil
		},
	}
	for name, failure := range failures {
		c, err := client.New("https://secrets.example.com", client.Options{
			HTTP: &http.Client{Transport: failure}, Retry: client.Retry{Attempts: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := t.Context()
		errs := map[string]error{"ack": c.Ack(ctx, id, token, reader), "decline": c.Decline(ctx, id, token), "revoke": c.Revoke(ctx, id, token), "health": c.Health(ctx)}
		_, errs["create"] = c.Create(ctx, client.NewSecret{ID: id, Payload: []byte("x"), Link: token}, nil)
		_, errs["resolve"] = c.Resolve(ctx, alias)
		_, errs["meta"] = c.Meta(ctx, id, token)
		_, errs["status"] = c.Status(ctx, id, token)
		_, _, errs["take"] = c.CompatTake(ctx, alias)
		if name != "malformed" { // there, an opaque payload is what is asked for
			_, errs["open"] = c.Open(ctx, id, token, reader, pass, nil)
		}
		for route, err := range errs {
			if err == nil {
				if name == "malformed" && (route == "ack" || route == "decline" || route == "revoke") {
					continue // their answer has no body
				}
				t.Errorf("%s, %s: no error", name, route)
				continue
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("x", slog.Any("err", err))
			printed := fmt.Sprintf("%v %+v %s %q", err, err, err, err) + log.String()
			for _, s := range secrets {
				if strings.Contains(printed, s) {
					t.Errorf("%s, %s: the error holds a secret", name, route)
				}
			}
		}
	}
}

func TestReaderPrintsRedacted(t *testing.T) {
	r := client.NewReader()
	type outer struct {
		R client.Reader
		P *client.Reader
	}
	var printed strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&printed, verb+verb, r, outer{r, &r})
	}
	b, err := json.Marshal(outer{r, &r})
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(b)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", slog.Any("r", r))
	raw := fmt.Sprintf("%x", mustDecode(t, r.Reveal()))
	if s := printed.String(); strings.Contains(s, r.Reveal()) || strings.Contains(strings.ToLower(s), raw) {
		t.Error("a reader token was printed")
	}
	again, err := client.ParseReader(r.Reveal())
	if err != nil || again != r {
		t.Error("Reveal and ParseReader differ")
	}
	for _, bad := range []string{"", "AAAA", r.Reveal() + "A", strings.Repeat("!", 22)} {
		if _, err := client.ParseReader(bad); !errors.Is(err, client.ErrReader) {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func mustDecode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
