package redis_test

import (
	"context"
	"errors"
	"flag"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestMain lets more tests run at once than there are processors: they mostly wait, for servers that die, for leases that
// run out, for elections.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "24"); err != nil {
		panic(err)
	}
	m.Run()
}

// lateness is what sweeping may take: buckets are of a second and are closed for one more.
const lateness = 2500 * time.Millisecond

// emptied gives an Opener of stores at url; flush empties all servers there.
func emptied(url string, flush func(*testing.T)) storetest.Opener {
	return func(t *testing.T, clock *storetest.Clock) storetest.Store {
		t.Helper()
		clock.Own(lateness)
		flush(t)
		return open(t, url)
	}
}

func open(t testing.TB, url string) *redis.Store {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error("Close: ", err)
		}
	})
	return s
}

func flushing(servers ...*redisserver.Server) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		for _, s := range servers {
			do(t, s, "FLUSHALL")
		}
	}
}

// do runs a command that must succeed.
func do(t testing.TB, s *redisserver.Server, args ...string) string {
	t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return reply
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	storetest.Run(t, emptied(s.URL(), flushing(s)))
}

func TestContractBySocket(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	storetest.Run(t, emptied("unix://"+s.Socket(), flushing(s)))
}

func TestContractOfCluster(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	storetest.Run(t, emptied(c.URL(), flushing(c.Nodes()...)))
}

func TestContractOfSentinel(t *testing.T) {
	t.Parallel()
	s := redisserver.StartSentinel(t)
	storetest.Run(t, emptied(s.URL(), flushing(s.Primary())))
}

func TestLinearizable(t *testing.T) {
	for _, test := range []struct {
		name string
		url  func(*testing.T) string
	}{
		{"single", func(t *testing.T) string { return redisserver.Start(t).URL() }},
		{"socket", func(t *testing.T) string { return "unix://" + redisserver.Start(t).Socket() }},
		{"cluster", func(t *testing.T) string { return redisserver.StartCluster(t, 3).URL() }},
		{"sentinel", func(t *testing.T) string { return redisserver.StartSentinel(t).URL() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := test.url(t)
			storetest.Linearizable(t, emptied(url, func(*testing.T) {}))
		})
		t.Run(test.name+", two processes", func(t *testing.T) {
			t.Parallel()
			url := test.url(t)
			storetest.Linearizable(t, func(t *testing.T, clock *storetest.Clock) storetest.Store {
				clock.Own(lateness)
				return &both{stores: [2]*redis.Store{open(t, url), open(t, url)}}
			})
		})
	}
}

// TestLinearizableThoughAnswersAreLost: whoever is told nothing may find that it has happened, or not, or that it happens
// later; but nothing has happened in part, or twice.
func TestLinearizableThoughAnswersAreLost(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	open(t, s.URL()) // loads the scripts, and makes the key
	p := redisserver.Lossy(t, s.Addr(), 12)
	store := &both{stores: [2]*redis.Store{insist(t, p.URL()), insist(t, p.URL())}}
	for round := range uint64(40) {
		if err := storetest.CheckLinearizable(t.Context(), store, round); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if lost := p.Lost(); lost < 100 {
		t.Errorf("only %d things were lost", lost)
	}
}

// insist opens a store over a line that is bad.
func insist(t *testing.T, url string) *redis.Store {
	t.Helper()
	for range 100 {
		s, err := redis.Open(t.Context(), redis.Options{URL: url})
		if err == nil {
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
	}
	t.Fatal("no luck in 100 tries")
	return nil
}

// both are two processes on one Redis: each call goes to the other one than the call before.
type both struct {
	stores [2]*redis.Store
	calls  atomic.Uint64
}

func (b *both) next() *redis.Store { return b.stores[b.calls.Add(1)%2] }

func (b *both) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	return b.next().Put(ctx, d, payload)
}

func (b *both) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	return b.next().Get(ctx, a, rule)
}

func (b *both) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	return b.next().Update(ctx, a, rule)
}

func (b *both) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	return b.next().Replace(ctx, a, rule, payload)
}

func (b *both) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	return b.next().Take(ctx, a, rule)
}

func (b *both) Sweep(ctx context.Context, limit int, rule vault.Rule) (int, error) {
	return b.next().Sweep(ctx, limit, rule)
}

func (b *both) List(ctx context.Context, list vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	return b.next().List(ctx, list, skip, limit)
}

func (b *both) Close() error { return errors.Join(b.stores[0].Close(), b.stores[1].Close()) }
