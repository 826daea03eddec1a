package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// book is a ledger that writes down what it is asked, and answers what the test likes.
type book struct {
	mu      sync.Mutex
	entries []entry
	wait    time.Duration
	err     error
}

type entry struct {
	who     string
	charges []httpd.Charge
}

// Spend implements httpd.Ledger. As a real one does, it does nothing for somebody who has gone.
func (b *book) Spend(ctx context.Context, who string, charges []httpd.Charge) (time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.entries = append(b.entries, entry{who, slices.Clone(charges)})
	return b.wait, b.err
}

// answers changes what it says from now on.
func (b *book) answers(wait time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wait, b.err = wait, err
}

// read gives what was written since it was read last.
func (b *book) read() []entry {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entries
	b.entries = nil
	return e
}

// sums is how much later each budget is full again by what was written since it was read last.
func (b *book) sums() map[string]time.Duration {
	sums := make(map[string]time.Duration)
	for _, e := range b.read() {
		for _, c := range e.charges {
			if !c.Ask {
				sums[e.who+" "+c.Budget] += c.Cost
			}
		}
	}
	return sums
}

// shared gives limits that also count in a book.
func shared(key string) (*httpd.Limits, *book) {
	l, b := httpd.NewLimits(newClock().now, httpd.DefaultBudgets), new(book)
	l.Share(b, [32]byte([]byte(strings.Repeat(key, 32))))
	return l, b
}

// charged is what n units of a budget should be in a ledger, for as many sources' worth.
func charged(budget int, name string, n, worth int64) httpd.Charge {
	b := httpd.DefaultBudgets[budget]
	unit := b.Per / time.Duration(b.Rate*worth)
	whole := unit * time.Duration(b.Burst*worth)
	c := httpd.Charge{Budget: name, Cost: unit * time.Duration(n), Ahead: max(whole, unit*time.Duration(n))}
	if budget == httpd.BudgetMiss || n < 0 { // has happened, whether it fits or not
		c.Ahead = -1
	}
	return c
}

// ledgerTests have what a source does, and what it is charged: units by budget, in this order.
var ledgerTests = []struct {
	name string
	does func(context.Context, *httpd.Limits, httpd.Source)
	want [][]units
}{
	{"create", func(ctx context.Context, l *httpd.Limits, s httpd.Source) { l.Allow(ctx, httpd.ClassCreate, s) }, [][]units{{{httpd.BudgetCreate, 1}}}},
	{"read", func(ctx context.Context, l *httpd.Limits, s httpd.Source) { l.Allow(ctx, httpd.ClassRead, s) }, [][]units{{{httpd.BudgetMiss, 0}, {httpd.BudgetRead, 1}}}},
	{"destroy", func(ctx context.Context, l *httpd.Limits, s httpd.Source) { l.Allow(ctx, httpd.ClassDestroy, s) }, nil},
	{"misses", func(ctx context.Context, l *httpd.Limits, s httpd.Source) { l.Missed(ctx, s, 4) }, [][]units{{{httpd.BudgetMiss, 4}}}},
	{"upload", func(ctx context.Context, l *httpd.Limits, s httpd.Source) {
		r, _, _ := l.Reserve(ctx, s, 1000)
		r.Settle(ctx, 400)
		r.Settle(ctx, 0) // the second time does nothing
	}, [][]units{{{httpd.BudgetBytes, 1000}}, {{httpd.BudgetBytes, -600}}}},
	{"upload of what was announced", func(ctx context.Context, l *httpd.Limits, s httpd.Source) {
		r, _, _ := l.Reserve(ctx, s, 1000)
		r.Settle(ctx, 1000)
	}, [][]units{{{httpd.BudgetBytes, 1000}}}},
	{"upload beyond the burst", func(ctx context.Context, l *httpd.Limits, s httpd.Source) {
		r, _, _ := l.Reserve(ctx, s, 300<<20)
		r.Settle(ctx, 300<<20)
	}, [][]units{{{httpd.BudgetBytes, 300 << 20}}}},
	{"upload of nothing", func(ctx context.Context, l *httpd.Limits, s httpd.Source) { l.Reserve(ctx, s, 0) }, nil},
	{"upload by somebody who goes", func(ctx context.Context, l *httpd.Limits, s httpd.Source) {
		ctx, leave := context.WithCancel(ctx)
		r, _, _ := l.Reserve(ctx, s, 1000)
		leave()
		r.Settle(ctx, 1)
	}, [][]units{{{httpd.BudgetBytes, 1000}}, {{httpd.BudgetBytes, -999}}}},
	{"miss by somebody who has gone", func(ctx context.Context, l *httpd.Limits, s httpd.Source) {
		ctx, leave := context.WithCancel(ctx)
		leave()
		l.Missed(ctx, s, 1)
	}, [][]units{{{httpd.BudgetMiss, 1}}}},
}

// units of a budget; 0 only asks whether one would fit.
type units struct {
	budget int
	n      int64
}

func TestLedgerIsCharged(t *testing.T) {
	for _, test := range ledgerTests {
		for name, source := range map[string]httpd.Source{"IPv4": v4(1), "IPv6": v6("2001:db8:1:2::3"), "unknown": {}} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				l, b := shared("k")
				test.does(t.Context(), l, source)
				got := b.read()
				if len(got) != len(test.want) {
					t.Fatalf("%+v, want %+v", got, test.want)
				}
				for i, want := range test.want {
					if all := chargesOf(want, got[i], name == "IPv6"); !slices.Equal(got[i].charges, all) {
						t.Errorf("%+v, want %+v", got[i].charges, all)
					}
				}
			})
		}
	}
}

// chargesOf gives what units come to, under the name that the entry has for the source: who it is, or, with a /48 around
// it that is who it is, a name beside.
func chargesOf(want []units, got entry, wide bool) (all []httpd.Charge) {
	for _, u := range want {
		budget, name := httpd.DefaultBudgets[u.budget].Name, got.who
		if wide {
			_, name, _ = strings.Cut(got.charges[0].Budget, ":")
		}
		source, site := charged(u.budget, budget+":"+name, u.n, 1), charged(u.budget, budget, u.n, 16)
		if u.n == 0 {
			source, site = charged(u.budget, budget+":"+name, 1, 1), charged(u.budget, budget, 1, 16)
			source.Ask, site.Ask = true, true
			source.Ahead, site.Ahead = source.Cost*60, site.Cost*60*16
		}
		all = append(all, source)
		if wide {
			all = append(all, site)
		}
	}
	return all
}

// named gives all names in what a source is charged for everything, by place.
func named(t *testing.T, key string, s httpd.Source) (who, own string, all string) {
	t.Helper()
	l, b := shared(key)
	for _, test := range ledgerTests {
		test.does(t.Context(), l, s)
	}
	names := make(map[string]bool)
	for _, e := range b.read() {
		who = e.who
		names[e.who] = true
		for _, c := range e.charges {
			names[c.Budget] = true
			if _, rest, ok := strings.Cut(c.Budget, ":"); ok {
				own = rest
			}
		}
	}
	return who, own, strings.Join(slices.Sorted(maps.Keys(names)), " ")
}

// TestLedgerNamesNobody: a ledger tells sources apart, in every process alike, and knows no address; nor can anybody who
// has not the key find out whose name one is.
func TestLedgerNamesNobody(t *testing.T) {
	for _, test := range []struct{ address, neighbour, stranger string }{
		{"203.0.113.77", "203.0.113.77", "203.0.113.78"},
		{"2001:db8:abcd:1234::1", "2001:db8:abcd:1234:ffff::", "2001:db8:abce:1234::1"},
	} {
		a := netip.MustParseAddr(test.address)
		who, own, all := named(t, "k", httpd.SourceOf(a))
		var canary testenv.Canary
		for name, text := range map[string]string{"text": test.address, "digits": strings.NewReplacer(".", "", ":", "").Replace(test.address), "in full": a.StringExpanded()} {
			canary.Add(name, []byte(text))
		}
		if found := canary.Search([]byte(all)); found != nil || strings.Contains(all, string(a.AsSlice()[:4])) {
			t.Errorf("%s is in %q: %v", test.address, all, found)
		}
		if _, _, again := named(t, "k", v6(test.neighbour)); again != all {
			t.Errorf("the same source has two names: %q, %q", all, again)
		}
		if _, _, other := named(t, "l", httpd.SourceOf(a)); other == all {
			t.Error("without the key the names are the same")
		}
		if w, o, _ := named(t, "k", v6(test.stranger)); w == who || o == own {
			t.Errorf("%s and %s share a name", test.address, test.stranger)
		}
	}
	// Charges for a /64 and the /48 around it go together, so they must be found under one name (a cluster's hash tag).
	one, own, _ := named(t, "k", v6("2001:db8:1:1::1"))
	two, other, _ := named(t, "k", v6("2001:db8:1:2::1"))
	if one != two || own == other {
		t.Errorf("two /64s of a /48 are %q and %q, in %q and %q", own, other, one, two)
	}
}

// TestLedgerRefuses: what does not fit there is refused, for whole seconds, and takes nothing here that it could give back.
func TestLedgerRefuses(t *testing.T) {
	for wait, want := range map[time.Duration]time.Duration{
		1: time.Second, time.Millisecond: time.Second, time.Second: time.Second, time.Second + 1: 2 * time.Second, 90 * time.Minute: 90 * time.Minute,
	} {
		l, b := shared("k")
		b.answers(wait, nil)
		for _, class := range []httpd.Class{httpd.ClassCreate, httpd.ClassRead} {
			if retry, ok := l.Allow(t.Context(), class, v4(1)); ok || retry != want {
				t.Errorf("class %d, %v: %v, %v", class, wait, ok, retry)
			}
		}
		if res, retry, ok := l.Reserve(t.Context(), v4(1), 200<<20); ok || retry != want || res != nil {
			t.Errorf("an upload, %v: %v, %v", wait, ok, retry)
		}
		if !allowed(l.Allow(t.Context(), httpd.ClassDestroy, v4(1))) {
			t.Error("an ack was refused")
		}
		b.answers(0, nil)
		if _, _, ok := l.Reserve(t.Context(), v4(1), 256<<20); !ok {
			t.Error("what was refused was not given back")
		}
	}
}

// TestLedgerIsAskedLast: whoever asks too much at one server makes no work at the ledger.
func TestLedgerIsAskedLast(t *testing.T) {
	l, b := shared("k")
	for range 1000 {
		l.Allow(t.Context(), httpd.ClassCreate, v4(1))
		l.Reserve(t.Context(), v4(1), 64<<20) // held by uploads under way
	}
	l.Missed(t.Context(), v4(1), 60)
	for range 1000 {
		l.Allow(t.Context(), httpd.ClassRead, v4(1))
	}
	if n := len(b.read()); n != 60+4+1 {
		t.Errorf("the ledger was asked %d times, want as often as was allowed here: 60 creates, 4 uploads, 1 miss", n)
	}
}

// TestLedgerInTrouble: then each server holds its own limits.
func TestLedgerInTrouble(t *testing.T) {
	l, b := shared("k")
	b.answers(time.Hour, errors.New("the ledger is on fire"))
	if n, retry := drain(t, l, httpd.ClassCreate, v4(1)); n != 60 || retry != time.Second {
		t.Errorf("%d creates, then a wait of %v", n, retry)
	}
	if n, _ := drain(t, l, httpd.ClassRead, v4(1)); n != 200 {
		t.Errorf("%d reads", n)
	}
	l.Missed(t.Context(), v4(2), 60)
	if _, ok := l.Allow(t.Context(), httpd.ClassRead, v4(2)); ok {
		t.Error("a miss was not counted")
	}
	for want := range 5 {
		if _, _, ok := l.Reserve(t.Context(), v4(1), 64<<20); ok != (want < 4) {
			t.Errorf("upload %d: %v", want, ok)
		}
	}
}

// TestLedgerGetsBackWhatWasNotSent, to the byte, whatever was announced.
func TestLedgerGetsBackWhatWasNotSent(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, source := range []httpd.Source{v4(1), v6("2001:db8::1")} {
		for range 200 {
			size := 1 + dice.Int64N(1<<10<<dice.IntN(22)) // up to 2 GiB: an operator may allow more than a burst
			sent := dice.Int64N(size + 1)
			l, b := shared("k")
			r, _, ok := l.Reserve(t.Context(), source, size)
			if !ok {
				t.Fatal("a full budget was refused")
			}
			r.Settle(t.Context(), sent)
			for name, got := range b.sums() {
				worth := int64(1)
				if !strings.Contains(name, ":") {
					worth = 16
				}
				// What is more than twice a burst is not counted further.
				want := charged(httpd.BudgetBytes, "", min(sent, 512<<20), worth).Cost
				if got != want {
					t.Errorf("%d of %d bytes were sent, for %d sources' worth: %v, want %v", sent, size, worth, got, want)
				}
			}
		}
	}
}

// TestLedgerOverHTTP: what requests are charged, and what a refusal looks like.
func TestLedgerOverHTTP(t *testing.T) {
	b := new(book)
	w := newWorld(t, withKey, func(o *httpd.Options) {
		o.Limits = httpd.NewLimits(o.Now, httpd.DefaultBudgets)
		o.Limits.Share(b, [32]byte{1})
	})
	s := testenv.NewSecret(1000)
	unknown := wire.ViewRequest{View: strings.Repeat("A", 25), UID: recipient}
	for _, test := range []struct {
		name string
		does func() testenv.Answer
		want string // units by budget
	}{
		{"create", func() testenv.Answer { return w.must(http.StatusCreated, w.Create, s) }, "create 1, create_bytes 1000"},
		{"meta", func() testenv.Answer { return w.must(http.StatusOK, w.Meta, s) }, "read 1"},
		{"meta of nothing", func() testenv.Answer { return w.must(http.StatusNotFound, w.Meta, testenv.NewSecret(1)) }, "miss 1, read 1"},
		{"open", func() testenv.Answer { return w.must(http.StatusOK, w.Open, s) }, "read 1"},
		{"ack", func() testenv.Answer { return w.must(http.StatusNoContent, w.Ack, s) }, ""},
		{"health", func() testenv.Answer { return w.do("GET", "/api/health?verbose", nil, "") }, ""},
		{"a guess at a short UID", func() testenv.Answer { return w.post("view", unknown) }, "miss 4, read 1"},
		{"with an API key", func() testenv.Answer { return w.do("GET", "/api/events", keyHeader, "") }, ""},
	} {
		b.read()
		test.does()
		if got := b.units(t); got != test.want {
			t.Errorf("%s: charged %q, want %q", test.name, got, test.want)
		}
	}
	b.answers(1200*time.Millisecond, nil)
	for _, a := range []testenv.Answer{
		w.must(http.StatusTooManyRequests, w.Create, testenv.NewSecret(1000)), w.must(http.StatusTooManyRequests, w.Meta, s), w.post("view", unknown),
	} {
		if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "2" {
			t.Errorf("%d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
		}
	}
	w.must(http.StatusNoContent, w.Ack, s)
	if a := w.do("GET", "/api/events", keyHeader, ""); a.Status != http.StatusOK {
		t.Errorf("with an API key: %d", a.Status)
	}
}

// units puts what was charged since it was read last into units.
func (b *book) units(t *testing.T) string {
	t.Helper()
	var all []string
	for name, sum := range b.sums() {
		_, name, _ = strings.Cut(name, " ")
		name, _, _ = strings.Cut(name, ":")
		for _, budget := range httpd.DefaultBudgets {
			if budget.Name == name {
				all = append(all, fmt.Sprint(name, " ", int64(sum)/(int64(budget.Per)/budget.Rate)))
			}
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
