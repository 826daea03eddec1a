package main_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestRedisKilled kills Redis in the midst of work, over and over, while the servers go on. Whoever asks meanwhile is told
// that there is trouble, and never that something does not exist; afterwards all is as everybody was told, with
// nothing lost and nothing read twice (PROTOCOL 4.7).
func TestRedisKilled(t *testing.T) {
	t.Parallel()
	const kills, people = 3, 8
	p := startPair(t)
	k := newOld(p)
	var crowd sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := &insisting{pair: p, ctx: ctx}
	for i := range people {
		crowd.Go(func() {
			for n := i; !c.over.Load() && !t.Failed(); n++ {
				c.live(n)
			}
		})
	}
	for range kills {
		c.await(&c.lives, 20)
		p.redis.Kill9()
		back := time.After(time.Second + rand.N(time.Second))
		k.findsTrouble()
		c.await(&c.troubles, 20)
		<-back
		p.redis.Restart()
	}
	c.await(&c.lives, 20)
	c.over.Store(true)
	crowd.Wait()
	k.findsAll()
	states := make(map[string]int)
	for _, s := range c.stories {
		states[s.state]++
		c.holds(s)
	}
	t.Logf("%d secrets, %v; %d answers were trouble", len(c.stories), states, c.troubles.Load())
}

// old are secrets that were there before, and what every route says of them.
type old struct {
	*pair

	waiting, leased, read *testenv.Secret
	compat                string
	view                  string
	creator               wire.Token
	healthy               map[string]int // status of every call in good times
}

func newOld(p *pair) *old {
	c := p.at(0)
	k := &old{pair: p, waiting: testenv.NewSecret(300), leased: testenv.NewSecret(100_000), read: testenv.NewSecret(300), creator: "c0ffee000001"}
	for _, s := range []*testenv.Secret{k.waiting, k.leased, k.read} {
		s.Ref = testenv.JSON[wire.Created](p.t, c.must(http.StatusCreated, c.Create, s)).Alias
	}
	c.must(http.StatusOK, c.Open, k.leased)
	c.must(http.StatusOK, c.Open, k.read)
	c.must(http.StatusNoContent, c.Ack, k.read)
	k.compat = testenv.JSON[wire.CompatCreated](p.t, c.post("secrets", wire.CompatCreate{Ciphertext: b64(300)})).Alias
	k.view = posts[wire.KeptCreated](c, "create", keeping(k.creator, 300)).View
	k.healthy = make(map[string]int)
	for name, ask := range k.harmless() {
		k.healthy[name] = ask(c).Status
	}
	return k
}

// harmless is what can be asked without changing anything, or is refused.
func (k *old) harmless() map[string]func(*cage) testenv.Answer {
	unknown := &testenv.Secret{Ref: "Nobody01", Link: testenv.Random(32), Manage: testenv.Random(32), Reader: testenv.Random(16)}
	list := wire.ListRequest{UID: k.creator, Page: 1, PerPage: 10}
	all := map[string]func(*cage) testenv.Answer{
		"view":            func(c *cage) testenv.Answer { return c.post("view", wire.ViewRequest{View: k.view, UID: "anonymous"}) },
		"list":            func(c *cage) testenv.Answer { return c.post("list-pending-secrets", list) },
		"list of nothing": func(c *cage) testenv.Answer { return c.post("list-secrets", list) },
		"rename": func(c *cage) testenv.Answer {
			return c.post("update-custom-name", wire.RelabelRequest{View: k.view, UID: "eve", CustomName: "x"})
		},
		"delete of a view": func(c *cage) testenv.Answer {
			return c.post("delete-secret", wire.ViewRequest{View: k.view, UID: "eve"})
		},
		"undo": func(c *cage) testenv.Answer { return c.post("undo-claim", wire.ViewRequest{View: k.view, UID: "eve"}) },
		"compat": func(c *cage) testenv.Answer {
			return c.try(func(ctx context.Context, _ *testenv.Secret) (testenv.Answer, error) {
				return c.Do(ctx, "GET", "/api/secrets/Nobody01", nil, nil)
			}, nil)
		},
		"health": func(c *cage) testenv.Answer {
			return c.try(func(ctx context.Context, _ *testenv.Secret) (testenv.Answer, error) {
				return c.Do(ctx, "GET", "/api/health?verbose", nil, nil)
			}, nil)
		},
	}
	for name, s := range map[string]*testenv.Secret{"waiting": k.waiting, "leased": k.leased, "read": k.read, "unknown": unknown} {
		for verb, f := range map[string]func(*cage) call{
			"meta": func(c *cage) call { return c.Meta }, "status": func(c *cage) call { return c.Status }, "resolve": func(c *cage) call { return c.Resolve },
		} {
			all[verb+" of "+name] = func(c *cage) testenv.Answer { return c.try(f(c), s) }
		}
		if s == k.waiting {
			continue
		}
		for verb, f := range map[string]func(*cage) call{
			"open": func(c *cage) call { return c.Open }, "decline": func(c *cage) call { return c.Decline }, "revoke": func(c *cage) call { return c.Revoke },
		} {
			all[verb+" of "+name] = func(c *cage) testenv.Answer { return c.try(f(c), randomReader(s)) }
		}
	}
	return all
}

// findsTrouble asks both servers everything while Redis is away.
func (k *old) findsTrouble() {
	k.t.Helper()
	all := k.harmless()
	all["create"] = func(c *cage) testenv.Answer { return c.try(c.Create, testenv.NewSecret(300)) }
	all["large create"] = func(c *cage) testenv.Answer { return c.try(c.Create, testenv.NewSecret(100_000)) }
	all["ack"] = func(c *cage) testenv.Answer { return c.try(c.Ack, k.leased) }
	all["compat create"] = func(c *cage) testenv.Answer { return c.post("secrets", wire.CompatCreate{Ciphertext: b64(300)}) }
	all["keep"] = func(c *cage) testenv.Answer { return c.post("create", keeping(k.creator, 300)) }
	all["claim"] = func(c *cage) testenv.Answer { return c.post("update", claiming(k.view, "eve", 300)) }
	for name, ask := range all {
		for _, c := range k.clients {
			if a := ask(c); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				k.t.Errorf("%s without Redis: %d, Retry-After %q, %.100s", name, a.Status, a.Header.Get("Retry-After"), a.Body)
			}
		}
	}
	for _, path := range []string{"/health", "/api/health", "/api/openapi.yaml"} {
		if a := k.at(0).do("GET", path, nil, ""); a.Status != http.StatusOK {
			k.t.Errorf("%s without Redis: %d", path, a.Status)
		}
	}
}

// findsAll asks everything again in good times: nothing has changed.
func (k *old) findsAll() {
	k.t.Helper()
	for name, ask := range k.harmless() {
		for _, c := range k.clients {
			if a := ask(c); a.Status != k.healthy[name] {
				k.t.Errorf("%s: %d, and before the kills %d", name, a.Status, k.healthy[name])
			}
		}
	}
	here, there := k.at(0), k.at(1)
	for _, s := range []*testenv.Secret{k.waiting, k.leased} {
		if a := here.must(http.StatusOK, here.Open, s); !bytes.Equal(a.Body, s.Payload) {
			k.t.Error("another payload")
		}
		there.must(http.StatusNoContent, there.Ack, s)
	}
	if a := there.do("GET", "/api/secrets/"+k.compat, nil, ""); a.Status != http.StatusOK {
		k.t.Errorf("only-once-share's secret: %d", a.Status)
	}
	if l := posts[wire.KeptList](here, "list-pending-secrets", wire.ListRequest{UID: k.creator, Page: 1, PerPage: 10}); l.Total != 1 {
		k.t.Errorf("%d messages of the creator, want the one that was acknowledged", l.Total)
	}
}

// insisting are people who insist: they ask again, at any server, until the answer is a definite one.
type insisting struct {
	*pair

	ctx             context.Context
	over            atomic.Bool
	lives, troubles atomic.Int64

	mu      sync.Mutex
	stories []*story
}

// story is what all people of a secret know when it has been told.
type story struct {
	*testenv.Secret // of its reader, if it has one

	state string
}

// await waits until count has grown by more.
func (c *insisting) await(count *atomic.Int64, more int64) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for want := count.Load() + more; count.Load() < want && !c.t.Failed(); {
		select {
		case <-tick.C:
		case <-c.ctx.Done():
			c.t.Fatal("it does not go on")
		}
	}
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// insist gives the first answer that is not trouble. It must be one of these.
func (c *insisting) insist(what string, ask func(*cage) testenv.Answer, statuses ...int) testenv.Answer {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for c.ctx.Err() == nil {
		switch a := ask(c.at(rand.IntN(2))); {
		case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "":
			c.troubles.Add(1)
			<-tick.C
		case slices.Contains(statuses, a.Status):
			return a
		default:
			c.t.Errorf("%s: %d %.200s", what, a.Status, a.Body)
			return testenv.Answer{}
		}
	}
	c.t.Errorf("%s: nothing but trouble", what)
	return testenv.Answer{}
}

// live is the life of one secret.
func (c *insisting) live(n int) {
	s := &story{testenv.NewSecret([]int{200, 5_000, 100_000}[n%3]), []string{wire.StateRead, wire.StateRead, wire.StateRevoked, wire.StateLeased, wire.StateWaiting}[n%5]}
	c.insist("create", func(x *cage) testenv.Answer { return x.try(x.Create, s.Secret) }, http.StatusCreated, http.StatusOK)
	switch s.state {
	case wire.StateRevoked:
		c.insist("revoke", func(x *cage) testenv.Answer { return x.try(x.Revoke, s.Secret) }, http.StatusNoContent)
	case wire.StateLeased, wire.StateRead:
		c.race(s)
	}
	if s.state == wire.StateRead {
		c.insist("ack", func(x *cage) testenv.Answer { return x.try(x.Ack, s.Secret) }, http.StatusNoContent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stories = append(c.stories, s)
	c.lives.Add(1)
}

// race lets two readers open at once: one gets the payload, and the secret is theirs from then on.
func (c *insisting) race(s *story) {
	readers := []*testenv.Secret{randomReader(s.Secret), randomReader(s.Secret)}
	var got [2]testenv.Answer
	var both sync.WaitGroup
	for i, r := range readers {
		both.Go(func() {
			got[i] = c.insist("open", func(x *cage) testenv.Answer { return x.try(x.Open, r) }, http.StatusOK, http.StatusLocked)
		})
	}
	both.Wait()
	winner := slices.IndexFunc(got[:], func(a testenv.Answer) bool { return a.Status == http.StatusOK })
	if got[0].Status+got[1].Status != http.StatusOK+http.StatusLocked || !bytes.Equal(got[winner].Body, s.Payload) {
		c.t.Errorf("two readers: %d with %d bytes, %d with %d", got[0].Status, len(got[0].Body), got[1].Status, len(got[1].Body))
		return
	}
	s.Secret = readers[winner]
}

// holds checks at the end what is known of a secret.
func (c *insisting) holds(s *story) {
	c.t.Helper()
	x, eve := c.at(rand.IntN(2)), randomReader(s.Secret)
	if got := testenv.JSON[wire.Status](c.t, x.must(http.StatusOK, x.Status, s.Secret)); got.State != s.state {
		c.t.Errorf("it is %s, and should be %s", got.State, s.state)
		return
	}
	want := map[string][2]int{
		wire.StateRead: {http.StatusGone, http.StatusGone}, wire.StateRevoked: {http.StatusGone, http.StatusGone},
		wire.StateLeased: {http.StatusOK, http.StatusLocked}, wire.StateWaiting: {http.StatusOK, http.StatusLocked},
	}[s.state]
	mine, theirs := x.must(want[0], x.Open, s.Secret), x.must(want[1], x.Open, eve)
	if mine.Status == http.StatusOK && !bytes.Equal(mine.Body, s.Payload) || len(theirs.Body) > 1000 {
		c.t.Error("another payload")
	}
}

// TestRedisHangs: a Redis that does not answer is trouble as well, soon; and what it does late, when it goes on, it does once.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	k := newOld(p)
	readers := []*testenv.Secret{randomReader(k.waiting), randomReader(k.waiting)}
	p.redis.Pause()
	start := time.Now()
	counted(t, "a Redis that hangs", p.each(24, func(c *cage, i int) testenv.Answer {
		switch i / 2 % 6 {
		case 0:
			return c.try(c.Open, readers[i%2])
		case 1:
			return c.try(c.Create, testenv.NewSecret(300))
		case 2:
			return c.try(c.Create, testenv.NewSecret(200_000))
		case 3:
			return c.try(c.Meta, k.read)
		case 4:
			return c.post("view", wire.ViewRequest{View: k.view, UID: "anonymous"})
		default:
			return c.post("list-pending-secrets", wire.ListRequest{UID: k.creator, Page: 1, PerPage: 10})
		}
	}), http.StatusServiceUnavailable, 24)
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("the last answer came after %v", took)
	}
	p.redis.Resume()
	c := &insisting{pair: p, ctx: t.Context()}
	statuses := make(map[int]int)
	for _, r := range readers {
		statuses[c.insist("open", func(x *cage) testenv.Answer { return x.try(x.Open, r) }, http.StatusOK, http.StatusLocked).Status]++
	}
	counted(t, "two readers", statuses, http.StatusOK, 1, http.StatusLocked, 1)
}
