package httpd_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
)

var dateLine = regexp.MustCompile(`Date: [^\r]*\r\n`)

// exact gives an answer as it comes over the wire, but for its date.
func (w *world) exact(method, path, authorization, body string) string {
	w.t.Helper()
	p := w.peer()
	auth := ""
	if authorization != "" {
		auth = "Authorization: " + authorization + "\r\n"
	}
	p.say(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		method, path, auth, len(body), body))
	text, err := io.ReadAll(p.r)
	if err != nil {
		w.t.Fatal(err)
	}
	p.Close()
	return dateLine.ReplaceAllString(string(text), "")
}

// private are the routes that prove something, and whether that is the link or being the sender.
var private = []struct {
	method, tail, body string
	manage             bool
}{
	{"GET", "/meta", "", false},
	{"POST", "/open", `{"reader":"AAAAAAAAAAAAAAAAAAAAAA"}`, false},
	{"POST", "/open", `{"reader":"AAAAAAAAAAAAAAAAAAAAAA","passphrase_token":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`, false},
	{"POST", "/ack", `{"reader":"AAAAAAAAAAAAAAAAAAAAAA"}`, false},
	{"POST", "/decline", "", false},
	{"GET", "/status", "", true},
	{"DELETE", "", "", true},
}

// TestSame404: whoever does not hold the proof learns nothing, not even that there is something (PROTOCOL 4.2).
func TestSame404(t *testing.T) {
	baseline := make(map[string]string)
	w := newWorld(t)
	for _, route := range private {
		baseline[route.method] = w.exact(route.method, "/api/secrets/Unknown0"+route.tail, "Bearer "+testenv.B64u(testenv.Random(32)), route.body)
		if !strings.HasPrefix(baseline[route.method], "HTTP/1.1 404 Not Found\r\n") {
			t.Fatalf("%s", baseline[route.method])
		}
	}
	for _, state := range []string{
		"unknown", "forgotten", "waiting", "kept", "leased", "read", "unconfirmed", "revoked", "declined", "expired", "locked", "unguarded",
	} {
		t.Run(state, func(t *testing.T) {
			w := newWorld(t, withKey)
			s := testenv.NewSecret(1)
			s.Alias = "Unknown1"
			if state != "unknown" {
				s = w.state(state)
			}
			for _, ref := range []string{s.ID, s.Alias} {
				w.probe(s, ref, state == "forgotten", baseline)
			}
			if state == "waiting" || state == "kept" || state == "leased" {
				w.opens(s)
			}
		})
	}
}

func (w *world) probe(s *testenv.Secret, ref string, forgotten bool, baseline map[string]string) {
	w.t.Helper()
	for _, route := range private {
		for _, authorization := range strangers(s, route.manage, forgotten) {
			if got := w.exact(route.method, "/api/secrets/"+ref+route.tail, authorization, route.body); got != baseline[route.method] {
				w.t.Fatalf("%s %s by %d characters, with %.20s…:\n%s\nwant\n%s", route.method, route.tail, len(ref), authorization, got, baseline[route.method])
			}
		}
	}
}

// strangers gives what somebody may say who does not have the right token; with a forgotten secret the right one too.
func strangers(s *testenv.Secret, manage, forgotten bool) []string {
	right, other := s.Link, s.Manage
	if manage {
		right, other = other, right
	}
	all := []string{
		"", "Bearer", "Bearer ", "Bearer x", "Bearer " + testenv.B64u(make([]byte, 32)), "Bearer " + testenv.B64u(testenv.Random(32)),
		"Bearer " + testenv.B64u(testenv.Random(31)), "Bearer " + apiKey, "Bearer " + testenv.HashOf(right),
	}
	if right != nil {
		text := testenv.B64u(right)
		all = append(all, "Basic "+text, text, "Bearer  "+text, "Bearer "+text+"=", "Bearer "+text[:42], "Bearer "+text+"A",
			"Bearer "+testenv.B64u(other), "Bearer "+base64.StdEncoding.EncodeToString(right))
	}
	if forgotten {
		all = append(all, "Bearer "+testenv.B64u(right))
	}
	return all
}

// TestBearer: the scheme's case is free (RFC 9110), the token's spelling is not.
func TestBearer(t *testing.T) {
	w := newWorld(t)
	s := w.created()
	for _, scheme := range []string{"Bearer", "bearer", "BEARER"} {
		h := http.Header{"Authorization": {scheme + " " + testenv.B64u(s.Link)}}
		if a := w.do("GET", "/api/secrets/"+s.Ref+"/meta", h, ""); a.Status != http.StatusOK {
			t.Errorf("%s: %d", scheme, a.Status)
		}
	}
	spelling := []byte(testenv.B64u(s.Link)) // the last character has two bits that nothing hangs on
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	spelling[42] = alphabet[strings.IndexByte(alphabet, spelling[42])|1]
	if a := w.do("GET", "/api/secrets/"+s.Ref+"/meta", http.Header{"Authorization": {"Bearer " + string(spelling)}}, ""); a.Status != http.StatusNotFound {
		t.Errorf("another spelling of the same bytes: %d", a.Status)
	}
}
