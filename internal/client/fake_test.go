package client_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// fakeServer keeps one secret, well enough to try what the way to a server can do. Rules and races are tested with the
// real one (cmd/hush, internal/httpd).
type fakeServer struct {
	mu       sync.Mutex
	log      []string // method and route of each request
	id       string
	payload  []byte
	header   http.Header
	reader   string
	acked    bool
	revoked  bool
	compat   []byte // answer of 4.8, once
	foreign  bool   // knows no 4.9
	attempts int

	before func(n int, route string, w http.ResponseWriter, r *http.Request) bool // true: it answered
	after  func(n int, route string) bool                                         // true: the answer is lost
}

const alias = "Kx7mP2nQ"

func start(t *testing.T, f *fakeServer) *client.Client {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return connect(t, srv.URL, srv.Client())
}

func connect(t *testing.T, base string, hc *http.Client) *client.Client {
	t.Helper()
	c, err := client.New(base, client.Options{HTTP: hc, Retry: client.Retry{Backoff: func(int) time.Duration { return time.Millisecond }}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	route := r.Method
	if i := strings.LastIndex(r.URL.Path, "/"); strings.Count(r.URL.Path, "/") == 4 {
		route += " " + r.URL.Path[i+1:]
	}
	f.log = append(f.log, route)
	n := len(f.log)
	if f.before != nil && f.before(n, route, w, r) {
		return
	}
	rec := httptest.NewRecorder()
	f.answer(route, rec, r)
	if f.after != nil && f.after(n, route) {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

func (f *fakeServer) answer(route string, w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch route {
	case "PUT":
		ref := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		status := http.StatusCreated
		if f.id == ref {
			status = http.StatusOK
		}
		f.id, f.payload, f.header = ref, body, r.Header.Clone()
		reply(w, status, wire.Created{ID: f.id, Alias: alias, ExpiresAt: time.Now().Add(time.Hour)})
	case "GET id":
		if f.foreign {
			refuse(w, http.StatusNotFound, wire.Error{Error: "nothing here"})
			return
		}
		id := f.id
		if id == "" {
			id = string(seal.NewID())
		}
		reply(w, http.StatusOK, wire.Resolved{ID: id})
	case "POST open":
		f.open(w, r, body)
	case "POST ack":
		var a wire.AckRequest
		_ = json.Unmarshal(body, &a)
		f.acked = string(a.Reader) == f.reader
		w.WriteHeader(http.StatusNoContent)
	case "DELETE":
		if f.payload == nil {
			refuse(w, http.StatusNotFound, wire.Error{Code: wire.CodeNotFound})
			return
		}
		f.revoked, f.payload = true, nil
		w.WriteHeader(http.StatusNoContent)
	case "GET":
		if f.compat == nil {
			refuse(w, http.StatusNotFound, wire.Error{Error: "Secret not found or already viewed"})
			return
		}
		_, _ = w.Write(f.compat)
		f.compat = nil
	default:
		http.NotFound(w, r)
	}
}

func (f *fakeServer) open(w http.ResponseWriter, r *http.Request, body []byte) {
	var o wire.OpenRequest
	_ = json.Unmarshal(body, &o)
	token, err := seal.ParseToken(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if f.payload == nil || err != nil || token.HashText() != f.header.Get(wire.HeaderLinkHash) {
		refuse(w, http.StatusNotFound, wire.Error{Code: wire.CodeNotFound})
		return
	}
	if want := f.header.Get(wire.HeaderPassphraseHash); want != "" {
		got, err := seal.ParseToken(string(o.PassphraseToken))
		if o.PassphraseToken == "" {
			refuse(w, http.StatusForbidden, wire.Error{Code: wire.CodePassphraseRequired})
			return
		}
		if err != nil || got.HashText() != want {
			f.attempts++
			left := 10 - f.attempts
			refuse(w, http.StatusForbidden, wire.Error{Code: wire.CodePassphraseWrong, AttemptsLeft: &left})
			return
		}
	}
	if f.reader != "" && f.reader != string(o.Reader) {
		refuse(w, http.StatusLocked, wire.Error{Code: wire.StateLeased})
		return
	}
	f.reader = string(o.Reader)
	w.Header().Set(wire.HeaderID, f.id)
	w.Header().Set(wire.HeaderLeaseExpires, time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339))
	_, _ = w.Write(f.payload)
}

func (f *fakeServer) routes() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, ", ")
}

func reply(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, status int, e wire.Error) { reply(w, status, e) }

// cutBody answers with half of what it announces.
func cutBody(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "300")
	w.Header().Set(wire.HeaderLeaseExpires, time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339))
	_, _ = w.Write(make([]byte, 150))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
