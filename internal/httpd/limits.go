package httpd

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// Class says what a request does, as far as limits care.
type Class uint8

// The classes of requests.
const (
	ClassCreate  Class = iota // stores something, as a claim does too: also costs bytes, see [Limits.Reserve]
	ClassRead                 // open, meta, status, id, and what a UID alone proves: refused as well while the source is out of misses
	ClassDestroy              // ack, decline, revoke: never refused
)

// Budget is what one source may spend: Burst at once, and Rate more each Per.
type Budget struct {
	Name  string // for documentation and metrics
	Rate  int64
	Per   time.Duration
	Burst int64
	Why   string
}

// The budgets of a source, by their place in [Budgets].
const (
	BudgetCreate = iota
	BudgetBytes
	BudgetRead
	BudgetMiss
	numBudgets
)

// Budgets are the numbers of all limits. Documentation prints them from here.
//
// There is no budget for ClassDestroy. Ack, decline and revoke make the server hold less; to refuse one
// would keep a payload that its owner has just asked to be gone. They tell nothing to somebody who guesses:
// without a 256-bit token every reference gets the same 404. And a refusal would save hardly anything, for
// the request has been received and parsed by then; what it would save is one look-up by key. To delete a kept secret
// is not in it: the UID that it takes may have 48 bits, and a source that guesses must come to its end (PROTOCOL 5.2).
type Budgets [numBudgets]Budget

// DefaultBudgets are the limits of a server that was told nothing else.
var DefaultBudgets = Budgets{
	BudgetCreate: {"create", 60, time.Minute, 60, "secrets, tickets and messages made; a person makes a few a day, an office behind one address a few a minute"},
	BudgetBytes:  {"create_bytes", 256 << 20, time.Hour, 256 << 20, "bytes sent to be stored; one address gets 6 GiB a day at most"},
	BudgetRead:   {"read", 600, time.Minute, 200, "questions about secrets; one link costs three or four"},
	BudgetMiss:   {"miss", 30, time.Minute, 60, "well-formed references that lead nowhere; guessing an 8-character alias among a million takes an address some 14 years"},
}

// wideFactor is how many sources' worth a whole IPv6 /48 gets: enough for a site with many /64s,
// and 4 096 times less than its 65 536 /64s would get one by one.
const wideFactor = 16

const (
	// maxSources bounds the memory: 65 536 rows of 64 bytes and as many chains of 4 make 4.3 MiB.
	maxSources = 1 << 16
	// sharedRows serve the sources that found no room.
	sharedRows = 1 << 10
	// handSteps is how many rows are looked at to find room for a new source.
	handSteps = 16
)

// Limits keeps the budgets of everybody who asks, in memory, and perhaps in a [Ledger] beside. It is safe for concurrent use.
// The zero Limits, and nil, limit nothing: that is what --limits=off means.
//
// The table of sources is bounded, so it must forget. It forgets only a row whose budgets are all full
// again, which is the same as a row never used; nobody's spent budget is given back early. If there is no
// such row, a newcomer shares one of 1 024 rows, picked by a hash that nobody outside can compute. So an
// attacker with many addresses can neither reset a row (dropping the idlest would let him reset his own)
// nor aim at somebody; and newcomers are limited more, not less: create fails closed. (One who moves from a
// shared row into a row of his own starts afresh there, which gains him one burst.) To keep the
// table full costs him a create a second, a miss every two seconds or 75 kB/s of uploads for each of the
// 65 536 rows, without end.
//
// The meters are GCRA rather than [golang.org/x/time/rate]: 8 bytes instead of 80, "is it full again" is
// one comparison, and bytes reserved but never sent can be given back exactly, which rate.Reservation
// refuses once its time has come. The tests hold the two against each other.
type Limits struct {
	now   func() time.Time
	whole whole             // where several servers count together
	meter [numBudgets]meter // of a source
	wide  [numBudgets]meter // of a /48
	max   int
	seed  maphash.Seed

	mu     sync.Mutex
	epoch  time.Time
	last   int64   // the latest time seen, in ns since epoch
	chains []int32 // by hash of the source: its first row, plus 1; a Go map that is deleted from for days grows
	rows   []row
	hand   int32 // next row to look at when the table is full
	shared []row
}

// row is what one source has spent.
type row struct {
	source Source
	due    [numBudgets]int64 // when each budget is full again, in ns since Limits.epoch
	held   int64             // bytes reserved by requests under way
	next   int32             // row of the chain, plus 1
}

func (r *row) idle(now int64) bool {
	for _, due := range r.due {
		if due > now {
			return false
		}
	}
	return r.held == 0
}

// NewLimits makes limits that read the time from now.
func NewLimits(now func() time.Time, b Budgets) *Limits {
	return newLimits(now, b, maxSources, sharedRows)
}

func newLimits(now func() time.Time, b Budgets, sources, shared int) *Limits {
	l := &Limits{
		now: now, epoch: now(), max: sources, seed: maphash.MakeSeed(),
		chains: make([]int32, sources), shared: make([]row, shared),
	}
	for i, b := range b {
		l.meter[i] = newMeter(b, 1)
		l.wide[i] = newMeter(b, wideFactor)
	}
	return l
}

func (l *Limits) off() bool { return l == nil || l.now == nil }

// Allow says whether source may make a request of this class now, and counts it if so.
// Otherwise retry is what Retry-After should say: whole seconds, at least one.
func (l *Limits) Allow(ctx context.Context, class Class, source Source) (retry time.Duration, ok bool) {
	if l.off() || class == ClassDestroy {
		return 0, true
	}
	if retry, ok = l.allow(class, source); !ok {
		return retry, false
	}
	if class == ClassRead {
		return l.spendTogether(ctx, source, charge{BudgetMiss, 1, asks}, charge{BudgetRead, 1, spends})
	}
	return l.spendTogether(ctx, source, charge{BudgetCreate, 1, spends})
}

func (l *Limits) allow(class Class, source Source) (retry time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	// A source that has used up its misses is refused its hits too. Otherwise a guesser would see
	// his hits at full speed, and the limit would slow down only his failures.
	if class == ClassRead {
		if retry, ok = l.fits(source, BudgetMiss, 1, now); !ok {
			return retry, false
		}
		return l.take(source, BudgetRead, 1, now)
	}
	return l.take(source, BudgetCreate, 1, now)
}

// Missed counts n answers of 404 to a well-formed reference in ClassRead. It may overdraw the budget, when
// many requests were under way at once; the debt is worked off before the next read, so that the long-term
// rate holds however the guesses are timed.
func (l *Limits) Missed(ctx context.Context, source Source, n int64) {
	if l.off() {
		return
	}
	// Who hangs up before the answer has guessed all the same.
	l.spendTogether(context.WithoutCancel(ctx), source, charge{BudgetMiss, n, overdraws})
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	l.spend(source, BudgetMiss, n, now)
}

// Reserve asks for room to upload n bytes: the Content-Length, or the largest that would be read if
// the client does not say. It is asked before the body is read, so that a refusal costs no bandwidth, and
// holds the bytes until [Reservation.Settle], so that many uploads begun at once cannot each count on
// the same room. A request beyond the whole burst is let through when the budget is full: a
// Retry-After that can never come true would be a lie.
func (l *Limits) Reserve(ctx context.Context, source Source, n int64) (res *Reservation, retry time.Duration, ok bool) {
	if l.off() || n <= 0 {
		return nil, 0, true
	}
	if res, retry, ok = l.reserve(source, n); !ok {
		return nil, retry, false
	}
	if retry, ok = l.spendTogether(ctx, source, charge{BudgetBytes, res.n, spends}); !ok { // what Settle gives back, no more
		res.settle(0)
		return nil, retry, false
	}
	return res, 0, true
}

func (l *Limits) reserve(source Source, n int64) (res *Reservation, retry time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	if retry, ok = l.fits(source, BudgetBytes, n, now); !ok {
		return nil, retry, false
	}
	n = min(n, l.meter[BudgetBytes].most())
	res = &Reservation{limits: l, source: source, n: n}
	res.row = l.row(source, now)
	l.at(res.row).held += n
	if w, ok := source.wide(); ok {
		res.wideRow, res.wide = l.row(w, now), true
		l.at(res.wideRow).held += n
	}
	return res, 0, true
}

// Reservation is room for an upload under way.
type Reservation struct {
	limits       *Limits // nil once settled
	source       Source
	n            int64
	row, wideRow int32 // stay where they are while held is not 0
	wide         bool
}

// Settle ends the upload: the bytes really read are spent, the others given back. It must be called
// once the body has been read or given up, and does nothing the second time. A nil Reservation is settled.
func (r *Reservation) Settle(ctx context.Context, read int64) {
	if r == nil || r.limits == nil {
		return
	}
	if r.n > read {
		// The client may have gone, which is no reason to keep what it did not send.
		r.limits.spendTogether(context.WithoutCancel(ctx), r.source, charge{BudgetBytes, read - r.n, overdraws})
	}
	r.settle(read)
}

func (r *Reservation) settle(read int64) {
	l := r.limits
	r.limits = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	l.settle(r.row, &l.meter[BudgetBytes], r.n, read, now)
	if r.wide {
		l.settle(r.wideRow, &l.wide[BudgetBytes], r.n, read, now)
	}
}

func (l *Limits) settle(at int32, m *meter, n, read, now int64) {
	row := l.at(at)
	row.held -= n
	m.spend(&row.due[BudgetBytes], read, now)
}

// fits says whether n fit the budget of source, and of the /48 around it.
func (l *Limits) fits(source Source, budget int, n, now int64) (retry time.Duration, ok bool) {
	var wait int64
	if w, ok := source.wide(); ok {
		wait = l.wide[budget].wait(l.at(l.row(w, now)), budget, n, now)
	}
	wait = max(wait, l.meter[budget].wait(l.at(l.row(source, now)), budget, n, now))
	if wait <= 0 {
		return 0, true
	}
	return (time.Duration(wait) + time.Second - 1).Truncate(time.Second), false
}

// take spends n if they fit. Nothing is spent on a refusal: whoever is refused and keeps knocking
// gets in again at the promised time.
func (l *Limits) take(source Source, budget int, n, now int64) (retry time.Duration, ok bool) {
	if retry, ok = l.fits(source, budget, n, now); ok {
		l.spend(source, budget, n, now)
	}
	return retry, ok
}

func (l *Limits) spend(source Source, budget int, n, now int64) {
	if w, ok := source.wide(); ok {
		l.wide[budget].spend(&l.at(l.row(w, now)).due[budget], n, now)
	}
	l.meter[budget].spend(&l.at(l.row(source, now)).due[budget], n, now)
}

// clock gives the time in ns since epoch. A clock set back moves the epoch with it, otherwise
// everybody would wait until it has caught up. It needs mu, which also keeps the readings in order.
func (l *Limits) clock() int64 {
	t := l.now()
	now := int64(t.Sub(l.epoch))
	if now < l.last {
		l.epoch = t.Add(-time.Duration(l.last))
		now = l.last
	}
	l.last = now
	return now
}

// row finds the row of source, or room for one: an index for at, valid until row is called again
// unless the row has been spent from or holds bytes. Looking at a few rows a call, round and round,
// bounds the work of a call; that an idle row was not found only puts the newcomer into a shared one.
func (l *Limits) row(source Source, now int64) int32 {
	hash := maphash.Comparable(l.seed, source)
	chain := &l.chains[hash%uint64(len(l.chains))]
	for i := *chain; i != 0; i = l.rows[i-1].next {
		if l.rows[i-1].source == source {
			return i - 1
		}
	}
	i := int32(len(l.rows)) //nolint:gosec // G115: at most maxSources
	if int(i) < l.max {
		l.rows = append(l.rows, row{})
	} else if i = l.room(now); i < 0 {
		return -1 - int32(hash%uint64(len(l.shared))) //nolint:gosec // G115: below sharedRows
	}
	l.rows[i] = row{source: source, next: *chain}
	*chain = i + 1
	return i
}

// room takes an idle row out of its chain, or says -1.
func (l *Limits) room(now int64) int32 {
	for range handSteps {
		i := l.hand
		l.hand = (l.hand + 1) % int32(len(l.rows)) //nolint:gosec // G115: at most maxSources
		r := &l.rows[i]
		if !r.idle(now) {
			continue
		}
		link := &l.chains[maphash.Comparable(l.seed, r.source)%uint64(len(l.chains))]
		for *link != i+1 {
			link = &l.rows[*link-1].next
		}
		*link = r.next
		return i
	}
	return -1
}

func (l *Limits) at(i int32) *row {
	if i < 0 {
		return &l.shared[-1-i]
	}
	return &l.rows[i]
}

// meter is a budget as GCRA counts it (ITU-T I.371): instead of tokens it keeps the time at which
// the budget will be full again. Spending one moves that time by cost; it may run ahead of now by window.
type meter struct {
	cost   int64 // ns a unit
	window int64 // ns from empty to full
}

func newMeter(b Budget, factor int64) meter {
	cost := max(1, int64(b.Per)/(b.Rate*factor))
	return meter{cost, cost * b.Burst * factor}
}

// most is where amounts are cut off: beyond every budget, far from an overflow.
func (m *meter) most() int64 { return 2 * (m.window / m.cost) }

// wait says in how many ns n more will fit; 0 or less is now.
func (m *meter) wait(r *row, budget int, n, now int64) int64 {
	due := max(r.due[budget], now)
	if budget == BudgetBytes {
		due += r.held * m.cost
	}
	n = min(n, m.window/m.cost) // more than the whole waits until all of it is there
	return due + n*m.cost - m.window - now
}

func (m *meter) spend(due *int64, n, now int64) {
	*due = max(*due, now) + min(n, m.most())*m.cost
}
