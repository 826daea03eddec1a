package main_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// inlineMax is where the store begins to keep payloads in files.
const inlineMax = 64 << 10

// known is what a client knows of a request that it has made.
type known uint8

const (
	never   known = iota // not asked
	unknown              // asked, and no answer came
	sure                 // the answer said that it is done
)

// fate is what the clients of one secret know of it.
type fate struct {
	*testenv.Secret

	created, acked known
	readers        []*reading
}

type reading struct {
	*testenv.Secret // with the token of this reader

	won  known // unknown: perhaps
	lost bool
}

// winner is the reader who got the secret, if somebody knows that he did.
func (f *fate) winner() *reading {
	for _, r := range f.readers {
		if r.won == sure {
			return r
		}
	}
	return nil
}

// TestKill9 kills the server in the midst of work, over and over on one folder, and holds it to what it has
// acknowledged (PROTOCOL 4.7): no secret is lost, none has two readers, none comes back.
func TestKill9(t *testing.T) {
	t.Parallel()
	const rounds, clients = 20, 6
	server := testenv.StartServer(t)
	var waiting, gone []*fate // of earlier rounds
	total := 0
	for round := range rounds {
		fates := load(t, server, clients, 20*time.Millisecond+rand.N(150*time.Millisecond))
		total += len(fates)
		server.Restart()
		c := server.Client()
		checkFiles(t, c, server.Dir, append(fates, waiting...))
		each(fates, func(f *fate) { f.check(t, c) })
		each(gone, func(f *fate) { f.checkGone(t, c) })
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		gone = gone[:0]
		for _, f := range fates {
			switch f.tidy(t, c, len(waiting) < 60) {
			case "waiting":
				waiting = append(waiting, f)
			case "read":
				gone = append(gone, f)
			}
		}
	}
	c := server.Client()
	each(waiting, func(f *fate) { f.checkHeld(t, c) })
	t.Logf("%d secrets in %d rounds", total, rounds)
	if total < rounds*clients {
		t.Errorf("only %d secrets were made: the load is too small to prove anything", total)
	}
}

// each does all at once, as the server likes it.
func each(fates []*fate, f func(*fate)) {
	var all sync.WaitGroup
	room := make(chan struct{}, 16)
	for _, x := range fates {
		room <- struct{}{}
		all.Go(func() { f(x); <-room })
	}
	all.Wait()
}

// load lets clients work until the server is killed after d, and gives what they know.
func load(t *testing.T, server *testenv.Server, clients int, d time.Duration) []*fate {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	fates := make([][]*fate, clients)
	c := server.Client()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := i; ; n++ {
				f := &fate{Secret: testenv.NewSecret(300)}
				if n%3 == 0 {
					f.Payload = testenv.Random(inlineMax + 1 + rand.N(100<<10))
				}
				fates[i] = append(fates[i], f)
				if !f.live(ctx, t, c, n%5) {
					return
				}
			}
		})
	}
	time.Sleep(d)
	server.Kill9()
	all.Wait()
	var together []*fate
	for _, f := range fates {
		together = append(together, f...)
	}
	return together
}

// live creates the secret and, by its kind, has it read by two at once and acknowledged. False means that the server has gone.
func (f *fate) live(ctx context.Context, t *testing.T, c *testenv.Client, kind int) bool {
	f.created = unknown
	a, err := c.Create(ctx, f.Secret)
	if err != nil {
		return false
	}
	if a.Status != http.StatusCreated {
		t.Errorf("creating: %d %s", a.Status, a.Body)
		return false
	}
	f.created = sure
	if kind == 0 {
		return true
	}
	var both sync.WaitGroup
	for range 2 {
		s := *f.Secret
		s.Reader = testenv.Random(16)
		r := &reading{Secret: &s, won: unknown}
		f.readers = append(f.readers, r)
		both.Go(func() {
			a, _ := c.Open(ctx, r.Secret)
			switch { // an answer that broke off is a reader all the same
			case a.Status == http.StatusOK:
				r.won = sure
			case a.Status == http.StatusLocked || a.Status == http.StatusGone:
				r.won, r.lost = never, true
			case a.Status != 0:
				t.Errorf("opening: %d %s", a.Status, a.Body)
			}
		})
	}
	both.Wait()
	if r := f.winner(); r != nil && kind > 1 {
		f.acked = unknown
		if a, err := c.Ack(ctx, r.Secret); err == nil && a.Status == http.StatusNoContent {
			f.acked = sure
		} else if err == nil {
			t.Errorf("acknowledging: %d %s", a.Status, a.Body)
		}
	}
	return true
}

// check holds what the restarted server says against what is known.
func (f *fate) check(t *testing.T, c *testenv.Client) {
	state := f.state(t, c)
	allowed := []string{"waiting"}
	switch {
	case f.created == unknown:
		allowed = []string{"", "waiting"}
	case f.acked == sure:
		allowed = []string{"read"}
	case f.acked == unknown:
		allowed = []string{"leased", "read"}
	case f.winner() != nil:
		allowed = []string{"leased"}
	case len(f.readers) > 0:
		allowed = []string{"waiting", "leased"}
	}
	if !slices.Contains(allowed, state) {
		t.Errorf("a secret of %d bytes is %q, which must be of %q", len(f.Payload), state, allowed)
		return
	}
	if f.acked == sure {
		f.checkGone(t, c)
	}
	if state == "leased" {
		f.checkReaders(t, c)
	}
}

// state asks the server; "" is a secret that it does not know.
func (f *fate) state(t *testing.T, c *testenv.Client) string {
	a, err := c.Meta(t.Context(), f.Secret)
	if err != nil || a.Status != http.StatusOK && a.Status != http.StatusNotFound {
		t.Errorf("%d %s %v", a.Status, a.Body, err)
		return "no answer"
	}
	if a.Status == http.StatusNotFound {
		return ""
	}
	return testenv.JSON[wire.Meta](t, a).State
}

// checkReaders lets all who have asked ask again, and one who has not: exactly one reads, the whole, and it is who
// had won before.
func (f *fate) checkReaders(t *testing.T, c *testenv.Client) {
	fresh := *f.Secret
	fresh.Reader = testenv.Random(16)
	count, before := 0, len(winners(f.readers))
	for _, r := range append(f.readers, &reading{Secret: &fresh, lost: true}) {
		a, err := c.Open(t.Context(), r.Secret)
		switch {
		case err == nil && a.Status == http.StatusOK && bytes.Equal(a.Body, f.Payload):
			count++
			if r.lost || f.winner() != nil && r.won != sure {
				t.Error("somebody reads who was turned away, or who was not the first")
			}
			r.won = sure
		case err != nil || a.Status != http.StatusLocked:
			t.Errorf("opening again: %d with %d bytes, %v", a.Status, len(a.Body), err)
		}
	}
	if count != 1 || before > 1 {
		t.Errorf("%d readers after the kill, %d before", count, before)
	}
}

func winners(rs []*reading) (all []*reading) {
	for _, r := range rs {
		if r.won == sure {
			all = append(all, r)
		}
	}
	return all
}

// checkGone lets everybody try once more to read what was acknowledged.
func (f *fate) checkGone(t *testing.T, c *testenv.Client) {
	if n := len(winners(f.readers)); n != 1 {
		t.Errorf("%d readers", n)
	}
	for _, r := range f.readers {
		if a, err := c.Open(t.Context(), r.Secret); err != nil || a.Status != http.StatusGone {
			t.Errorf("it was acknowledged, and yet: %d with %d bytes, %v", a.Status, len(a.Body), err)
		}
	}
}

// tidy ends what has been checked, and keeps some that wait for the next rounds to kill. It gives the state that results.
func (f *fate) tidy(t *testing.T, c *testenv.Client, keep bool) string {
	state := f.state(t, c)
	switch {
	case state == "leased":
		a, err := c.Ack(t.Context(), winners(f.readers)[0].Secret)
		if err != nil || a.Status != http.StatusNoContent {
			t.Errorf("acknowledging: %d %v", a.Status, err)
		}
		f.acked = sure
		return "read"
	case state == "waiting" && !keep:
		if a, err := c.Revoke(t.Context(), f.Secret); err != nil || a.Status != http.StatusNoContent {
			t.Errorf("revoking: %d %v", a.Status, err)
		}
		return "revoked"
	}
	return state
}

// checkHeld opens at last what has waited through many kills.
func (f *fate) checkHeld(t *testing.T, c *testenv.Client) {
	if a, err := c.Open(t.Context(), f.Secret); err != nil || a.Status != http.StatusOK || !bytes.Equal(a.Body, f.Payload) {
		t.Errorf("it waited, and now: %d with %d bytes, %v", a.Status, len(a.Body), err)
	}
}

// checkFiles: after a restart there is a file for each large payload that is still held, and no other.
func checkFiles(t *testing.T, c *testenv.Client, dir string, fates []*fate) {
	t.Helper()
	var mu sync.Mutex
	held := 0
	each(fates, func(f *fate) {
		if state := f.state(t, c); len(f.Payload) > inlineMax && (state == "waiting" || state == "leased") {
			mu.Lock()
			held++
			mu.Unlock()
		}
	})
	files, err := os.ReadDir(filepath.Join(dir, "payloads"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != held {
		t.Error(fmt.Sprint(len(files), " files for ", held, " large payloads"))
	}
}
