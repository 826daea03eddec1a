package httpd_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

const apiKey = "hp_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"

func withKey(o *httpd.Options) { o.APIKeys = httpd.APIKeys{sha256.Sum256([]byte(apiKey)): "bot"} }

var (
	keyHeader = http.Header{"Authorization": {"Bearer " + apiKey}}
	typeJSON  = http.Header{"Content-Type": {"application/json"}}
	foreign   = http.Header{"Sec-Fetch-Site": {"cross-site"}}
)

// and gives both headers in one.
func and(hs ...http.Header) http.Header {
	all := make(http.Header)
	for _, h := range hs {
		maps.Copy(all, h)
	}
	return all
}

// operation is a request that the operation takes, about s: with its right tokens, and as well formed as can be.
type operation func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request

// plain has every operation. A body that is not nil replaces the right one.
var plain = map[string]operation{
	"PUT /api/secrets/{id}": func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		return w.request("PUT", "/api/secrets/"+s.ID, and(testenv.CreateHeader(s), extra), body, string(s.Payload))
	},
	"DELETE /api/secrets/{id}": func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		return w.request("DELETE", "/api/secrets/"+s.Ref, and(testenv.Bearer(s.Manage), extra), body, "")
	},
	"GET /api/secrets/{id}": func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		return w.request("GET", "/api/secrets/"+s.Ref, extra, body, "")
	},
	"POST /api/secrets": func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		return w.request("POST", "/api/secrets", and(typeJSON, extra), body, `{"ciphertext":"QUJD","id":"`+s.ID+`"}`)
	},
	"GET /api/secrets/{id}/id":       about("GET", "/id", ""),
	"GET /api/secrets/{id}/meta":     about("GET", "/meta", ""),
	"POST /api/secrets/{id}/open":    about("POST", "/open", "reader"),
	"POST /api/secrets/{id}/ack":     about("POST", "/ack", "reader"),
	"POST /api/secrets/{id}/decline": about("POST", "/decline", ""),
	"GET /api/secrets/{id}/status":   about("GET", "/status", ""),
	"GET /api/events":                fixed("GET", "/api/events", ""),
	"POST /api/events/ack":           fixed("POST", "/api/events/ack", `{"ids":["1"]}`),
	"GET /api/health":                fixed("GET", "/api/health?verbose", ""),
	"GET /api/openapi.yaml":          fixed("GET", "/api/openapi.yaml", ""),
}

func about(method, tail, reader string) operation {
	return func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		h, ask := testenv.Bearer(s.Link), ""
		if tail == "/status" {
			h = testenv.Bearer(s.Manage)
		}
		if reader != "" {
			h, ask = and(h, typeJSON), `{"reader":"`+testenv.B64u(s.Reader)+`"}`
		}
		return w.request(method, "/api/secrets/"+s.Ref+tail, and(h, extra), body, ask)
	}
}

func fixed(method, path, right string) operation {
	return func(w *world, _ *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		return w.request(method, path, and(keyHeader, typeJSON, extra), body, right)
	}
}

// request makes one that is ready to send.
func (w *world) request(method, path string, h http.Header, body io.Reader, right string) *http.Request {
	w.t.Helper()
	if body == nil && right != "" {
		body = strings.NewReader(right)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header = and(h)
	return r
}

// send makes r, whose answer must come.
func (w *world) send(r *http.Request) testenv.Answer {
	w.t.Helper()
	resp, err := w.HTTP.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return testenv.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// example is one way to get a status. The secret is in the state named; nothing else is different from plain.
type example struct {
	operation string
	status    int
	code      string // of a refusal; only-once-share's have none
	state     string // of the secret; "" is one that the server does not know
	change    func(*testenv.Secret)
	header    http.Header
	body      string
}

func noPassphrase(s *testenv.Secret) { s.Passphrase = nil }
func badRef(s *testenv.Secret)       { s.Ref, s.ID = "not-a-ref", "not-a-ref" }
func otherReader(s *testenv.Secret)  { s.Reader = testenv.Random(16) }
func otherPayload(s *testenv.Secret) { s.Payload = testenv.Random(len(s.Payload)) }

var examples = []example{
	{"PUT /api/secrets/{id}", 201, "", "", nil, nil, ""},
	{"PUT /api/secrets/{id}", 200, "", "waiting", nil, nil, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", badRef, nil, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderLinkHash: nil}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderLinkHash: {"short"}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderManageHash: {"short"}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderPassphraseHash: {""}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderLinkHash: {strings.Repeat("A", 43)}}, ""}, // zero matches nothing
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderLinkHash: {testenv.HashOf(nil), testenv.HashOf(nil)}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderExpiresIn: {"1h"}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderExpiresIn: {"-60"}}, ""},
	{"PUT /api/secrets/{id}", 400, "bad_request", "", nil, http.Header{wire.HeaderContext: {"QUJD"}}, ""}, // without a key
	{"PUT /api/secrets/{id}", 400, "bad_request", "", func(s *testenv.Secret) { s.Payload = nil }, nil, ""},
	{"PUT /api/secrets/{id}", 401, "unauthorized", "", nil, http.Header{"Authorization": {"Bearer hp_unknown"}}, ""},
	{"PUT /api/secrets/{id}", 403, "forbidden", "", nil, foreign, ""},
	{"PUT /api/secrets/{id}", 409, "conflict", "waiting", otherPayload, nil, ""},
	{"PUT /api/secrets/{id}", 413, "too_large", "", func(s *testenv.Secret) { s.Payload = make([]byte, maxPayload+1) }, nil, ""},
	{"PUT /api/secrets/{id}", 415, "bad_request", "", nil, typeJSON, ""},
	{"PUT /api/secrets/{id}", 422, "unprocessable", "", nil, http.Header{wire.HeaderExpiresIn: {"59"}}, ""},
	{"PUT /api/secrets/{id}", 422, "unprocessable", "", nil, http.Header{wire.HeaderExpiresIn: {"31536001"}}, ""},

	{"DELETE /api/secrets/{id}", 204, "", "waiting", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 204, "", "revoked", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 400, "bad_request", "", badRef, nil, ""},
	{"DELETE /api/secrets/{id}", 403, "forbidden", "waiting", nil, foreign, ""},
	{"DELETE /api/secrets/{id}", 404, "not_found", "", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 409, "read", "leased", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 409, "read", "read", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 409, "read", "unconfirmed", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 410, "declined", "declined", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 410, "expired", "expired", nil, nil, ""},
	{"DELETE /api/secrets/{id}", 410, "locked", "locked", nil, nil, ""},

	{"GET /api/secrets/{id}", 200, "", "unguarded", nil, nil, ""},
	{"GET /api/secrets/{id}", 400, "", "", badRef, nil, ""},
	{"GET /api/secrets/{id}", 403, "", "unguarded", nil, foreign, ""},
	{"GET /api/secrets/{id}", 404, "", "", nil, nil, ""},
	{"GET /api/secrets/{id}", 404, "", "waiting", nil, nil, ""}, // guarded

	{"POST /api/secrets", 201, "", "", nil, nil, ""},
	{"POST /api/secrets", 400, "", "", badRef, nil, ""},
	{"POST /api/secrets", 403, "", "", nil, foreign, ""},
	{"POST /api/secrets", 409, "", "waiting", nil, nil, ""},
	{"POST /api/secrets", 413, "", "", nil, nil, `{"ciphertext":"` + strings.Repeat("QUFB", maxPayload/3+1) + `"}`},
	{"POST /api/secrets", 415, "", "", nil, http.Header{"Content-Type": {"text/plain"}}, ""},

	{"GET /api/secrets/{id}/id", 200, "", "waiting", nil, nil, ""},
	{"GET /api/secrets/{id}/id", 200, "", "", nil, nil, ""},
	{"GET /api/secrets/{id}/id", 400, "bad_request", "", badRef, nil, ""},

	{"GET /api/secrets/{id}/meta", 200, "", "waiting", nil, nil, ""},
	{"GET /api/secrets/{id}/meta", 200, "", "read", nil, nil, ""},
	{"GET /api/secrets/{id}/meta", 400, "bad_request", "", badRef, nil, ""},
	{"GET /api/secrets/{id}/meta", 404, "not_found", "", nil, nil, ""},

	{"POST /api/secrets/{id}/open", 200, "", "waiting", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 200, "", "leased", nil, nil, ""}, // the same reader
	{"POST /api/secrets/{id}/open", 400, "bad_request", "", badRef, nil, ""},
	{"POST /api/secrets/{id}/open", 400, "bad_request", "waiting", nil, nil, `{`},
	{"POST /api/secrets/{id}/open", 400, "bad_request", "waiting", nil, nil, `{"reader":"short"}`},
	{"POST /api/secrets/{id}/open", 400, "bad_request", "waiting", nil, nil, `{"reader":"AAAAAAAAAAAAAAAAAAAAAA","passphrase_token":"short"}`},
	{"POST /api/secrets/{id}/open", 400, "bad_request", "waiting", nil, nil, `{"reader":"AAAAAAAAAAAAAAAAAAAAAB"}`}, // trailing bits
	{"POST /api/secrets/{id}/open", 403, "forbidden", "waiting", nil, foreign, ""},
	{"POST /api/secrets/{id}/open", 403, "passphrase_required", "kept", noPassphrase, nil, ""},
	{"POST /api/secrets/{id}/open", 403, "passphrase_wrong", "kept", nil, nil, `{"reader":"AAAAAAAAAAAAAAAAAAAAAA","passphrase_token":"` + strings.Repeat("A", 43) + `"}`},
	{"POST /api/secrets/{id}/open", 404, "not_found", "", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "read", "read", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "unconfirmed", "unconfirmed", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "revoked", "revoked", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "declined", "declined", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "expired", "expired", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 410, "locked", "locked", nil, nil, ""},
	{"POST /api/secrets/{id}/open", 413, "too_large", "waiting", nil, nil, `{"reader":"` + strings.Repeat("A", 4<<10) + `"}`},
	{"POST /api/secrets/{id}/open", 415, "bad_request", "waiting", nil, http.Header{"Content-Type": {"text/plain"}}, ""},
	{"POST /api/secrets/{id}/open", 422, "unprocessable", "waiting", nil, nil, `{"reader":1}`},
	{"POST /api/secrets/{id}/open", 422, "unprocessable", "waiting", nil, nil, `{"reader":"AAAAAAAAAAAAAAAAAAAAAA","more":1}`},
	{"POST /api/secrets/{id}/open", 423, "leased", "leased", otherReader, nil, ""},

	{"POST /api/secrets/{id}/ack", 204, "", "leased", nil, nil, ""},
	{"POST /api/secrets/{id}/ack", 204, "", "read", nil, nil, ""},
	{"POST /api/secrets/{id}/ack", 400, "bad_request", "", badRef, nil, ""},
	{"POST /api/secrets/{id}/ack", 400, "bad_request", "leased", nil, nil, `{"reader":""}`},
	{"POST /api/secrets/{id}/ack", 403, "forbidden", "leased", nil, foreign, ""},
	{"POST /api/secrets/{id}/ack", 404, "not_found", "", nil, nil, ""},
	{"POST /api/secrets/{id}/ack", 409, "not_opened", "waiting", nil, nil, ""},
	{"POST /api/secrets/{id}/ack", 410, "unconfirmed", "unconfirmed", nil, nil, ""},
	{"POST /api/secrets/{id}/ack", 410, "read", "read", otherReader, nil, ""},
	{"POST /api/secrets/{id}/ack", 413, "too_large", "leased", nil, nil, `{"reader":"` + strings.Repeat("A", 4<<10) + `"}`},
	{"POST /api/secrets/{id}/ack", 415, "bad_request", "leased", nil, http.Header{"Content-Type": nil}, ""},
	{"POST /api/secrets/{id}/ack", 422, "unprocessable", "leased", nil, nil, `{"Reader":"AAAAAAAAAAAAAAAAAAAAAA"}`},
	{"POST /api/secrets/{id}/ack", 423, "leased", "leased", otherReader, nil, ""},

	{"POST /api/secrets/{id}/decline", 204, "", "waiting", nil, nil, ""},
	{"POST /api/secrets/{id}/decline", 204, "", "kept", nil, nil, ""},
	{"POST /api/secrets/{id}/decline", 204, "", "declined", nil, nil, ""},
	{"POST /api/secrets/{id}/decline", 400, "bad_request", "", badRef, nil, ""},
	{"POST /api/secrets/{id}/decline", 403, "forbidden", "waiting", nil, foreign, ""},
	{"POST /api/secrets/{id}/decline", 404, "not_found", "", nil, nil, ""},
	{"POST /api/secrets/{id}/decline", 410, "read", "read", nil, nil, ""},
	{"POST /api/secrets/{id}/decline", 423, "leased", "leased", nil, nil, ""},

	{"GET /api/secrets/{id}/status", 200, "", "waiting", nil, nil, ""},
	{"GET /api/secrets/{id}/status", 200, "", "locked", nil, nil, ""},
	{"GET /api/secrets/{id}/status", 400, "bad_request", "", badRef, nil, ""},
	{"GET /api/secrets/{id}/status", 404, "not_found", "", nil, nil, ""},

	{"GET /api/events", 200, "", "", nil, nil, ""},
	{"GET /api/events", 401, "unauthorized", "", nil, http.Header{"Authorization": nil}, ""},
	{"GET /api/events", 401, "unauthorized", "", nil, http.Header{"Authorization": {"Bearer " + apiKey + "A"}}, ""},

	{"POST /api/events/ack", 204, "", "", nil, nil, ""},
	{"POST /api/events/ack", 204, "", "", nil, nil, `{"ids":[]}`},
	{"POST /api/events/ack", 400, "bad_request", "", nil, nil, `["1"]`},
	{"POST /api/events/ack", 401, "unauthorized", "", nil, http.Header{"Authorization": {"Bearer hp_"}}, ""},
	{"POST /api/events/ack", 403, "forbidden", "", nil, foreign, ""},
	{"POST /api/events/ack", 413, "too_large", "", nil, nil, `{"ids":["` + strings.Repeat("1", 4<<10) + `"]}`},
	{"POST /api/events/ack", 415, "bad_request", "", nil, http.Header{"Content-Type": {"text/plain"}}, ""},
	{"POST /api/events/ack", 422, "unprocessable", "", nil, nil, `{"ids":[1]}`},

	{"GET /api/health", 200, "", "", nil, nil, ""},
	{"GET /api/openapi.yaml", 200, "", "", nil, nil, ""},
}

// maxPayload of the world of examples: more than goes into the database, less than tests feel.
const maxPayload = 96 << 10

// TestStatuses asks for every status of every operation, and finds those that openapi.yaml declares for nothing.
func TestStatuses(t *testing.T) {
	seen := make(map[string]bool)
	w := newWorld(t, withKey, func(o *httpd.Options) { o.MaxPayload = maxPayload })
	for _, e := range examples {
		seen[e.operation+" "+strconv.Itoa(e.status)] = true
		t.Run(e.operation+" "+strconv.Itoa(e.status)+" "+e.state, func(t *testing.T) { tryExample(t, w, e) })
	}
	for op, status := range map[string]int{"GET /api/events": http.StatusUnprocessableEntity} {
		seen[op+" "+strconv.Itoa(status)] = true
		for _, wait := range []string{"61", "-1", "1.5", "1s", "256"} {
			if a := w.do("GET", "/api/events?wait="+wait, keyHeader, ""); a.Status != status {
				t.Errorf("wait=%s: %d", wait, a.Status)
			}
		}
	}
	for op := range trouble(t) {
		seen[op+" 503"] = true
	}
	slow(t, seen)
	limits(t, seen)
	full(t, seen)
	for op, statuses := range operations(t) {
		for _, s := range statuses {
			if !seen[op+" "+s] {
				t.Errorf("openapi.yaml declares %s for %s, which no example gives", s, op)
			}
		}
	}
}

func tryExample(t *testing.T, w *world, e example) {
	w = w.in(t)
	s := testenv.NewSecret(256)
	if e.state != "" {
		s = w.state(e.state)
	}
	if e.change != nil {
		c := *s
		s = &c
		e.change(s)
	}
	var body io.Reader
	if e.body != "" {
		body = strings.NewReader(e.body)
	}
	a := w.send(plain[e.operation](w, s, e.header, body))
	if a.Status != e.status {
		t.Fatalf("got %d: %s", a.Status, a.Body)
	}
	if a.Status == http.StatusNoContent && (len(a.Body) > 0 || a.Header.Get("Content-Type") != "") {
		t.Errorf("204 with a body: %v", a.Header)
	}
	if a.Status < 400 {
		return
	}
	var got map[string]any
	if err := json.Unmarshal(a.Body, &got); err != nil || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s %q", err, a.Header.Get("Content-Type"), a.Body)
	}
	if code, ok := got["code"]; ok != (e.code != "") || ok && code != e.code {
		t.Errorf("code %v, want %q", code, e.code)
	}
	if e.code == "" && len(got) != 1 {
		t.Errorf("only-once-share's errors have one member, not %v", got)
	}
}

// in is w with the messages of a subtest.
func (w *world) in(t *testing.T) *world {
	c := *w
	c.t = t
	return &c
}

// state makes a secret in the state named, moving the clock where time must pass. "kept" waits with a passphrase,
// "unguarded" is only-once-share's, "forgotten" has lost its tombstone.
func (w *world) state(name string) *testenv.Secret {
	w.t.Helper()
	s := testenv.NewSecret(256)
	switch name {
	case "unguarded":
		s.Link, s.Manage, s.Reader = nil, nil, nil
		s.Alias = testenv.JSON[wire.CompatCreated](w.t, w.send(plain["POST /api/secrets"](w, s, nil, nil))).Alias
		return s
	case "kept", "locked":
		s.Passphrase = testenv.Random(32)
	}
	s.Alias = testenv.JSON[wire.Created](w.t, w.must(http.StatusCreated, w.Create, s)).Alias
	switch name {
	case "leased", "read", "unconfirmed":
		w.opens(s)
	}
	switch name {
	case "read":
		w.must(http.StatusNoContent, w.Ack, s)
	case "unconfirmed":
		w.clock.Pass(vault.LeaseTime)
	case "revoked":
		w.must(http.StatusNoContent, w.Revoke, s)
	case "declined":
		w.must(http.StatusNoContent, w.Decline, s)
	case "expired":
		w.clock.Pass(vault.DefaultTTL)
	case "forgotten":
		w.clock.Pass(vault.DefaultTTL + vault.TombstoneTime)
	case "locked":
		wrong := *s
		wrong.Passphrase = testenv.Random(32)
		for range vault.MaxPassphrases {
			w.must(http.StatusForbidden, w.Open, &wrong)
		}
	}
	return s
}

// slow sends bodies that come below the pace. That a real connection is timed out is deadline_test.go's.
func slow(t *testing.T, seen map[string]bool) {
	t.Helper()
	w := newWorld(t, withKey)
	for op, ask := range plain {
		r := ask(w, testenv.NewSecret(256), nil, io.MultiReader(strings.NewReader("{"), lateReader{}))
		if r.Method != http.MethodPut && r.Method != http.MethodPost || strings.HasSuffix(op, "decline") {
			continue
		}
		r.ContentLength = -1
		seen[op+" 408"] = true
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestTimeout {
			t.Errorf("%s: %d %s", op, rec.Code, rec.Body)
		}
	}
}

type lateReader struct{}

func (lateReader) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

// limits asks everything twice with room for once.
func limits(t *testing.T, seen map[string]bool) {
	t.Helper()
	b := httpd.DefaultBudgets
	for i := range b {
		if i != httpd.BudgetBytes {
			b[i].Rate, b[i].Per, b[i].Burst = 1, time.Minute, 1
		}
	}
	for op, ask := range plain {
		w := newWorld(t, func(o *httpd.Options) { o.Limits = httpd.NewLimits(o.Now, b) })
		limited := strings.HasPrefix(op, "PUT ") || op == "POST /api/secrets" || strings.HasSuffix(op, "/open") ||
			strings.HasPrefix(op, "GET ") && op != "GET /api/health" && op != "GET /api/openapi.yaml"
		again := func() testenv.Answer {
			return w.send(ask(w, testenv.NewSecret(10), http.Header{"Authorization": nil}, nil))
		}
		first, second := again(), again()
		if first.Status == http.StatusTooManyRequests || (second.Status == http.StatusTooManyRequests) != limited {
			t.Errorf("%s: %d, then %d", op, first.Status, second.Status)
		}
		if !limited {
			continue
		}
		seen[op+" 429"] = true
		wait, err := strconv.Atoi(second.Header.Get("Retry-After"))
		if err != nil || wait < 1 || wait > 60 {
			t.Errorf("%s: Retry-After is %q", op, second.Header.Get("Retry-After"))
		}
		w.clock.Pass(time.Duration(wait) * time.Second)
		if third := again(); third.Status == http.StatusTooManyRequests {
			t.Errorf("%s is still refused after its Retry-After", op)
		}
	}
}

// fullStore is a store on a full disk: what waits can be opened, but nothing comes in.
type fullStore struct{ vault.Store }

func (fullStore) Put(_ context.Context, _ vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	if _, err := io.Copy(io.Discard, payload); err != nil {
		return vault.Secret{}, false, err
	}
	return vault.Secret{}, false, vault.ErrFull
}

func full(t *testing.T, seen map[string]bool) {
	t.Helper()
	w := newWorld(t)
	waiting := w.created()
	w.serve(fullStore{w.store})
	for _, op := range []string{"PUT /api/secrets/{id}", "POST /api/secrets"} {
		seen[op+" 507"] = true
		if a := w.send(plain[op](w, testenv.NewSecret(256), nil, nil)); a.Status != http.StatusInsufficientStorage {
			t.Errorf("%s: %d %s", op, a.Status, a.Body)
		}
	}
	w.opens(waiting)
	w.must(http.StatusNoContent, w.Ack, waiting)
}

// trouble closes the store, and asks for everything that needs it.
func trouble(t *testing.T) map[string]bool {
	t.Helper()
	w := newWorld(t, withKey)
	s := w.created()
	w.store.Close()
	asked := make(map[string]bool)
	for op, ask := range plain {
		if op == "GET /api/openapi.yaml" {
			continue
		}
		for _, ref := range []string{s.Ref, s.ID, testenv.NewSecret(1).ID} {
			if op == "GET /api/secrets/{id}/id" && ref != s.Ref {
				continue // an id resolves to itself
			}
			about := *s
			about.Ref = ref
			a := w.send(ask(w, &about, nil, nil))
			asked[op] = true
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || bytes.Contains(a.Body, []byte("not_found")) {
				t.Errorf("%s: %d, Retry-After %q, %s", op, a.Status, a.Header.Get("Retry-After"), a.Body)
			}
		}
	}
	if a := w.do("GET", "/api/health", nil, ""); a.Status != http.StatusOK {
		t.Errorf("health, which does not ask the store: %d", a.Status)
	}
	return asked
}

// TestTroubleIsNotNotFound: people delete links that they believe dead (PROTOCOL 4.7).
func TestTroubleIsNotNotFound(t *testing.T) {
	asked := trouble(t)
	if want := len(plain) - 1; len(asked) != want {
		t.Errorf("asked %d operations, want %d", len(asked), want)
	}
	for op := range operations(t) {
		if !asked[op] && op != "GET /api/openapi.yaml" {
			t.Errorf("%s was not asked", op)
		}
	}
}
