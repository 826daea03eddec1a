package httpd_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/hushpost/hushpost/internal/httpd"
)

// clock is a time that only tests move. It is not for concurrent use while it moves.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time             { return c.t }
func (c *clock) pass(d time.Duration)       { c.t = c.t.Add(d) }
func v4(n uint32) httpd.Source              { return httpd.SourceOf(netip.AddrFrom4([4]byte(be(n)))) }
func be(n uint32) []byte                    { return binary.BigEndian.AppendUint32(nil, n) }
func v6(s string) httpd.Source              { return httpd.SourceOf(netip.MustParseAddr(s)) }
func allowed(_ time.Duration, ok bool) bool { return ok }

// drain makes requests until one is refused, and says how many went through and when to come back.
func drain(t *testing.T, l *httpd.Limits, class httpd.Class, s httpd.Source) (n int, retry time.Duration) {
	t.Helper()
	for ; n < 100_000; n++ {
		if retry, ok := l.Allow(t.Context(), class, s); !ok {
			return n, retry
		}
	}
	t.Fatal("nothing is ever refused")
	return 0, 0
}

func TestLimitsOfOneSource(t *testing.T) {
	for _, c := range []struct {
		name   string
		class  httpd.Class
		budget int
	}{
		{"create", httpd.ClassCreate, httpd.BudgetCreate},
		{"read", httpd.ClassRead, httpd.BudgetRead},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock, b := newClock(), httpd.DefaultBudgets[c.budget]
			l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
			n, retry := drain(t, l, c.class, v4(1))
			if n != int(b.Burst) || retry != time.Second {
				t.Errorf("%d at once and then a wait of %v, want %d and 1s", n, retry, b.Burst)
			}
			if !allowed(l.Allow(t.Context(), c.class, v4(2))) {
				t.Error("another source pays for it")
			}
			clock.pass(retry)
			if !allowed(l.Allow(t.Context(), c.class, v4(1))) {
				t.Error("refused after the wait it was told")
			}
			clock.pass(time.Hour)
			if n, _ := drain(t, l, c.class, v4(1)); n != int(b.Burst) {
				t.Errorf("%d at once after an hour, want %d", n, b.Burst)
			}
			clock.pass(b.Per)
			if n, _ := drain(t, l, c.class, v4(1)); n != int(min(b.Rate, b.Burst)) {
				t.Errorf("%d in %v, want %d", n, b.Per, min(b.Rate, b.Burst))
			}
		})
	}
}

// TestMeterAgreesWithRateLimiter holds our counting against golang.org/x/time/rate. All
// steps are eighths of a second, which floats hold exactly.
func TestMeterAgreesWithRateLimiter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	clock := newClock()
	l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
	oracle := rate.NewLimiter(1, 60)
	var yes, no int
	for i := range 20_000 {
		want := oracle.AllowN(clock.t, 1)
		if got := allowed(l.Allow(t.Context(), httpd.ClassCreate, v4(1))); got != want {
			t.Fatalf("request %d: allowed %v, rate.Limiter says %v", i, got, want)
		}
		if want {
			yes++
		} else {
			no++
		}
		if rnd.IntN(500) == 0 {
			clock.pass(time.Duration(rnd.IntN(90)) * time.Second)
		}
		clock.pass(time.Duration(rnd.IntN(12)) * time.Second / 8)
	}
	if yes < 1000 || no < 1000 {
		t.Errorf("a one-sided comparison: %d yes, %d no", yes, no)
	}
}

func TestMissesStopHitsToo(t *testing.T) {
	clock, miss := newClock(), httpd.DefaultBudgets[httpd.BudgetMiss]
	l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
	for i := range miss.Burst {
		if !allowed(l.Allow(t.Context(), httpd.ClassRead, v4(1))) {
			t.Fatalf("refused after %d misses", i)
		}
		l.Missed(t.Context(), v4(1), 1)
	}
	retry, ok := l.Allow(t.Context(), httpd.ClassRead, v4(1))
	if ok || retry != 2*time.Second {
		t.Errorf("a read after %d misses: %v, wait %v; want refused, 2s", miss.Burst, ok, retry)
	}
	if !allowed(l.Allow(t.Context(), httpd.ClassCreate, v4(1))) {
		t.Error("creating is no guessing, but was refused")
	}
	if !allowed(l.Allow(t.Context(), httpd.ClassRead, v4(2))) {
		t.Error("another source pays for it")
	}
	for range 10_000 {
		if !allowed(l.Allow(t.Context(), httpd.ClassDestroy, v4(1))) {
			t.Fatal("an ack was refused")
		}
	}
	clock.pass(retry)
	if !allowed(l.Allow(t.Context(), httpd.ClassRead, v4(1))) {
		t.Error("refused after the wait it was told")
	}
}

// TestGuessingRateHoldsInBursts: guesses sent all at once pass before the first of them is counted as a
// miss. Over an hour that must gain nothing.
func TestGuessingRateHoldsInBursts(t *testing.T) {
	clock, miss := newClock(), httpd.DefaultBudgets[httpd.BudgetMiss]
	l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
	var guesses int
	for range 3600 {
		var under int
		for allowed(l.Allow(t.Context(), httpd.ClassRead, v4(1))) {
			under++
		}
		for range under {
			l.Missed(t.Context(), v4(1), 1)
		}
		guesses += under
		clock.pass(time.Second)
	}
	read := httpd.DefaultBudgets[httpd.BudgetRead].Burst
	if most := int(60*miss.Rate + miss.Burst + read); guesses > most || guesses < int(60*miss.Rate) {
		t.Errorf("%d guesses in an hour, want %d to %d", guesses, 60*miss.Rate, most)
	}
}

func TestBytes(t *testing.T) {
	const MiB = 1 << 20
	type step struct {
		pass    time.Duration
		reserve int64
		want    time.Duration // to wait; 0 is granted
		settle  int64         // -1: goes on to the end
	}
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"spent", []step{{0, 200 * MiB, 0, 200 * MiB}, {0, 56 * MiB, 0, 56 * MiB}, {0, MiB, 15 * time.Second, 0}, {15 * time.Second, MiB, 0, MiB}}},
		{"given back", []step{{0, 200 * MiB, 0, 10}, {0, 255 * MiB, 0, 255 * MiB}}},
		{"held by uploads under way", []step{{0, 128 * MiB, 0, -1}, {0, 128 * MiB, 0, -1}, {0, MiB, 15 * time.Second, 0}}},
		{"held does not come back with time", []step{{0, 256 * MiB, 0, -1}, {10 * time.Hour, MiB, 15 * time.Second, 0}}},
		{"larger than the whole, once", []step{{0, 1 << 62, 0, 256 * MiB}, {0, 1 << 62, time.Hour, 0}, {time.Hour, 300 * MiB, 0, 300 * MiB}}},
		{"all back after an hour", []step{{0, 256 * MiB, 0, 256 * MiB}, {time.Hour, 256 * MiB, 0, 256 * MiB}}},
		{"nothing costs nothing", []step{{0, 256 * MiB, 0, 256 * MiB}, {0, 0, 0, 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock()
			l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
			for i, s := range c.steps {
				clock.pass(s.pass)
				res, retry, ok := l.Reserve(t.Context(), v4(1), s.reserve)
				if ok != (s.want == 0) || retry < s.want-time.Second || retry > s.want+time.Second {
					t.Fatalf("step %d: granted %v, wait %v; want a wait of %v", i, ok, retry, s.want)
				}
				if _, _, ok := l.Reserve(t.Context(), v4(2), MiB); !ok {
					t.Fatal("another source pays for it")
				}
				if s.settle >= 0 {
					res.Settle(t.Context(), s.settle)
					res.Settle(t.Context(), 0) // the second time does nothing
				}
			}
		})
	}
}

func TestNeighboursInOnePrefix(t *testing.T) {
	// Room for both /48s: in a full table some of the second would share rows at first.
	l := httpd.NewSmallLimits(newClock().now, httpd.DefaultBudgets, 1<<18, 1)
	count := func(prefix string) (n int) {
		a := netip.MustParseAddr(prefix).As16()
		for i := range 1 << 16 {
			a[6], a[7] = byte(i>>8), byte(i)
			if allowed(l.Allow(t.Context(), httpd.ClassCreate, httpd.SourceOf(netip.AddrFrom16(a)))) {
				n++
			}
		}
		return n
	}
	if n := count("2001:db8:1::1"); n != 16*60 {
		t.Errorf("65 536 sources of one /48 made %d, want the worth of 16 sources", n)
	}
	if n := count("2001:db8:2::1"); n != 16*60 {
		t.Errorf("the next /48 made %d", n)
	}
	for i := range 40 {
		res, _, ok := l.Reserve(t.Context(), v6(fmt.Sprintf("2001:db8:3:%d::1", i)), 256<<20)
		if !ok {
			t.Fatalf("upload %d was refused: what the others did not send was not given back", i)
		}
		res.Settle(t.Context(), 1)
	}
}

func TestLimitsOff(t *testing.T) {
	for name, l := range map[string]*httpd.Limits{"nil": nil, "zero": {}} {
		for range 10_000 {
			l.Missed(t.Context(), v4(1), 1)
			res, _, ok := l.Reserve(t.Context(), v4(1), 1<<40)
			res.Settle(t.Context(), 1<<40)
			if !ok || !allowed(l.Allow(t.Context(), httpd.ClassCreate, v4(1))) || !allowed(l.Allow(t.Context(), httpd.ClassRead, v4(1))) {
				t.Fatalf("%s limits something", name)
			}
		}
	}
}

func TestClockSetBack(t *testing.T) {
	clock := newClock()
	l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
	drain(t, l, httpd.ClassCreate, v4(1))
	clock.pass(-24 * time.Hour)
	if n, retry := drain(t, l, httpd.ClassCreate, v4(1)); n != 0 || retry != time.Second {
		t.Errorf("the clock was set back: %d went through, wait %v; want 0, 1s", n, retry)
	}
	clock.pass(time.Minute)
	if n, _ := drain(t, l, httpd.ClassCreate, v4(1)); n != 60 {
		t.Errorf("a minute later %d went through, want 60", n)
	}
}

// TestTwoClientsBehindOneProxy must not share a bucket; and what they write into the header
// must not get them another.
func TestTwoClientsBehindOneProxy(t *testing.T) {
	trusted := trusting(t, "10.0.0.1")
	l := httpd.NewLimits(newClock().now, httpd.DefaultBudgets)
	one := httpd.SourceBehind(trusted, from("10.0.0.1:4000", "203.0.113.1"))
	two := httpd.SourceBehind(trusted, from("10.0.0.1:4001", "203.0.113.2"))
	drain(t, l, httpd.ClassCreate, one)
	if n, _ := drain(t, l, httpd.ClassCreate, two); n != 60 {
		t.Errorf("the second client got %d, want its own 60", n)
	}
	forged := httpd.SourceBehind(trusted, from("10.0.0.1:4000", "198.51.100.77, 203.0.113.1"))
	if allowed(l.Allow(t.Context(), httpd.ClassCreate, forged)) {
		t.Error("a forged header got a bucket of its own")
	}
}

// TestNobodyIsForgottenEarly: an attacker with more addresses than there is room for cannot
// get anybody's spent budget reset, nor be served without limit.
func TestNobodyIsForgottenEarly(t *testing.T) {
	clock := newClock()
	l := httpd.NewSmallLimits(clock.now, httpd.DefaultBudgets, 256, 16)
	drain(t, l, httpd.ClassCreate, v4(0))
	for i := range uint32(256) {
		drain(t, l, httpd.ClassCreate, v4(i))
	}
	var more int
	for i := range uint32(100_000) {
		if allowed(l.Allow(t.Context(), httpd.ClassCreate, v4(1000+i))) {
			more++
		}
	}
	if more != 16*60 {
		t.Errorf("sources without room made %d, want what 16 shared rows give", more)
	}
	for i := range uint32(256) {
		if allowed(l.Allow(t.Context(), httpd.ClassCreate, v4(i))) {
			t.Fatalf("source %d was forgotten", i)
		}
	}
	if l.Rows() != 256 {
		t.Errorf("%d rows, want 256", l.Rows())
	}
	clock.pass(time.Minute)
	if n, _ := drain(t, l, httpd.ClassCreate, v4(5000)); n != 60 {
		t.Errorf("a newcomer got %d after all rows were idle again, want 60", n)
	}
}

// TestUploadKeepsItsRow: a row whose budgets are full must stay while an upload is under way, however
// long that takes and however many newcomers want its place.
func TestUploadKeepsItsRow(t *testing.T) {
	clock := newClock()
	l := httpd.NewSmallLimits(clock.now, httpd.DefaultBudgets, 8, 1)
	res, _, ok := l.Reserve(t.Context(), v4(1), 200<<20)
	if !ok {
		t.Fatal("a full budget was refused")
	}
	for i := range uint32(1000) {
		clock.pass(time.Hour)
		l.Allow(t.Context(), httpd.ClassRead, v4(100+i))
	}
	if _, _, ok := l.Reserve(t.Context(), v4(1), 100<<20); ok {
		t.Error("the upload under way was forgotten")
	}
	res.Settle(t.Context(), 200<<20)
	if _, _, ok := l.Reserve(t.Context(), v4(1), 100<<20); ok {
		t.Error("the upload was not charged")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	clock := newClock()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	l := httpd.NewLimits(clock.now, httpd.DefaultBudgets)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 1_000_000 {
		l.Allow(t.Context(), httpd.ClassRead, v4(rnd.Uint32()))
		if i%64 == 0 {
			clock.pass(time.Millisecond) // a million requests in 16 s: rows become idle all the while
		}
	}
	after := heap()
	if l.Rows() != httpd.MaxSources {
		t.Errorf("%d rows, want the full %d", l.Rows(), httpd.MaxSources)
	}
	t.Logf("%d KiB", (after-before)>>10)
	if after > before && after-before > 6<<20 {
		t.Errorf("a million sources left %d KiB behind, want at most 6 MiB", (after-before)>>10)
	}
	runtime.KeepAlive(l)
}

func TestLimitsConcurrently(t *testing.T) {
	l := httpd.NewSmallLimits(time.Now, httpd.DefaultBudgets, 64, 4)
	var wg sync.WaitGroup
	for g := range uint32(8) {
		wg.Go(func() {
			for i := range uint32(5_000) {
				s := v4(i % (20 * (g + 1)))
				l.Allow(t.Context(), httpd.ClassRead, s)
				l.Allow(t.Context(), httpd.ClassCreate, s)
				l.Missed(t.Context(), s, 1)
				if res, _, ok := l.Reserve(t.Context(), s, int64(i)); ok {
					res.Settle(t.Context(), int64(i/2))
				}
			}
		})
	}
	wg.Wait()
	if l.Rows() > 64 {
		t.Errorf("%d rows, want at most 64", l.Rows())
	}
}

func BenchmarkAllow(b *testing.B) {
	for _, c := range []struct {
		name string
		of   func(uint32) httpd.Source
	}{
		{"one source", func(uint32) httpd.Source { return v4(1) }},
		{"many sources", v4},
		{"many IPv6 sources", func(n uint32) httpd.Source {
			var a [16]byte
			copy(a[:], "\x20\x01\x0d\xb8")
			copy(a[4:], be(n))
			return httpd.SourceOf(netip.AddrFrom16(a))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := httpd.NewLimits(time.Now, httpd.DefaultBudgets)
			var i uint32
			for b.Loop() {
				l.Allow(b.Context(), httpd.ClassRead, c.of(i%100_000))
				i++
			}
		})
	}
}
