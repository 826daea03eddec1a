package redis_test

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// sweepUntil sweeps until the rule has run on at least that many, and gives on how many it ran.
func sweepUntil(t *testing.T, s *redis.Store, least int) int {
	t.Helper()
	n := 0
	if !poll(func() bool {
		some, err := s.Sweep(t.Context(), 1000, vault.Settle)
		if err != nil {
			t.Fatal("Sweep: ", err)
		}
		n += some
		return n >= least
	}) {
		t.Fatalf("swept %d, want %d", n, least)
	}
	return n
}

// hint leaves an alias in the bucket of a moment, as a process does that dies before its change.
func hint(t *testing.T, s *redisserver.Server, a vault.Alias, at vault.Time) {
	t.Helper()
	b := binary.BigEndian.AppendUint64(nil, uint64(a))
	do(t, s, "APPEND", "hp:due:"+strconv.FormatInt((int64(at)+999)/1000, 10), string(b[2:]))
}

// runs counts how often a rule has run on each secret for good: its last run is the one that counts.
type runs struct {
	mu sync.Mutex
	of map[vault.Alias]int
}

func (r *runs) settle(now vault.Time, s *vault.Secret) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = make(map[vault.Alias]int)
	}
	r.of[s.Alias]++
	return vault.Settle(now, s)
}

// TestHints: a hint that no change followed, one of a secret that is not due or not there, and the same one again do no
// harm; and what is broken does not keep the others from their end.
func TestHints(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	never, later, broken := draft(t, "", time.Hour), draft(t, "", time.Hour), draft(t, "", time.Hour)
	due, last := draft(t, "", 100*time.Millisecond), draft(t, "", 120*time.Millisecond)
	now := put(t, store, later, noise(10)).Created
	do(t, s, "SET", recordOf(broken.Alias()), "nonsense")
	for range 3 {
		for _, d := range []vault.Draft{never, later, broken, due} {
			hint(t, s, d.Alias(), now.Add(100*time.Millisecond))
		}
	}
	put(t, store, due, noise(10))
	put(t, store, last, noise(10))
	var count runs
	if !poll(func() bool {
		if _, err := store.Sweep(t.Context(), 2, count.settle); err != nil {
			t.Fatal(err)
		}
		got, err := store.Get(t.Context(), last.Alias(), keep)
		return err == nil && got.State == vault.Expired
	}) {
		t.Error("the last is not swept")
	}
	if len(count.of) != 2 || count.of[due.Alias()] != 1 || count.of[last.Alias()] != 1 {
		t.Errorf("the rule ran on %d secrets, %d and %d times on what was due", len(count.of), count.of[due.Alias()], count.of[last.Alias()])
	}
	if got, err := store.Get(t.Context(), later.Alias(), keep); err != nil || got.State != vault.Waiting {
		t.Errorf("%v, %v", got.State, err)
	}
}

// TestTwoSweepers: of several processes one sweeps, and the next when that one is gone. Nothing is swept twice.
func TestTwoSweepers(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	var stores [2]*redis.Store
	for i := range stores {
		var err error
		if stores[i], err = redis.Open(t.Context(), redis.Options{URL: s.URL()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stores[i].Close() })
	}
	const n = 60
	var count runs
	make60 := func() {
		for range n {
			put(t, stores[0], draft(t, "bot", time.Millisecond), noise(10))
		}
	}
	sweeps := func(i, limit int) int {
		t.Helper()
		did, err := stores[i].Sweep(t.Context(), limit, count.settle)
		if err != nil {
			t.Error("Sweep: ", err)
		}
		return did
	}
	make60()
	var did [2]int
	if !poll(func() bool {
		var race sync.WaitGroup
		for i := range stores {
			race.Go(func() { did[i] += sweeps(i, 7) })
		}
		race.Wait()
		return did[0]+did[1] >= n
	}) {
		t.Fatalf("swept %d", did)
	}
	if did[0] != 0 && did[1] != 0 || did[0]+did[1] != n || len(count.of) != n {
		t.Errorf("of %d, they swept %d, %d different ones", n, did, len(count.of))
	}
	holder := 0
	if did[1] > 0 {
		holder = 1
	}
	if err := stores[holder].Close(); err != nil {
		t.Error(err)
	}
	other := 1 - holder
	for range n {
		put(t, stores[other], draft(t, "bot", time.Millisecond), noise(10))
	}
	if ttl := number(t, s, "PTTL", "hp:sweeper"); ttl > 30_000 || ttl < 0 {
		t.Errorf("the office is held for %d ms more", ttl)
	}
	do(t, s, "PEXPIRE", "hp:sweeper", "1") // its 30 seconds
	more := 0
	if !poll(func() bool { more += sweeps(other, 7); return more >= n }) || more != n || len(count.of) != 2*n {
		t.Errorf("of %d, the next swept %d, %d different ones", n, more, len(count.of)-n)
	}
	for _, times := range count.of {
		if times != 1 {
			t.Errorf("the rule ran %d times on one", times)
		}
	}
}

// TestSweeperThatComesBack begins where the other has got to, and leaves nothing out.
func TestSweeperThatComesBack(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	first, second := open(t, s.URL()), open(t, s.URL())
	const n = 20
	expire := func() (all []vault.Alias) {
		t.Helper()
		for range n {
			all = append(all, put(t, first, draft(t, "", time.Millisecond), noise(10)).Alias)
		}
		return all
	}
	sweep := func(store *redis.Store, limit, want int) {
		t.Helper()
		did := 0
		if !poll(func() bool {
			some, err := store.Sweep(t.Context(), limit, vault.Settle)
			if err != nil {
				t.Fatal("Sweep: ", err)
			}
			did += some
			return did >= want
		}) || did != want {
			t.Errorf("swept %d, want %d", did, want)
		}
	}
	expire()
	sweep(first, 3, 3)
	do(t, s, "DEL", "hp:sweeper")
	sweep(second, 100, n-3)
	if did, err := first.Sweep(t.Context(), 100, vault.Settle); did != 0 || err != nil {
		t.Errorf("out of office, it swept %d, %v", did, err)
	}
	all := expire()
	for _, key := range keys(t, s) {
		if strings.HasPrefix(key, "hp:due:") {
			do(t, s, "DEL", key)
		}
	}
	for _, a := range all { // where the other has stopped
		hint(t, s, a, vault.Time(number(t, s, "GET", "hp:swept")*1000))
	}
	do(t, s, "DEL", "hp:sweeper")
	sweep(first, 100, n)
}

// TestSweepersThatBothBelieve: even if two hold the office, for a moment, each secret is swept once.
func TestSweepersThatBothBelieve(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	stores := []*redis.Store{open(t, s.URL()), open(t, s.URL())}
	const n = 100
	var last vault.Time
	for range n {
		last = put(t, stores[0], draft(t, "bot", time.Millisecond), noise(10)).Expires
	}
	var race sync.WaitGroup
	var did [2]int
	for i := range stores {
		race.Go(func() {
			poll(func() bool {
				do(t, s, "DEL", "hp:sweeper")
				some, err := stores[i].Sweep(t.Context(), 3, vault.Settle)
				if err != nil {
					t.Error("Sweep: ", err)
				}
				did[i] += some
				return number(t, s, "GET", "hp:swept")*1000 > int64(last)+1000
			})
		})
	}
	race.Wait()
	types := make(map[string]int)
	for {
		more := ackAll(t, stores[0], "bot")
		if len(more) == 0 {
			break
		}
		for _, kind := range more {
			types[kind]++
		}
	}
	if did[0]+did[1] != n || types["secret.expired"] < n {
		t.Errorf("of %d, they swept %d, and told %v", n, did, types)
	}
}

// TestWeekWithoutSweeping is gone over at once.
func TestWeekWithoutSweeping(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t, "--appendfsync", "everysec")
	store := open(t, s.URL())
	d := draft(t, "", time.Millisecond)
	now := put(t, store, d, noise(10)).Created
	forgotten, half := draft(t, "", time.Hour), draft(t, "", time.Hour)
	const week = 7 * 24 * time.Hour
	hint(t, s, forgotten.Alias(), now.Add(-week/2))
	hint(t, s, half.Alias(), now.Add(-week/3))
	do(t, s, "SET", "hp:swept", strconv.FormatInt(int64(now.Add(-week))/1000, 10))
	fresh := open(t, s.URL())
	start := time.Now()
	sweepUntil(t, fresh, 1)
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("it took %v", took)
	}
	for _, key := range keys(t, s) {
		if key != recordOf(d.Alias()) {
			t.Errorf("%s is left", key)
		}
	}
}

// TestManyExpired: ten thousand secrets that expired are swept in batches, each once.
func TestManyExpired(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t, "--appendfsync", "everysec")
	store := open(t, s.URL())
	const n, makers, limit = 10_000, 20, 200
	var group sync.WaitGroup
	for range makers {
		group.Go(func() {
			for range n / makers {
				if _, _, err := store.Put(t.Context(), draft(t, "", time.Millisecond), bytes.NewReader(noise(100))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	var count runs
	start, total := time.Now(), 0
	if !poll(func() bool {
		for {
			did, err := store.Sweep(t.Context(), limit, count.settle)
			if err != nil || did > limit {
				t.Fatalf("swept %d at once, %v", did, err)
			}
			if total += did; did < limit {
				return total >= n
			}
		}
	}) || total != n || len(count.of) != n {
		t.Errorf("of %d, %d were swept, %d different ones", n, total, len(count.of))
	}
	t.Logf("it took %v", time.Since(start))
	if left := number(t, s, "EXISTS", "hp:due:"+strconv.FormatInt(time.Now().Unix()-10, 10)); left != 0 {
		t.Error("a bucket is left")
	}
}

// ackAll acknowledges events that creator is told, and gives their types.
func ackAll(t *testing.T, s *redis.Store, creator string) (types []string) {
	t.Helper()
	events, err := s.Events(t.Context(), creator, 100, 0)
	if err != nil {
		t.Fatal("Events: ", err)
	}
	var ids []string
	for _, e := range events {
		types, ids = append(types, e.Type), append(ids, e.ID)
	}
	if err := s.AckEvents(t.Context(), creator, ids); err != nil {
		t.Fatal("AckEvents: ", err)
	}
	return types
}
