package httpd_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
)

var logLine = regexp.MustCompile(`^time=\S+ level=INFO msg=request method=(\S+) route=(\S+) status=(\d+) bytes=\d+ took=\S+( aborted=true)?$`)

// TestAccessLog finds nothing in it but methods, route patterns and numbers, whatever is asked, and by whom.
func TestAccessLog(t *testing.T) {
	w := newWorld(t, withKey)
	var canary testenv.Canary
	remember := func(s *testenv.Secret) {
		canary.Add("id", []byte(s.ID))
		canary.Add("alias", []byte(s.Alias))
		canary.Add("payload", s.Payload)
		for name, token := range map[string][]byte{"link": s.Link, "manage": s.Manage, "reader": s.Reader, "passphrase": s.Passphrase} {
			if token != nil {
				canary.Add(name+" token", token)
			}
		}
	}
	for _, state := range []string{"waiting", "leased", "read", "revoked", "declined", "locked", "unguarded", "expired", "forgotten"} {
		s := w.state(state)
		remember(s)
		links, api := places(s)
		for _, path := range append(links, api...) {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND"} {
				w.do(method, path, and(testenv.Bearer(s.Link)), "")
			}
		}
	}
	strange := testenv.Random(24)
	canary.Add("what a stranger says", strange)
	text := testenv.B64u(strange)
	w.do("GET", "/"+text+"?"+text, http.Header{
		"User-Agent": {text}, "Referer": {"https://" + text}, "Origin": {"https://" + text}, "Cookie": {text}, "X-Forwarded-For": {text},
	}, "")
	w.do(text[:20], "/", nil, "")
	w.do("CONNECT", "/s/"+text, nil, "")
	w.do("PUT", "/api/secrets/"+text, and(testenv.CreateHeader(testenv.NewSecret(1))), text)
	w.do("POST", "/api/events/ack", and(keyHeader, typeJSON), `{"`+text+`":1}`)
	canary.Add("API key", []byte(apiKey))

	routes := []string{"/"}
	for pattern := range httpd.Routes() {
		routes = append(routes, pattern)
	}
	lines := 0
	for scanner := bufio.NewScanner(strings.NewReader(w.log.String())); scanner.Scan(); lines++ {
		m := logLine.FindStringSubmatch(scanner.Text())
		if m == nil || !slices.Contains(routes, m[2]) || !slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "other"}, m[1]) {
			t.Errorf("%s", scanner.Text())
		}
	}
	if lines < 500 {
		t.Errorf("only %d lines", lines)
	}
	if found := canary.Search([]byte(w.log.String())); found != nil {
		t.Errorf("in the log: %v", found)
	}
}

// brokenStore panics with something that must not be seen.
type brokenStore struct {
	vault.Store
	with any
}

func (b brokenStore) Get(context.Context, vault.Alias, vault.Rule) (vault.Secret, error) {
	panic(b.with)
}

// TestPanicIsNotShown: a mistake of ours is a 500, told by its type and place; its value may be anything.
func TestPanicIsNotShown(t *testing.T) {
	w := newWorld(t)
	s := w.created()
	w.serve(brokenStore{w.store, "a value with " + s.Alias})
	a := w.must(http.StatusInternalServerError, w.Meta, s)
	if !strings.Contains(string(a.Body), `"code":"internal"`) {
		t.Errorf("%s", a.Body)
	}
	if log := w.log.String(); !strings.Contains(log, "level=ERROR msg=panic type=string stack=") || strings.Contains(log, s.Alias) {
		t.Errorf("%s", log)
	}
}

// TestOperatorLearnsOfTrouble, and is not told of clients that went away.
func TestOperatorLearnsOfTrouble(t *testing.T) {
	w := newWorld(t, withKey)
	s := w.created()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	r := w.request("GET", "/api/events?wait=1", keyHeader, nil, "").WithContext(ctx)
	w.handler.ServeHTTP(httptest.NewRecorder(), r)
	if log := w.log.String(); strings.Contains(log, "trouble") {
		t.Errorf("a client has gone: %s", log)
	}
	w.store.Close()
	w.must(http.StatusServiceUnavailable, w.Open, s)
	if log := w.log.String(); !strings.Contains(log, `level=WARN msg=trouble route=/api/secrets/{id}/open err=`) || strings.Contains(log, s.Alias) {
		t.Errorf("%s", log)
	}
}

// TestAbortedAnswerIsLogged: what was cut is told apart from what was sent.
func TestAbortedAnswerIsLogged(t *testing.T) {
	w := newWorld(t)
	s := w.created(func(s *testenv.Secret) { s.Payload = testenv.Random(large) })
	r := plain["POST /api/secrets/{id}/open"](w, s, nil, nil)
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // this very value makes net/http cut the connection
				t.Errorf("the handler did not abort: %v", v)
			}
		}()
		w.handler.ServeHTTP(deafWriter{httptest.NewRecorder()}, r)
	}()
	if log := w.log.String(); !strings.Contains(log, "status=200 bytes=0 ") || !strings.Contains(log, "aborted=true") {
		t.Errorf("%s", log)
	}
	w.opens(s)
}

// deafWriter is a connection whose other end has gone.
type deafWriter struct{ *httptest.ResponseRecorder }

func (deafWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestHealth(t *testing.T) {
	w := newWorld(t, func(o *httpd.Options) { o.Version = "v1.2.3" })
	members(t, w.do("GET", "/api/health", nil, ""), "status")
	report := members(t, w.do("GET", "/api/health?verbose", nil, ""), "status", "version", "store")
	store, _ := report["store"].(map[string]any)
	if report["version"] != "v1.2.3" || store["engine"] == "" || store["promise"] == "" || store["warning"] != nil {
		t.Errorf("%v", report)
	}
	if a := w.do("GET", "/api/openapi.yaml", nil, ""); !strings.HasPrefix(string(a.Body), "openapi: 3.1") ||
		a.Header.Get("Content-Type") != "application/yaml" || a.Header.Get("Content-Length") != strconv.Itoa(len(a.Body)) {
		t.Errorf("the description: %v", a.Header)
	}
}
