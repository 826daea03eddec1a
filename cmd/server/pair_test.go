package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/wire"
)

// Payloads that a Redis keeps with the record, beside it, and sent in pieces.
var sizes = []int{256, 10_000, 200_000}

// pair is two servers on one Redis, and a client of each. Whoever asks the one may ask the other next: balancers promise
// nothing else.
type pair struct {
	t       *testing.T
	redis   *redisserver.Server
	servers [2]*testenv.Server
	clients [2]*cage
}

func startPair(t *testing.T, args ...string) *pair {
	t.Helper()
	r := redisserver.Start(t)
	return pairAt(t, r, r.URL(), args...)
}

// pairAt starts a pair that reaches r by url.
func pairAt(t *testing.T, r *redisserver.Server, url string, args ...string) *pair {
	t.Helper()
	p := &pair{t: t, redis: r}
	for i := range p.servers {
		p.servers[i] = testenv.StartServer(t, append([]string{"--store=" + url}, args...)...)
		p.clients[i] = &cage{Client: p.servers[i].Client(), t: t, server: p.servers[i]}
	}
	return p
}

// at gives a client of one of them.
func (p *pair) at(i int) *cage { return p.clients[i%2] }

// restart ends both servers and starts them anew.
func (p *pair) restart() {
	p.t.Helper()
	for _, s := range p.servers {
		if code := s.Stop(); code != 0 {
			p.t.Errorf("exit code %d", code)
		}
	}
	for i, s := range p.servers {
		s.Restart()
		p.clients[i].Client = s.Client()
	}
}

// each makes n calls at once, spread over both, and counts their statuses. A call is told its number.
func (p *pair) each(n int, call func(c *cage, i int) testenv.Answer) map[int]int {
	p.t.Helper()
	count := make(map[int]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			a := call(p.at(i), i)
			mu.Lock()
			defer mu.Unlock()
			count[a.Status]++
		})
	}
	all.Wait()
	return count
}

// counted checks what each gave.
func counted(t *testing.T, what string, got map[int]int, want ...int) {
	t.Helper()
	all := make(map[int]int)
	for i := 0; i < len(want); i += 2 {
		all[want[i]] = want[i+1]
	}
	if fmt.Sprint(got) != fmt.Sprint(all) {
		t.Fatalf("%s: answers by status %v, want %v", what, got, all)
	}
}

// try makes a call; no answer is the zero one.
func (c *cage) try(f call, s *testenv.Secret) testenv.Answer {
	a, err := f(c.t.Context(), s)
	if err != nil {
		c.t.Error(err)
	}
	return a
}

// post asks a route that takes JSON, from any goroutine.
func (c *cage) post(route string, body any) testenv.Answer {
	text, err := json.Marshal(body)
	if err != nil {
		c.t.Error(err)
	}
	a, err := c.Do(c.t.Context(), "POST", "/api/"+route, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(text))
	if err != nil {
		c.t.Error(route, " ", err)
	}
	return a
}

// posts asks one that must answer 200, and reads the answer.
func posts[T any](c *cage, route string, body any) T {
	c.t.Helper()
	a := c.post(route, body)
	if a.Status != http.StatusOK {
		c.t.Fatalf("%s: %d %s", route, a.Status, a.Body)
	}
	return testenv.JSON[T](c.t, a)
}

func randomReader(s *testenv.Secret) *testenv.Secret {
	other := *s
	other.Reader = testenv.Random(16)
	return &other
}

func b64(n int) string { return base64.StdEncoding.EncodeToString(testenv.Random(n)) }

// TestPairHasOneReader: of readers at both servers one gets the secret, and holds it at both.
func TestPairHasOneReader(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for n, size := range sizes {
		s := testenv.NewSecret(size)
		here, there := p.at(n), p.at(n+1)
		s.Ref = testenv.JSON[wire.Created](t, here.must(http.StatusCreated, here.Create, s)).Alias
		readers := make([]*testenv.Secret, 32)
		var winner *testenv.Secret
		var mu sync.Mutex
		counted(t, "open", p.each(len(readers), func(c *cage, i int) testenv.Answer {
			readers[i] = randomReader(s)
			a := c.try(c.Open, readers[i])
			if a.Status == http.StatusOK && bytes.Equal(a.Body, s.Payload) {
				mu.Lock()
				defer mu.Unlock()
				winner = readers[i]
			}
			return a
		}), http.StatusOK, 1, http.StatusLocked, 31)
		if winner == nil {
			t.Fatal("another payload")
		}
		counted(t, "the winner again", p.each(4, func(c *cage, _ int) testenv.Answer {
			a := c.try(c.Open, winner)
			if !bytes.Equal(a.Body, s.Payload) {
				t.Errorf("the winner, again: %d with %d bytes", a.Status, len(a.Body))
			}
			return a
		}), http.StatusOK, 4)
		there.must(http.StatusNoContent, there.Ack, winner)
		here.must(http.StatusNoContent, here.Ack, winner)
		for _, c := range p.clients {
			if got := testenv.JSON[wire.Status](t, c.must(http.StatusOK, c.Status, s)); got.State != wire.StateRead {
				t.Errorf("acknowledged, and yet %s", got.State)
			}
		}
		counted(t, "after the end", p.each(len(readers), func(c *cage, i int) testenv.Answer { return c.try(c.Open, readers[i]) }),
			http.StatusGone, 32)
	}
}

// TestPairCreatesOnce: a client that has lost its answer may ask the other server again.
func TestPairCreatesOnce(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for _, size := range sizes {
		s := testenv.NewSecret(size)
		bodies := make(chan string, 16)
		counted(t, "create", p.each(cap(bodies), func(c *cage, _ int) testenv.Answer {
			a := c.try(c.Create, s)
			bodies <- string(a.Body)
			return a
		}), http.StatusCreated, 1, http.StatusOK, 15)
		for first := <-bodies; len(bodies) > 0; {
			if other := <-bodies; other != first {
				t.Errorf("two answers: %s, %s", first, other)
			}
		}
		other := *s
		other.Payload = testenv.Random(size)
		for _, c := range p.clients {
			c.must(http.StatusConflict, c.Create, &other)
		}
		c := p.at(1)
		if a := c.must(http.StatusOK, c.Open, s); !bytes.Equal(a.Body, s.Payload) {
			t.Error("another payload")
		}
	}
}

// TestPairPassesOnAndTakesBack: whatever one does, the other knows at once.
func TestPairPassesOnAndTakesBack(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	here, there := p.at(0), p.at(1)
	fate := func(change func(*testenv.Secret)) *testenv.Secret {
		s := testenv.NewSecret(256)
		change(s)
		here.must(http.StatusCreated, here.Create, s)
		there.must(http.StatusOK, there.Meta, s) // from here on it remembers the secret as it was
		return s
	}
	for range 20 {
		revoked, declined := fate(func(*testenv.Secret) {}), fate(func(*testenv.Secret) {})
		here.must(http.StatusNoContent, here.Revoke, revoked)
		here.must(http.StatusNoContent, here.Decline, declined)
		for _, s := range []*testenv.Secret{revoked, declined} {
			there.must(http.StatusGone, there.Open, s)
		}
	}
	locked := fate(func(s *testenv.Secret) { s.Passphrase = testenv.Random(32) })
	wrong := *locked
	wrong.Passphrase = testenv.Random(32)
	counted(t, "a wrong passphrase", p.each(12, func(c *cage, _ int) testenv.Answer { return c.try(c.Open, &wrong) }), // ten of them are counted
		http.StatusForbidden, 10, http.StatusGone, 2)
	there.must(http.StatusGone, there.Open, locked)
	nobody := &testenv.Secret{Ref: "Nobody01"}
	if a, b := here.must(http.StatusOK, here.Resolve, nobody), there.must(http.StatusOK, there.Resolve, nobody); string(a.Body) != string(b.Body) {
		t.Error("the servers have different decoys: they tell which aliases are used")
	}
}

// TestPairSpeaksOnlyOnceShare: made here, read there, once (PROTOCOL 4.8).
func TestPairSpeaksOnlyOnceShare(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for n, size := range sizes {
		for _, byID := range []bool{true, false} {
			text := b64(size)
			a := p.at(n).post("secrets", wire.CompatCreate{Ciphertext: text})
			if a.Status != http.StatusCreated {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			made := testenv.JSON[wire.CompatCreated](t, a)
			ref := made.Alias
			if byID {
				ref = made.ID
			}
			if again := p.at(n+1).post("secrets", wire.CompatCreate{Ciphertext: text, ID: made.ID}); again.Status != http.StatusConflict {
				t.Errorf("the id, again: %d", again.Status)
			}
			want := fmt.Sprintf("{\"ciphertext\":%q,\"id\":%q}\n", text, made.ID)
			counted(t, "read", p.each(12, func(c *cage, _ int) testenv.Answer {
				a, err := c.Do(t.Context(), "GET", "/api/secrets/"+ref, nil, nil)
				if err != nil || a.Status == http.StatusOK && string(a.Body) != want ||
					a.Status == http.StatusNotFound && strings.TrimSpace(string(a.Body)) != `{"error":"Secret not found or already viewed"}` {
					t.Errorf("%.100s %v", a.Body, err)
				}
				return a
			}), http.StatusOK, 1, http.StatusNotFound, 11)
		}
	}
}

// keeping is a create of a message by creator, claiming a claim by uid.
func keeping(creator wire.Token, size int) wire.KeepRequest {
	return wire.KeepRequest{Message: b64(size), IV: b64(12), Salt: b64(16), CreatorUID: creator}
}

func claiming(view string, uid wire.Token, size int) wire.ClaimRequest {
	return wire.ClaimRequest{View: view, UID: uid, Message: b64(size), IV: b64(12), Salt: b64(16)}
}

// TestPairHasOneOwner: of claims at both servers one wins, and both know whose message it is.
func TestPairHasOneOwner(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for n, size := range sizes {
		here, there := p.at(n), p.at(n+1)
		creator := wire.Token(testenv.B64u(testenv.Random(9)))
		view := posts[wire.KeptCreated](here, "create", keeping(creator, size)).View
		var won wire.ClaimRequest
		var mu sync.Mutex
		counted(t, "claim", p.each(12, func(c *cage, i int) testenv.Answer {
			claim := claiming(view, wire.Token(fmt.Sprintf("claimer-%d-%d", n, i)), size)
			a := c.post("update", claim)
			if a.Status == http.StatusOK {
				mu.Lock()
				defer mu.Unlock()
				won = claim
			}
			return a
		}), http.StatusOK, 1, http.StatusConflict, 11)
		for _, c := range p.clients {
			got := posts[wire.KeptSecret](c, "view", wire.ViewRequest{View: view, UID: won.UID})
			if got.Message != won.Message || got.IV != won.IV || got.Salt != won.Salt || !got.IsOwner {
				t.Error("it holds what a loser sent")
			}
			if l := posts[wire.KeptList](c, "list-secrets", wire.ListRequest{UID: won.UID, Page: 1, PerPage: 10}); l.Total != 1 || l.Secrets[0].ID != view {
				t.Errorf("its owner's list: %+v", l)
			}
			if l := posts[wire.KeptList](c, "list-pending-secrets", wire.ListRequest{UID: creator, Page: 1, PerPage: 10}); l.Total != 0 {
				t.Errorf("its creator's list: %+v", l)
			}
		}
		posts[wire.KeptDone](there, "delete-secret", wire.ViewRequest{View: view, UID: won.UID})
		if a := here.post("view", wire.ViewRequest{View: view, UID: won.UID}); a.Status != http.StatusNotFound {
			t.Errorf("deleted, and yet %d", a.Status)
		}
	}
}

// TestPairAnswersAgain: an idempotency key holds at both servers, and when both have started anew.
func TestPairAnswersAgain(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	r := keeping("c0ffee000001", 300)
	r.IdempotencyKey = "0123456789abcdef"
	views := make(map[string]bool)
	again := func(when string) {
		t.Helper()
		answers := make(chan testenv.Answer, 12)
		counted(t, when, p.each(cap(answers), func(c *cage, _ int) testenv.Answer {
			a := c.post("create", r)
			answers <- a
			return a
		}), http.StatusOK, 12)
		for len(answers) > 0 {
			views[testenv.JSON[wire.KeptCreated](t, <-answers).View] = true
		}
		if len(views) != 1 {
			t.Errorf("%s: it has %d views", when, len(views))
		}
	}
	again("at once")
	p.restart()
	again("after a restart")
	other := keeping(r.CreatorUID, 300)
	other.IdempotencyKey = r.IdempotencyKey
	for _, c := range p.clients {
		if a := c.post("create", other); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("another body: %d", a.Status)
		}
		if l := posts[wire.KeptList](c, "list-pending-secrets", wire.ListRequest{UID: r.CreatorUID, Page: 1, PerPage: 10}); l.Total != 1 {
			t.Errorf("it is kept %d times", l.Total)
		}
	}
}

// TestPairTellsOfEvents: what happens at one server is heard by who waits at the other.
func TestPairTellsOfEvents(t *testing.T) {
	t.Parallel()
	key := "hp_" + testenv.B64u(testenv.Random(32))
	p := startPair(t, fmt.Sprintf("--api-keys=bot:%x", sha256.Sum256([]byte(key))))
	here, there := p.at(0), p.at(1)
	mine := http.Header{"Authorization": {"Bearer " + key}}
	s := testenv.NewSecret(256)
	h := testenv.CreateHeader(s)
	h.Set("Authorization", mine.Get("Authorization"))
	if a := here.do("PUT", "/api/secrets/"+s.ID, h, string(s.Payload)); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	heard := make(chan testenv.Answer, 1)
	go func() {
		a, err := here.Do(t.Context(), "GET", "/api/events?wait=20", mine, nil)
		if err != nil {
			t.Error(err)
		}
		heard <- a
	}()
	there.must(http.StatusOK, there.Open, s)
	events := testenv.JSON[wire.Events](t, <-heard).Events
	if len(events) != 1 || events[0].Type != "secret.opened" || events[0].Secret != s.ID {
		t.Errorf("%+v", events)
	}
}
