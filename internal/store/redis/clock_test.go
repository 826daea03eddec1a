package redis_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestEstimate: the estimate is the latest reading, moved on; one that turns out to be ahead is given up.
func TestEstimate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := new(redis.Node)
		want := func(what string, want vault.Time) {
			t.Helper()
			if got := n.Now(); got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		pass := func(d time.Duration) { <-time.After(d) }

		want("without a reading", 0)
		n.Saw(0, 1000)
		want("after the first", 1000)
		pass(500 * time.Millisecond)
		want("later", 1500)
		n.Saw(1400, 1490)
		want("an answer that was long on its way", 1500)
		n.Saw(1400, 1503)
		want("a quicker one", 1503)
		pass(7 * time.Millisecond)
		want("later", 1510)
		n.Saw(1510, 1509)
		want("it was ahead", 1509)
		n.Saw(1509, 900)
		want("a clock was set back", 900)
		pass(100 * time.Millisecond)
		want("later", 1000)
		n.Saw(0, 950) // of a look, which needs no estimate
		want("an answer that was long on its way", 1000)
		n.Saw(1000, 50_000)
		want("a clock was set forward", 50_000)
	})
}

// TestWrongEstimates: whatever a process believes the time to be, rules go by that of Redis, to a fraction of a second;
// and what is over is over.
func TestWrongEstimates(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store, exact := open(t, s.URL()), open(t, s.URL())
	for _, by := range []time.Duration{-24 * time.Hour, -300 * time.Millisecond, -200 * time.Millisecond, 2 * time.Millisecond, time.Hour} {
		redis.Shift(store, by)
		d := draft(t, "", time.Hour)
		before := nowAt(t, exact)
		made := put(t, store, d, noise(100))
		if after := nowAt(t, exact); made.Created < before-2000 || made.Created > after {
			t.Errorf("%v: made at %d, between %d and %d", by, made.Created, before, after)
		}
		redis.Shift(store, by)
		before = nowAt(t, exact)
		got := update(t, store, d.Alias(), lease(time.Minute))
		if after := nowAt(t, exact); got.Opened < before-2000 || got.Opened > after {
			t.Errorf("%v: leased at %d, between %d and %d", by, got.Opened, before, after)
		}
	}
}

// nowAt gives the time of Redis, to the millisecond.
func nowAt(t *testing.T, s *redis.Store) vault.Time {
	t.Helper()
	d := draft(t, "", time.Minute)
	put(t, s, d, nil)
	var now vault.Time
	if _, err := s.Get(t.Context(), d.Alias(), func(at vault.Time, _ *vault.Secret) error { now = at; return nil }); err != nil {
		t.Fatal(err)
	}
	return now
}

// TestOverIsOver: a process whose clock lags a little must not give out what has just ended by time, nor take a repeated
// creation for one of something that lives.
func TestOverIsOver(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	opener := func(now vault.Time, s *vault.Secret) error {
		if err := vault.Settle(now, s); err != nil || s.State != vault.Waiting && s.State != vault.Leased {
			return errOver
		}
		if s.State == vault.Waiting {
			return lease(20*time.Millisecond)(now, s)
		}
		return nil
	}
	const lag = 180 * time.Millisecond
	for _, size := range []int{100, 5_000} {
		for _, leased := range []bool{false, true} {
			for _, known := range []bool{true, false} {
				d, payload := draft(t, "", 20*time.Millisecond), noise(size)
				if leased {
					d.TTL = time.Hour
				}
				put(t, store, d, payload)
				if leased {
					if _, got, err := take(t, store, d.Alias(), opener); err != nil || !bytes.Equal(got, payload) {
						t.Fatal(err)
					}
				}
				<-time.After(40 * time.Millisecond)
				if !known {
					redis.Forget(store, d.Alias())
				}
				redis.Shift(store, -lag)
				if _, got, err := take(t, store, d.Alias(), opener); err != errOver { //nolint:errorlint // the rule's own, bare
					t.Errorf("%d bytes, leased %t, known %t: %d bytes, %v, after the end", size, leased, known, len(got), err)
				}
			}
		}
	}
}

// TestTwinOfWhatIsOver: the same creation again, after the end, is not answered as if the secret still waited.
func TestTwinOfWhatIsOver(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	for _, size := range []int{0, 100, 5_000} {
		d, payload := draft(t, "", 20*time.Millisecond), noise(size)
		put(t, store, d, payload)
		<-time.After(40 * time.Millisecond)
		redis.Shift(store, -180*time.Millisecond)
		if _, created, err := store.Put(t.Context(), d, bytes.NewReader(payload)); !errors.Is(err, vault.ErrConflict) {
			t.Errorf("%d bytes: created %t, %v", size, created, err)
		}
	}
}
