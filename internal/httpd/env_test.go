package httpd_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// large is a payload that the store keeps in a file; small ones it keeps in its database.
const large = 64<<10 + 1

// world is the real handler over a real vault and a real store, behind a real connection. Only the clock is the test's.
type world struct {
	*testenv.Client

	t       *testing.T
	clock   *wallClock
	store   *sqlite.Store
	options vault.Options
	vault   *vault.Vault
	handler http.Handler
	dir     string // of SQLite's
	log     *safeBuffer
}

// newWorld makes a world; change may alter the options of its handler.
func newWorld(t *testing.T, change ...func(*httpd.Options)) *world {
	t.Helper()
	w := &world{t: t, clock: newWallClock(), dir: t.TempDir(), log: new(safeBuffer)}
	store, err := sqlite.Open(t.Context(), w.dir, sqlite.Options{Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w.store, w.options.Key = store, store.Key()
	w.serve(store, change...)
	return w
}

// serve puts the handler over store, which may be one that misbehaves.
func (w *world) serve(store vault.Store, change ...func(*httpd.Options)) {
	w.t.Helper()
	w.vault = vault.New(store, w.options)
	o := httpd.Options{Vault: w.vault, Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: w.clock.Now}
	for _, c := range change {
		c(&o)
	}
	handler, err := httpd.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.handler = watched(w.t, handler)
	server := httptest.NewServer(w.handler)
	w.t.Cleanup(server.Close)
	w.Client = testenv.NewClient(server.URL)
}

// do makes a request that must be answered.
func (w *world) do(method, path string, header http.Header, body string) testenv.Answer {
	w.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	a, err := w.Do(w.t.Context(), method, path, header, r)
	if err != nil {
		w.t.Fatal(method, " ", err)
	}
	return a
}

// call is a route of testenv.Client.
type call func(context.Context, *testenv.Secret) (testenv.Answer, error)

// must makes a call that must have this status.
func (w *world) must(status int, c call, s *testenv.Secret) testenv.Answer {
	w.t.Helper()
	a, err := c(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	if a.Status != status {
		w.t.Fatalf("got %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// created makes a secret that waits; change may give it a passphrase or another size first.
func (w *world) created(change ...func(*testenv.Secret)) *testenv.Secret {
	w.t.Helper()
	s := testenv.NewSecret(256)
	for _, c := range change {
		c(s)
	}
	s.Alias = testenv.JSON[wire.Created](w.t, w.must(http.StatusCreated, w.Create, s)).Alias
	s.Ref = s.Alias
	return s
}

// opens checks that the secret still opens, to its whole payload.
func (w *world) opens(s *testenv.Secret) {
	w.t.Helper()
	if a := w.must(http.StatusOK, w.Open, s); !bytes.Equal(a.Body, s.Payload) {
		w.t.Fatalf("the payload of %d bytes came back as %d others", len(s.Payload), len(a.Body))
	}
}

// another is s in the hands of another reader.
func another(s *testenv.Secret) *testenv.Secret {
	other := *s
	other.Reader = testenv.Random(16)
	return &other
}

// files lists the payloads folder, where the store has one.
func (w *world) files() []string {
	w.t.Helper()
	if w.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(w.dir, "payloads"))
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// wallClock is a time that only the test moves, while others read it.
type wallClock struct {
	mu sync.Mutex
	t  time.Time
}

// newWallClock begins in the middle of a minute, so that times that are not rounded show.
func newWallClock() *wallClock {
	return &wallClock{t: time.Date(2026, 11, 23, 12, 0, 34, 567_000_000, time.UTC)}
}

func (c *wallClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *wallClock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// safeBuffer is a log that is written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
