package httpd_test

import (
	"crypto/sha256"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
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
var plain = func() map[string]operation {
	all := maps.Clone(ownOperations)
	maps.Copy(all, keptOperations)
	return all
}()

// ownOperations are those of our own dialect and of only-once-share's.
var ownOperations = map[string]operation{
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

var ownExamples = []example{
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
