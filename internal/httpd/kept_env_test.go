package httpd_test

import (
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// engine is a kind of store that the transcripts run over.
type engine struct {
	name string
	// start gives what opens a store, empty at first, and then the same again, as a server does that starts anew.
	start func(w *world) (open func() keptStore)
	// moves says that tests can move the store's time. Otherwise it is the time of day.
	moves bool
}

type keptStore interface {
	vault.Store

	Key() [32]byte
	Close() error
}

var engines = []engine{
	{"sqlite", startSQLite, true},
	{"redis", startRedis, false},
}

func startSQLite(w *world) func() keptStore {
	w.dir = w.t.TempDir()
	return func() keptStore {
		s, err := sqlite.Open(w.t.Context(), w.dir, sqlite.Options{Now: w.clock.Now})
		if err != nil {
			w.t.Fatal(err)
		}
		return s
	}
}

func startRedis(w *world) func() keptStore {
	url := redisserver.Start(w.t).URL()
	return func() keptStore {
		s, err := redis.Open(w.t.Context(), redis.Options{URL: url})
		if err != nil {
			w.t.Fatal(err)
		}
		return s
	}
}

// keptWorld is a world over any engine, and what inigma's clients do in it.
type keptWorld struct {
	*world

	moves  bool
	open   func() keptStore
	store  keptStore
	change []func(*httpd.Options)
}

func newKeptWorld(t *testing.T, e engine, change ...func(*httpd.Options)) *keptWorld {
	t.Helper()
	w := &keptWorld{world: &world{t: t, clock: newWallClock(), log: new(safeBuffer)}, moves: e.moves, change: change}
	if !e.moves {
		w.change = append(w.change, func(o *httpd.Options) { o.Now = time.Now })
	}
	w.open = e.start(w.world)
	w.restart()
	t.Cleanup(func() { w.store.Close() })
	return w
}

// restart ends the server, and starts another over the same data.
func (w *keptWorld) restart() {
	w.t.Helper()
	if w.store != nil {
		if err := w.store.Close(); err != nil {
			w.t.Fatal(err)
		}
	}
	w.store = w.open()
	w.options.Key = w.store.Key()
	w.serve(w.store, w.change...)
}

// pass lets time go by, or skips the rest of the test where nobody can do that.
func (w *keptWorld) pass(d time.Duration) {
	w.t.Helper()
	if !w.moves {
		w.t.Skipf("the store's clock cannot be moved, and %v is too long to wait", d)
	}
	w.clock.Pass(d)
}

// post asks one of the routes, also from another goroutine. A body that is a string goes as it is.
func (w *world) post(route string, body any) testenv.Answer {
	w.t.Helper()
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			w.t.Error(err)
		}
		text = string(b)
	}
	a, err := w.Do(w.t.Context(), "POST", "/api/"+route, typeJSON, strings.NewReader(text))
	if err != nil {
		w.t.Error(route, " ", err)
	}
	return a
}

// expect asks, and reads the answer into a T if it has the status.
func expect[T any](w *world, status int, route string, body any) T {
	w.t.Helper()
	a := w.post(route, body)
	if a.Status != status {
		w.t.Fatalf("%s: %d, want %d: %s", route, a.Status, status, a.Body)
	}
	return testenv.JSON[T](w.t, a)
}

var (
	b64  = base64.StdEncoding.EncodeToString
	b64u = base64.RawURLEncoding
)

// people of inigma have 12 hexadecimal characters each.
const creator, recipient, stranger = "c0ffee000001", "beef00000002", "dead00000003"

// sealed gives what a client would send, without the work of sealing it.
func sealed() (message, iv, salt string) {
	return b64(testenv.Random(100)), b64(testenv.Random(12)), b64(testenv.Random(16))
}

// asking gives a request of the creator's.
func asking(change ...func(*wire.KeepRequest)) wire.KeepRequest {
	r := wire.KeepRequest{CreatorUID: creator}
	r.Message, r.IV, r.Salt = sealed()
	for _, c := range change {
		c(&r)
	}
	return r
}

func forDays(n int) func(*wire.KeepRequest) { return func(r *wire.KeepRequest) { r.TTL = &n } }

// keep has a message kept, and gives its view.
func (w *world) keep(r wire.KeepRequest) string {
	w.t.Helper()
	return expect[wire.KeptCreated](w, http.StatusOK, "create", r).View
}

// view reads a message.
func (w *world) view(view string, uid wire.Token) wire.KeptSecret {
	w.t.Helper()
	return expect[wire.KeptSecret](w, http.StatusOK, "view", wire.ViewRequest{View: view, UID: uid})
}

// unreadable reads a message that is refused with this status.
func (w *world) unreadable(status int, view string, uid wire.Token) {
	w.t.Helper()
	r := expect[wire.KeptRefusal](w, status, "view", wire.ViewRequest{View: view, UID: uid})
	if r.RedirectRoot != "true" || r.Message == "" {
		w.t.Errorf("view: %d with %+v", status, r)
	}
}

// claiming gives a claim of uid's, of a message of their own.
func claiming(view string, uid wire.Token, change ...func(*wire.ClaimRequest)) wire.ClaimRequest {
	r := wire.ClaimRequest{View: view, UID: uid}
	r.Message, r.IV, r.Salt = sealed()
	for _, c := range change {
		c(&r)
	}
	return r
}

// claims claims, and gives what was put in the message's place.
func (w *world) claims(r wire.ClaimRequest) wire.ClaimRequest {
	w.t.Helper()
	if done := expect[wire.KeptDone](w, http.StatusOK, "update", r); done != (wire.KeptDone{Status: "success", Message: "secret owned"}) {
		w.t.Errorf("claimed: %+v", done)
	}
	return r
}

// fails makes a request that is refused as one of those that only say so.
func (w *world) fails(status int, route string, body any) {
	w.t.Helper()
	if done := expect[wire.KeptDone](w, status, route, body); done.Status != "failed" || done.Message == "" {
		w.t.Errorf("%s: %d with %+v", route, status, done)
	}
}

// does makes one that succeeds.
func (w *world) does(route string, body any) {
	w.t.Helper()
	if done := expect[wire.KeptDone](w, http.StatusOK, route, body); done.Status != "success" || done.Message == "" {
		w.t.Errorf("%s: %+v", route, done)
	}
}

// owned and pending list, the first page of ten.
func (w *world) owned(uid wire.Token) wire.KeptList {
	w.t.Helper()
	return expect[wire.KeptList](w, http.StatusOK, "list-secrets", `{"uid":"`+string(uid)+`"}`)
}

func (w *world) pending(uid wire.Token) wire.KeptList {
	w.t.Helper()
	return expect[wire.KeptList](w, http.StatusOK, "list-pending-secrets", `{"uid":"`+string(uid)+`"}`)
}

// views are those of a list, in its order.
func views(l wire.KeptList) (all []string) {
	for _, e := range l.Secrets {
		all = append(all, e.ID)
	}
	return all
}

// logged gives everything that a server logs, down to the least.
func logged(w *world) func(*httpd.Options) {
	return func(o *httpd.Options) {
		o.Log = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
}

// same compares a message that was read with what was sent.
func same(s wire.KeptSecret, message, iv, salt string) bool {
	return strings.Join([]string{s.Message, s.IV, s.Salt}, "|") == strings.Join([]string{message, iv, salt}, "|")
}
