package redis_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// keys gives all keys that are there, without those of the store itself.
func keys(t *testing.T, s *redisserver.Server) []string {
	t.Helper()
	var out []string
	for key := range strings.SplitSeq(do(t, s, "KEYS", "*"), "\n") {
		switch key {
		case "", "hp:key", "hp:swept", "hp:sweeper":
		default:
			out = append(out, key)
		}
	}
	return out
}

func number(t *testing.T, s *redisserver.Server, args ...string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(do(t, s, args...), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return n
}

func recordOf(a vault.Alias) string { return "hp:{" + a.String() + "}" }

// TestExpiries: every key of a secret ends by Redis' own expiry, the payload with the secret or its lease, and the record
// a week later.
func TestExpiries(t *testing.T) {
	t.Parallel()
	const week = vault.TombstoneTime
	for _, size := range []int{100, 1 << 10, 1<<10 + 1, 5_000, 100_000} {
		for _, creator := range []string{"", "bot"} {
			s := redisserver.Start(t)
			store := open(t, s.URL())
			d, payload := draft(t, creator, time.Hour), noise(size)
			made := put(t, store, d, payload)
			record := recordOf(d.Alias())
			expires := func(key string, want vault.Time) {
				t.Helper()
				if got := number(t, s, "PEXPIRETIME", key); got != int64(want) {
					t.Errorf("%d bytes of %q: %s ends at %d, want %d", size, creator, key, got, want)
				}
			}
			inside := size <= 1<<10
			held := func(want bool) {
				t.Helper()
				if got := strings.Contains(do(t, s, "GET", record), string(payload)); got != (want && inside) {
					t.Errorf("%d bytes of %q: the payload is inside the value: %t", size, creator, got)
				}
			}
			expires(record, made.Expires.Add(week))
			if held(true); !inside {
				expires(record+":p", made.Expires)
			}
			got := update(t, store, d.Alias(), lease(time.Minute))
			expires(record, got.LeaseEnds.Add(week))
			expires(record+":p", got.LeaseEnds)
			held(false)
			got = update(t, store, d.Alias(), ends(vault.Read))
			expires(record, got.Ended.Add(week))
			held(false)
			if do(t, s, "EXISTS", record+":p") != "0" {
				t.Errorf("%d bytes of %q: the payload outlives an ack", size, creator)
			}
			for _, key := range keys(t, s) {
				shared := strings.HasPrefix(key, "hp:due:") || strings.HasPrefix(key, "hp:events:") || key == "hp:creators"
				if number(t, s, "PTTL", key) < 0 && !shared {
					t.Errorf("%d bytes of %q: %s never ends", size, creator, key)
				}
			}
		}
	}
}

// TestRedisEndsPayloads: when their time is over, payloads are gone without anybody's doing, and their records are not.
func TestRedisEndsPayloads(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	settle := func(now vault.Time, s *vault.Secret) error {
		if err := vault.Settle(now, s); err != nil || s.Held() {
			return err
		}
		return errOver
	}
	for _, size := range []int{100, 5_000, 100_000} {
		expired, leased, message := draft(t, "", 50*time.Millisecond), draft(t, "", time.Hour), message(t, "ann", 50*time.Millisecond)
		for _, d := range []vault.Draft{expired, leased, message} {
			put(t, store, d, noise(size))
		}
		update(t, store, leased.Alias(), lease(50*time.Millisecond))
		<-time.After(60 * time.Millisecond)
		for _, test := range []struct {
			draft vault.Draft
			state vault.State
		}{{expired, vault.Expired}, {leased, vault.Unconfirmed}, {message, vault.Expired}} {
			record := recordOf(test.draft.Alias())
			if do(t, s, "EXISTS", record+":p") != "0" || do(t, s, "GET", record+":p") != "" {
				t.Errorf("%d bytes, %v: the payload is still there", size, test.state)
			}
			if do(t, s, "EXISTS", record) != "1" {
				t.Errorf("%d bytes, %v: the record is gone", size, test.state)
			}
			if got, payload, err := take(t, store, test.draft.Alias(), settle); err != errOver || got.State != test.state { //nolint:errorlint // the rule's own, bare
				t.Errorf("%d bytes, %v: %v, %d bytes, %v", size, test.state, got.State, len(payload), err)
			}
		}
	}
}

// TestSweepErasesInside: what stands inside a value, Redis cannot end. The sweeper does.
func TestSweepErasesInside(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	d, payload := draft(t, "", 20*time.Millisecond), noise(500)
	put(t, store, d, payload)
	<-time.After(30 * time.Millisecond)
	if !strings.Contains(do(t, s, "GET", recordOf(d.Alias())), string(payload)) {
		t.Fatal("it does not stand inside") // and this test shows nothing
	}
	sweepUntil(t, store, 1)
	if strings.Contains(do(t, s, "GET", recordOf(d.Alias())), string(payload)) {
		t.Error("the payload outlives the sweep")
	}
}

// TestCutUploads: what came of an upload that stopped ends by itself, and at once if its end is noticed.
func TestCutUploads(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	for _, cut := range []int{100_000, 1 << 20, 3 << 20} {
		seen := 0
		look := readerFunc(func([]byte) (int, error) {
			for _, key := range keys(t, s) {
				if !strings.Contains(key, ":u:") {
					t.Errorf("%d bytes: %s is there", cut, key)
				}
				if ttl := number(t, s, "PTTL", key); ttl <= 0 || ttl > 2*60*1000 {
					t.Errorf("%d bytes: the upload ends in %d ms", cut, ttl)
				}
				seen++
			}
			return 0, errors.New("connection lost")
		})
		if _, _, err := store.Put(t.Context(), draft(t, "", time.Hour), io.MultiReader(bytes.NewReader(noise(cut)), look)); err == nil {
			t.Errorf("%d bytes: a cut upload is kept", cut)
		}
		if left := keys(t, s); len(left) > 0 || seen == 0 && cut > 1<<20 {
			t.Errorf("%d bytes: seen %d, left %q", cut, seen, left)
		}
	}
}

// TestUploadThatLostItsBeginning: a failover or an expiry in the middle of an upload must not leave a hole in the payload.
func TestUploadThatLostItsBeginning(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	payload := noise(4 << 20)
	for _, at := range []int{2 << 20, 2<<20 + 1, 3 << 20, 4 << 20} { // after the first chunk, and before the end
		lose := readerFunc(func([]byte) (int, error) {
			lost := 0
			for _, key := range keys(t, s) {
				if strings.Contains(key, ":u:") {
					do(t, s, "DEL", key)
					lost++
				}
			}
			if lost != 1 {
				t.Errorf("%d uploads at %d", lost, at)
			}
			return 0, io.EOF
		})
		in := func() io.Reader {
			return io.MultiReader(bytes.NewReader(payload[:at]), lose, bytes.NewReader(payload[at:]))
		}
		d := draft(t, "", time.Hour)
		if _, created, err := store.Put(t.Context(), d, in()); err == nil || errors.Is(err, vault.ErrConflict) {
			_, got, err := take(t, store, d.Alias(), keep)
			t.Errorf("lost at %d: created %t; the payload is the one that was sent: %t, %v", at, created, bytes.Equal(got, payload), err)
		}
		m := message(t, "ann", time.Hour)
		put(t, store, m, []byte("old"))
		if got, err := store.Replace(t.Context(), m.Alias(), keep, in()); err == nil {
			t.Errorf("lost at %d: replaced by %d bytes", at, got.Size)
		}
		if _, got, err := take(t, store, m.Alias(), keep); err != nil || string(got) != "old" {
			t.Errorf("lost at %d: %d bytes are left of the old payload, %v", at, len(got), err)
		}
		if _, created, err := store.Put(t.Context(), d, bytes.NewReader(payload)); err != nil || !created {
			t.Errorf("lost at %d, and sent again: %t, %v", at, created, err)
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// TestNothingIsLeft: when all is forgotten, nothing is left of it, and nothing of who had it.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	forget := func(_ vault.Time, s *vault.Secret) error { s.State = vault.Forgotten; return nil }
	ann := vault.HashOf([]byte("ann"))
	var all []vault.Alias
	for _, size := range []int{0, 100, 5_000, 100_000} {
		for _, creator := range []string{"", "bot"} {
			d := draft(t, creator, 500*time.Millisecond)
			all = append(all, put(t, store, d, noise(size)).Alias)
			d = draft(t, creator, 500*time.Millisecond)
			all = append(all, put(t, store, d, noise(size)).Alias)
			update(t, store, d.Alias(), lease(time.Millisecond))
		}
		m := message(t, "author", 500*time.Millisecond)
		all = append(all, put(t, store, m, noise(size)).Alias)
		m = message(t, "author", 0)
		all = append(all, put(t, store, m, noise(size)).Alias)
		if _, err := store.Replace(t.Context(), m.Alias(), claimBy(ann), bytes.NewReader(noise(size+1))); err != nil {
			t.Fatal(err)
		}
	}
	// First let time do what it does: there are events of it.
	told := 0
	if !poll(func() bool {
		sweepUntil(t, store, 0)
		told += len(ackAll(t, store, "bot"))
		return told >= 12 // of each size one expired, and one was opened and then not confirmed
	}) {
		t.Errorf("only %d events", told)
	}
	for _, a := range all {
		if _, err := store.Update(t.Context(), a, forget); err != nil {
			t.Error(err)
		}
	}
	var left []string
	if !poll(func() bool {
		sweepUntil(t, store, 0)
		left = slices.DeleteFunc(keys(t, s), func(key string) bool {
			return key == "hp:creators" || strings.HasPrefix(key, "hp:events:") && do(t, s, "XLEN", key) == "0" // of whom there are few
		})
		return len(left) == 0
	}) {
		t.Errorf("left: %q", left)
	}
}
