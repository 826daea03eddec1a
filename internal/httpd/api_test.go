package httpd_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// members reads a JSON object and checks that it has these members and no others.
func members(t *testing.T, a testenv.Answer, names ...string) map[string]any {
	t.Helper()
	got := testenv.JSON[map[string]any](t, a)
	slices.Sort(names)
	if have := slices.Sorted(maps.Keys(got)); !slices.Equal(have, names) {
		t.Errorf("%d has the members %v, want %v", a.Status, have, names)
	}
	return got
}

// TestLife follows a secret from its sender to its reader, by both names, in the database and in a file.
func TestLife(t *testing.T) {
	for _, size := range []int{1, 256, large - 1, large, 1 << 20} {
		for _, byAlias := range []bool{false, true} {
			t.Run(fmt.Sprint(size, " by alias ", byAlias), func(t *testing.T) {
				w := newWorld(t)
				s := testenv.NewSecret(size)
				made := members(t, w.must(http.StatusCreated, w.Create, s), "id", "alias", "expires_at")
				if made["id"] != s.ID || made["expires_at"] != "2026-11-24T12:00:34Z" || len(made["alias"].(string)) != 8 {
					t.Errorf("created: %v", made)
				}
				if byAlias {
					s.Ref = made["alias"].(string)
				}
				if got := members(t, w.must(http.StatusOK, w.Resolve, s), "id"); got["id"] != s.ID {
					t.Errorf("resolved to %v", got)
				}
				w.follow(t, s)
			})
		}
	}
}

func (w *world) follow(t *testing.T, s *testenv.Secret) {
	t.Helper()
	const noon, then = "2026-11-23T12:00:00Z", "2026-11-23T12:01:00Z"
	meta := members(t, w.must(http.StatusOK, w.Meta, s), "id", "state", "passphrase", "attempts_left", "size", "created_at", "expires_at")
	want := map[string]any{
		"id": s.ID, "state": "waiting", "passphrase": false, "attempts_left": 10.0, "size": float64(len(s.Payload)),
		"created_at": noon, "expires_at": "2026-11-24T12:00:00Z",
	}
	if !maps.Equal(meta, want) {
		t.Errorf("meta: %v", meta)
	}
	status := members(t, w.must(http.StatusOK, w.Status, s), "state", "created_at", "expires_at", "refused")
	if status["state"] != "waiting" || status["created_at"] != noon || status["refused"] != 0.0 {
		t.Errorf("status: %v", status)
	}
	w.clock.Pass(time.Minute)
	a := w.must(http.StatusOK, w.Open, s)
	for name, want := range map[string]string{
		"Content-Type": "application/octet-stream", "Content-Disposition": "attachment", "Content-Length": fmt.Sprint(len(s.Payload)),
		wire.HeaderID: s.ID, wire.HeaderLeaseExpires: "2026-11-23T12:03:34Z",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if string(a.Body) != string(s.Payload) {
		t.Error("the payload is another one")
	}
	status = members(t, w.must(http.StatusOK, w.Status, s), "state", "created_at", "expires_at", "opened_at", "refused")
	if status["state"] != "leased" || status["opened_at"] != then {
		t.Errorf("status while it is read: %v", status)
	}
	for range 2 {
		w.must(http.StatusNoContent, w.Ack, s)
	}
	if files := w.files(); len(files) > 0 {
		t.Errorf("%d files are left", len(files))
	}
	gone := members(t, w.must(http.StatusGone, w.Open, s), "error", "code", "opened_at", "ended_at")
	if gone["code"] != "read" || gone["opened_at"] != then || gone["ended_at"] != then {
		t.Errorf("opening it again: %v", gone)
	}
	if late := members(t, w.must(http.StatusConflict, w.Revoke, s), "error", "code", "opened_at", "ended_at"); late["code"] != "read" {
		t.Errorf("revoking it: %v", late)
	}
	status = members(t, w.must(http.StatusOK, w.Status, s), "state", "created_at", "expires_at", "opened_at", "ended_at", "refused")
	if status["state"] != "read" || status["ended_at"] != then {
		t.Errorf("status at the end: %v", status)
	}
}

// TestLease: it binds to one reader, is not prolonged, and may outlive the secret (PROTOCOL 4.3).
func TestLease(t *testing.T) {
	for _, c := range []struct {
		size  int
		lease time.Duration
	}{{256, 120 * time.Second}, {7 << 20, 120 * time.Second}, {9 << 20, 144 * time.Second}} {
		w := newWorld(t)
		s := testenv.NewSecret(c.size)
		h := testenv.CreateHeader(s)
		h.Set(wire.HeaderExpiresIn, "60")
		if a := w.do("PUT", "/api/secrets/"+s.ID, h, string(s.Payload)); a.Status != http.StatusCreated {
			t.Fatal(a.Status)
		}
		w.clock.Pass(59 * time.Second)
		w.opens(s)
		w.clock.Pass(c.lease / 2)
		w.opens(s)
		busy := w.must(http.StatusLocked, w.Open, another(s))
		if m := members(t, busy, "error", "code"); m["code"] != "leased" || busy.Header.Get("Retry-After") != fmt.Sprint(c.lease.Seconds()/2) {
			t.Errorf("%v with Retry-After %q", m, busy.Header.Get("Retry-After"))
		}
		w.must(http.StatusLocked, w.Decline, s)
		w.clock.Pass(c.lease/2 - time.Millisecond)
		w.opens(s)
		if a := w.must(http.StatusLocked, w.Ack, another(s)); a.Header.Get("Retry-After") != "1" {
			t.Errorf("a millisecond before the end: Retry-After %q", a.Header.Get("Retry-After"))
		}
		w.clock.Pass(time.Millisecond)
		for _, reader := range []*testenv.Secret{s, another(s)} {
			m := members(t, w.must(http.StatusGone, w.Open, reader), "error", "code", "opened_at", "ended_at")
			if m["code"] != "unconfirmed" {
				t.Errorf("after the lease: %v", m)
			}
		}
		w.must(http.StatusGone, w.Ack, s)
	}
}

// TestTombstones: an end is remembered for 7 days (PROTOCOL 4.6).
func TestTombstones(t *testing.T) {
	w := newWorld(t)
	s := w.state("revoked")
	w.clock.Pass(vault.TombstoneTime - time.Millisecond)
	w.must(http.StatusOK, w.Status, s)
	m := members(t, w.must(http.StatusGone, w.Open, s), "error", "code", "ended_at")
	if m["ended_at"] != "2026-11-23T12:00:00Z" {
		t.Errorf("ended: %v", m)
	}
	w.clock.Pass(time.Millisecond)
	w.must(http.StatusNotFound, w.Status, s)
	w.must(http.StatusNotFound, w.Open, s)
	w.must(http.StatusNotFound, w.Revoke, s)
}

func TestPassphrase(t *testing.T) {
	w := newWorld(t)
	s := w.created(func(s *testenv.Secret) { s.Passphrase = testenv.Random(32) })
	none, wrong, outsider := *s, *s, *s
	none.Passphrase = nil
	wrong.Passphrase = testenv.Random(32)
	outsider.Link, outsider.Passphrase = testenv.Random(32), wrong.Passphrase
	left := func(want float64) {
		t.Helper()
		if m := testenv.JSON[map[string]any](t, w.must(http.StatusOK, w.Meta, s)); m["attempts_left"] != want || m["passphrase"] != true {
			t.Errorf("%v, want %v attempts left", m, want)
		}
	}
	for range vault.MaxPassphrases + 2 { // neither counts
		if m := members(t, w.must(http.StatusForbidden, w.Open, &none), "error", "code", "attempts_left"); m["code"] != "passphrase_required" {
			t.Errorf("without: %v", m)
		}
		w.must(http.StatusNotFound, w.Open, &outsider)
	}
	left(10)
	m := members(t, w.must(http.StatusForbidden, w.Open, &wrong), "error", "code", "attempts_left")
	if m["code"] != "passphrase_wrong" || m["attempts_left"] != 9.0 {
		t.Errorf("the first wrong one: %v", m)
	}
	left(9)
	w.opens(s)
	none.Reader = s.Reader
	w.opens(&none) // within the lease it need not be proven again
	w.must(http.StatusLocked, w.Open, another(s))

	locked := w.created(func(s *testenv.Secret) { s.Passphrase = testenv.Random(32); s.Payload = testenv.Random(large) })
	wrong = *locked
	wrong.Passphrase = testenv.Random(32)
	for n := 9.0; n >= 0; n-- {
		if m := testenv.JSON[map[string]any](t, w.must(http.StatusForbidden, w.Open, &wrong)); m["attempts_left"] != n {
			t.Errorf("%v, want %v attempts left", m, n)
		}
	}
	if m := testenv.JSON[map[string]any](t, w.must(http.StatusGone, w.Open, locked)); m["code"] != "locked" {
		t.Errorf("the right one, too late: %v", m)
	}
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestRefusedIsCounted: the sender learns that somebody tried without the link (PROTOCOL 4.5).
func TestRefusedIsCounted(t *testing.T) {
	w := newWorld(t)
	s := w.created()
	for _, bearer := range []http.Header{nil, testenv.Bearer(testenv.Random(32)), testenv.Bearer(s.Manage)} {
		w.do("POST", "/api/secrets/"+s.Ref+"/open", and(typeJSON, bearer), `{"reader":"AAAAAAAAAAAAAAAAAAAAAA"}`)
	}
	refused := func() float64 {
		return testenv.JSON[map[string]any](t, w.must(http.StatusOK, w.Status, s))["refused"].(float64)
	}
	if n := refused(); n != 3 {
		t.Errorf("%v before they are written", n)
	}
	if err := w.vault.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := refused(); n != 3 {
		t.Errorf("%v after they were written", n)
	}
	w.opens(s)
}

func TestOneReaderOverHTTP(t *testing.T) {
	for _, e := range engines {
		for _, size := range []int{256, large} {
			t.Run(fmt.Sprint(e.name, "/", size), func(t *testing.T) { oneReader(newKeptWorld(t, e), size) })
		}
	}
}

func oneReader(w *keptWorld, size int) {
	s := w.created(func(s *testenv.Secret) { s.Payload = testenv.Random(size) })
	var won, turnedAway atomic.Int32
	var winner atomic.Pointer[testenv.Secret]
	var all sync.WaitGroup
	for range 64 {
		reader := another(s)
		all.Go(func() {
			switch a, err := w.Open(w.t.Context(), reader); {
			case err != nil:
				w.t.Error(err)
			case a.Status == http.StatusOK && string(a.Body) == string(s.Payload):
				won.Add(1)
				winner.Store(reader)
			case a.Status == http.StatusLocked:
				turnedAway.Add(1)
			default:
				w.t.Errorf("%d with %d bytes", a.Status, len(a.Body))
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || turnedAway.Load() != 63 {
		w.t.Fatalf("%d read it and %d were turned away", won.Load(), turnedAway.Load())
	}
	w.opens(winner.Load())
}

// TestCutDownloadRepeats breaks connections off in the midst of the payload, and asks again.
func TestCutDownloadRepeats(t *testing.T) {
	w := newWorld(t)
	s := w.created(func(s *testenv.Secret) { s.Payload = testenv.Random(4 << 20) })
	for _, after := range []int{1, 1000, 100_000} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(w.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		ask := fmt.Sprintf(`{"reader":%q}`, testenv.B64u(s.Reader))
		fmt.Fprintf(c, "POST /api/secrets/%s/open HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			s.Ref, testenv.B64u(s.Link), len(ask), ask)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		if n, err := resp.Body.Read(make([]byte, after)); n == 0 {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
		w.must(http.StatusLocked, w.Open, another(s))
	}
	w.opens(s)
	w.must(http.StatusNoContent, w.Ack, s)
	w.must(http.StatusGone, w.Open, s)
}

// TestResolve gives nothing away: an alias that nobody uses has an id too, always the same (PROTOCOL 4.9).
func TestResolve(t *testing.T) {
	w := newWorld(t)
	ids := make(map[string]bool)
	for i := range 50 {
		decoy := &testenv.Secret{Ref: fmt.Sprintf("Nobody%02d", i)}
		first := w.must(http.StatusOK, w.Resolve, decoy)
		if again := w.must(http.StatusOK, w.Resolve, decoy); string(again.Body) != string(first.Body) {
			t.Fatal("a decoy changes")
		}
		var got wire.Resolved
		if err := json.Unmarshal(first.Body, &got); err != nil {
			t.Fatal(err)
		}
		if _, ok := vault.ParseID(got.ID); !ok || got.ID[14] != '4' || !strings.Contains("89ab", got.ID[19:20]) || ids[got.ID] {
			t.Errorf("%s is not like the id of a client", got.ID)
		}
		ids[got.ID] = true
	}
}

// TestDestroyingIsNotLimited: who has no budget left for anything else can still erase.
func TestDestroyingIsNotLimited(t *testing.T) {
	b := httpd.DefaultBudgets
	b[httpd.BudgetRead].Rate, b[httpd.BudgetRead].Burst = 1, 1
	b[httpd.BudgetCreate].Rate, b[httpd.BudgetCreate].Burst = 3, 3
	w := newWorld(t, withKey, func(o *httpd.Options) { o.Limits = httpd.NewLimits(o.Now, b) })
	read, declined, revoked := w.created(), w.created(), w.created()
	w.opens(read)
	if a := w.must(http.StatusTooManyRequests, w.Open, read); testenv.JSON[wire.Error](t, a).Code != "rate_limited" {
		t.Errorf("%s", a.Body)
	}
	w.must(http.StatusTooManyRequests, w.Meta, read)
	w.must(http.StatusTooManyRequests, w.Create, testenv.NewSecret(1))
	for range 20 {
		w.must(http.StatusNoContent, w.Ack, read)
		w.must(http.StatusNoContent, w.Decline, declined)
		w.must(http.StatusNoContent, w.Revoke, revoked)
	}
	s := testenv.NewSecret(1)
	if a := w.do("PUT", "/api/secrets/"+s.ID, and(testenv.CreateHeader(s), keyHeader), "x"); a.Status != http.StatusCreated {
		t.Errorf("with an API key: %d", a.Status)
	}
}
