package httpd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// maxPayload of the world of examples: more than goes into the database, less than tests feel.
const maxPayload = 96 << 10

// TestStatuses asks for every status of every operation, and finds those that openapi.yaml declares for nothing.
func TestStatuses(t *testing.T) {
	seen := make(map[string]bool)
	w := newWorld(t, withKey, func(o *httpd.Options) { o.MaxPayload = maxPayload })
	for _, e := range slices.Concat(ownExamples, keptExamples) {
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
	broken(t, seen)
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
	if _, isKept := keptOperations[e.operation]; a.Status < 400 || isKept { // whose forms watched knows
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
	case "message", "claimed", "lapsed", "deleted":
		w.keptState(s, name)
		return s
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

// broken sends bodies that end too early.
func broken(t *testing.T, seen map[string]bool) {
	t.Helper()
	w := newWorld(t)
	for op, ask := range keptOperations {
		r := ask(w, testenv.NewSecret(256), nil, io.MultiReader(strings.NewReader("{"), iotest.ErrReader(io.ErrUnexpectedEOF)))
		if r.Method != http.MethodPost {
			continue
		}
		r.ContentLength = -1
		seen[op+" 400"] = true
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "nothing was stored") {
			t.Errorf("%s: %d %s", op, rec.Code, rec.Body)
		}
	}
}

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
			strings.HasPrefix(op, "GET ") && op != "GET /api/health" && op != "GET /api/openapi.yaml" || keptOperations[op] != nil
		if op == "GET /health" {
			limited = false
		}
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

func (fullStore) Replace(_ context.Context, _ vault.Alias, _ vault.Rule, payload io.Reader) (vault.Secret, error) {
	if _, err := io.Copy(io.Discard, payload); err != nil {
		return vault.Secret{}, err
	}
	return vault.Secret{}, vault.ErrFull
}

func full(t *testing.T, seen map[string]bool) {
	t.Helper()
	w := newWorld(t)
	waiting, message, claimed := w.created(), w.state("message"), w.state("claimed")
	w.serve(fullStore{w.store})
	for op, s := range map[string]*testenv.Secret{
		"PUT /api/secrets/{id}": testenv.NewSecret(256), "POST /api/secrets": testenv.NewSecret(256), "POST /api/create": testenv.NewSecret(256),
		"POST /api/update": message, "POST /api/undo-claim": claimed,
	} {
		seen[op+" 507"] = true
		if a := w.send(plain[op](w, s, nil, nil)); a.Status != http.StatusInsufficientStorage {
			t.Errorf("%s: %d %s", op, a.Status, a.Body)
		}
	}
	w.opens(waiting)
	w.must(http.StatusNoContent, w.Ack, waiting)
	for _, op := range []string{"POST /api/view", "POST /api/list-pending-secrets", "POST /api/delete-secret"} {
		if a := w.send(plain[op](w, message, nil, nil)); a.Status != http.StatusOK {
			t.Errorf("%s, on a full disk: %d %s", op, a.Status, a.Body)
		}
	}
}

// untroubled is what needs no store.
var untroubled = map[string]bool{"GET /api/openapi.yaml": true, "GET /health": true}

// trouble closes the store, and asks for everything that needs it.
func trouble(t *testing.T) map[string]bool {
	t.Helper()
	w := newWorld(t, withKey)
	oneTime, message := w.created(), w.state("message")
	w.store.Close()
	asked := make(map[string]bool)
	for op, ask := range plain {
		if untroubled[op] {
			continue
		}
		s := oneTime
		if keptOperations[op] != nil {
			s = message
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
	if want := len(plain) - len(untroubled); len(asked) != want {
		t.Errorf("asked %d operations, want %d", len(asked), want)
	}
	for op := range operations(t) {
		if !asked[op] && !untroubled[op] {
			t.Errorf("%s was not asked", op)
		}
	}
}
