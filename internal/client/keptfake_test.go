package client_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// fakeKept keeps secrets by PROTOCOL 5, well enough to try what the way to a server can do. Its rules are tested with the
// real one (cmd/hush, internal/httpd).
type fakeKept struct {
	mu      sync.Mutex
	log     []string // the routes asked for
	secrets map[string]*keptRecord
	answers map[string]string // view by idempotency key

	before func(n int, route string, w http.ResponseWriter) bool // true: it answered
	after  func(n int, route string) bool                        // true: the answer is lost
}

type keptRecord struct {
	wire.KeepRequest

	owner string
	rev   int
	gone  bool
}

func startKept(t *testing.T, f *fakeKept) *client.Client {
	t.Helper()
	f.secrets, f.answers = map[string]*keptRecord{}, map[string]string{}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return connect(t, srv.URL, srv.Client())
}

func (f *fakeKept) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var body json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&body)
	route := strings.TrimPrefix(r.URL.Path, "/api/")
	f.log = append(f.log, route)
	n := len(f.log)
	if r.Method != http.MethodPost || r.URL.RawQuery != "" {
		http.Error(w, "not this dialect", http.StatusMethodNotAllowed)
		return
	}
	if f.before != nil && f.before(n, route, w) {
		return
	}
	rec := httptest.NewRecorder()
	f.answer(rec, route, body)
	if f.after != nil && f.after(n, route) {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// asked has the members of every request that follow.
type asked struct {
	View       string     `json:"view"`
	UID        wire.Token `json:"uid"`
	Message    string     `json:"encrypted_message"`
	IV         string     `json:"iv"`
	Salt       string     `json:"salt"`
	CustomName string     `json:"custom_name"`
	ClaimToken wire.Token `json:"claim_token"`
	IfRev      *int       `json:"if_rev"`
	Page       int        `json:"page"`
	PerPage    int        `json:"per_page"`
}

func (f *fakeKept) answer(w http.ResponseWriter, route string, body []byte) {
	if route == "create" {
		f.create(w, body)
		return
	}
	var q asked
	_ = json.Unmarshal(body, &q)
	uid := string(q.UID)
	if strings.HasPrefix(route, "list-") {
		f.list(w, route == "list-secrets", uid, q)
		return
	}
	s := f.secrets[q.View]
	switch {
	case s == nil || s.gone:
		if route == "view" {
			reply(w, http.StatusNotFound, wire.KeptRefusal{Message: "No such secret", RedirectRoot: "true"})
			return
		}
		failed(w, http.StatusNotFound)
	case route == "view":
		f.view(w, s, uid)
	case route == "update":
		f.update(w, s, q)
	case route == "update-custom-name" && s.owner == uid:
		s.CustomName = q.CustomName
		done(w)
	case route == "delete-secret" && (s.owner == uid || s.owner == "" && string(s.CreatorUID) == uid):
		s.gone = true
		done(w)
	case route == "undo-claim" && string(s.CreatorUID) == uid && s.owner != "":
		s.owner = ""
		done(w)
	default:
		failed(w, http.StatusNotFound)
	}
}

func (f *fakeKept) create(w http.ResponseWriter, body []byte) {
	var q wire.KeepRequest
	_ = json.Unmarshal(body, &q)
	view, known := f.answers[q.IdempotencyKey]
	if !known || q.IdempotencyKey == "" {
		view = fmt.Sprintf("view-%020d", len(f.secrets))
		f.secrets[view] = &keptRecord{KeepRequest: q}
		f.answers[q.IdempotencyKey] = view
	}
	reply(w, http.StatusOK, wire.KeptCreated{URL: "https://elsewhere.example/", View: view})
}

func (f *fakeKept) view(w http.ResponseWriter, s *keptRecord, uid string) {
	if s.owner != "" && s.owner != uid {
		reply(w, http.StatusForbidden, wire.KeptRefusal{Message: "Access denied", RedirectRoot: "true"})
		return
	}
	reply(w, http.StatusOK, wire.KeptSecret{
		Message: s.Message, IV: s.IV, Salt: s.Salt, CustomName: s.CustomName,
		IsOwner: s.owner == uid, ClaimRequired: s.ClaimHash != "", Revision: s.rev,
	})
}

func (f *fakeKept) update(w http.ResponseWriter, s *keptRecord, q asked) {
	token, err := seal.ParseToken(string(q.ClaimToken))
	if s.owner != "" || s.ClaimHash != "" && (err != nil || token.HashText() != s.ClaimHash) || q.IfRev != nil && *q.IfRev != s.rev {
		failed(w, http.StatusConflict)
		return
	}
	s.owner, s.Message, s.IV, s.Salt = string(q.UID), q.Message, q.IV, q.Salt
	s.rev++
	done(w)
}

func (f *fakeKept) list(w http.ResponseWriter, owned bool, uid string, q asked) {
	l := wire.KeptList{Page: q.Page, PerPage: q.PerPage}
	for view, s := range f.secrets {
		if !s.gone && (owned && s.owner == uid || !owned && s.owner == "" && string(s.CreatorUID) == uid) {
			l.Secrets = append(l.Secrets, wire.KeptEntry{ID: view, CustomName: s.CustomName, Days: 3, Display: "3 days", Type: "days"})
		}
	}
	l.Total = len(l.Secrets)
	reply(w, http.StatusOK, l)
}

func done(w http.ResponseWriter) {
	reply(w, http.StatusOK, wire.KeptDone{Status: "success", Message: "done"})
}

func failed(w http.ResponseWriter, status int) {
	reply(w, status, wire.KeptDone{Status: "failed", Message: "no"})
}

// hooks changes what happens to requests; one whose answer was lost may still be under way.
func (f *fakeKept) hooks(before func(int, string, http.ResponseWriter) bool, after func(int, string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// count is how many secrets are kept.
func (f *fakeKept) count() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.secrets {
		if !s.gone {
			n++
		}
	}
	return n
}

func (f *fakeKept) routes() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, ", ")
}
