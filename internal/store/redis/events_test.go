package redis_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// declined makes a secret of creator's that ends, and gives what its event must say.
func declined(t *testing.T, s *redis.Store, creator, context string) vault.Event {
	t.Helper()
	d := draft(t, creator, time.Hour)
	d.Context = context
	put(t, s, d, nil)
	got := update(t, s, d.Alias(), ends(vault.Declined))
	return vault.Event{Type: "secret.declined", At: got.Ended, Creator: creator, Context: []byte(context), Secret: d.ID}
}

func events(t *testing.T, s *redis.Store, creator string, limit int, hide time.Duration) []vault.Event {
	t.Helper()
	got, err := s.Events(t.Context(), creator, limit, hide)
	if err != nil {
		t.Fatal("Events: ", err)
	}
	return got
}

func contexts(all []vault.Event) string {
	var b strings.Builder
	for _, e := range all {
		b.Write(e.Context)
	}
	return b.String()
}

// TestEventOfADeadProcess: a process that dies between a change and its telling leaves the event beside the record, and a
// hint; whoever sweeps tells.
func TestEventOfADeadProcess(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	dies, err := redis.Open(t.Context(), redis.Options{URL: s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	lives := open(t, s.URL())
	do(t, s, "ACL", "SETUSER", "default", "-xadd")
	want := declined(t, dies, "bot", "note")
	if err := dies.Close(); err != nil {
		t.Error(err)
	}
	do(t, s, "ACL", "SETUSER", "default", "+xadd")
	if got := events(t, lives, "bot", 10, 0); len(got) > 0 {
		t.Fatal("it was told") // and this test shows nothing
	}
	start := time.Now()
	var got []vault.Event
	if !poll(func() bool {
		sweepUntil(t, lives, 0)
		got = events(t, lives, "bot", 10, 0)
		return len(got) > 0
	}) {
		t.Fatal("nobody tells")
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	id := got[0].ID
	if got[0].ID = ""; len(got) != 1 || !sameEvent(got[0], want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if err := lives.AckEvents(t.Context(), "bot", []string{id}); err != nil {
		t.Error(err)
	}
	for _, key := range keys(t, s) {
		if strings.HasSuffix(key, "}:e") {
			t.Errorf("%s is left", key)
		}
	}
}

func sameEvent(a, b vault.Event) bool {
	return a.ID == b.ID && a.Type == b.Type && a.At == b.At && a.Creator == b.Creator && string(a.Context) == string(b.Context) && a.Secret == b.Secret
}

// TestEventsAreHidden from others, for a while, and come again if nobody acknowledges them.
func TestEventsAreHidden(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store, other := open(t, s.URL()), open(t, s.URL())
	for _, note := range []string{"1", "2", "3", "4"} {
		declined(t, store, "bot", note)
	}
	const hide = time.Second
	want := func(got []vault.Event, want string) {
		t.Helper()
		if contexts(got) != want {
			t.Errorf("handed out %q, want %q", contexts(got), want)
		}
	}
	first := events(t, store, "bot", 2, hide)
	start := time.Now()
	want(first, "12")
	want(events(t, other, "bot", 1, hide), "3")
	want(events(t, other, "bot", 10, hide), "4")
	want(events(t, store, "bot", 10, hide), "")
	want(events(t, store, "somebody else", 10, 0), "")
	if err := other.AckEvents(t.Context(), "bot", []string{first[0].ID}); err != nil {
		t.Error(err)
	}
	if time.Since(start) < hide { // else the machine is too slow to tell
		want(events(t, store, "bot", 10, hide), "")
	}
	<-time.After(hide)
	declined(t, store, "bot", "5")
	want(events(t, other, "bot", 10, hide), "2345")
	want(events(t, other, "bot", 10, 0), "2345")
}

// TestEventsOfManyPollers: each is handed one event at a time, and all come out.
func TestEventsOfManyPollers(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	stores := []*redis.Store{open(t, s.URL()), open(t, s.URL())}
	const n = 100
	for range n {
		declined(t, stores[0], "bot", "1")
	}
	var mu sync.Mutex
	seen := make(map[string]int)
	var pollers sync.WaitGroup
	for i := range 8 {
		pollers.Go(func() {
			for {
				got, err := stores[i%2].Events(t.Context(), "bot", 7, time.Minute)
				if err != nil {
					t.Error(err)
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, e := range got {
					seen[e.ID]++
				}
				mu.Unlock()
			}
		})
	}
	pollers.Wait()
	if len(seen) != n {
		t.Errorf("of %d, %d came out", n, len(seen))
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%s was handed out %d times", id, times)
		}
	}
}

// TestCreatorsOfAnyName: names are operators' words.
func TestCreatorsOfAnyName(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	names := []string{"bot", "bo", "bot ", "{bot}", "a}b{c", "Grüße, 世界", "\x00\xff\r\n*1", "hp:events:bot", "*", strings.Repeat("long", 250)}
	want := make([]vault.Event, len(names))
	for i, name := range names {
		want[i] = declined(t, store, name, string(noise(vault.MaxContext)))
	}
	for i, name := range names {
		got := events(t, store, name, 10, 0)
		if len(got) != 1 {
			t.Errorf("%q is told %d", name, len(got))
			continue
		}
		id := got[0].ID
		if got[0].ID = ""; !sameEvent(got[0], want[i]) {
			t.Errorf("%q is told of another", name)
		}
		if err := store.AckEvents(t.Context(), name, []string{id, id, "x", "1-x", "99999999999999999999-1"}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if got := events(t, store, name, 10, 0); len(got) != 0 {
			t.Errorf("%q is told again", name)
		}
	}
	for _, key := range keys(t, s) {
		if strings.HasPrefix(key, "hp:events:") && (do(t, s, "XLEN", key) != "0" || !strings.HasPrefix(do(t, s, "XPENDING", key, "hushpost"), "0")) {
			t.Errorf("%s is not empty", key)
		}
	}
}

// TestOldEvents are dropped, some at a time.
func TestOldEvents(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	for range 3 {
		declined(t, store, "one", "1")
		declined(t, store, "two", "2")
	}
	events(t, store, "one", 2, time.Minute) // handed out or not
	const old = 2 * time.Second
	<-time.After(old)
	declined(t, store, "one", "3")
	var swept []int
	for range 4 {
		n, err := store.SweepEvents(t.Context(), 4, old)
		if err != nil {
			t.Fatal(err)
		}
		swept = append(swept, n)
	}
	if got := contexts(events(t, store, "one", 10, 0)); !slices.Equal(swept, []int{4, 2, 0, 0}) || got != "3" {
		t.Errorf("swept %v, left %q", swept, got)
	}
	if got := events(t, store, "two", 10, 0); len(got) > 0 {
		t.Errorf("left %q", contexts(got))
	}
}
