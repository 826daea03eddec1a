package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestCanaryRedis gives a server on a Redis secrets of every fate. In Redis are ids, aliases, labels and sealed payloads,
// and nothing that opens one or tells who somebody is: no key, no token, no UID, no address of a client; not even
// in its append-only file, which holds everything that Redis was ever told.
func TestCanaryRedis(t *testing.T) {
	t.Parallel()
	key := "hp_" + testenv.B64u(testenv.Random(32))
	r := redisserver.Start(t)
	server := testenv.StartServer(t, "--store="+r.URL(), fmt.Sprintf("--api-keys=bot:%x", sha256.Sum256([]byte(key))),
		"--log-level=debug", "--limits=on", "--trusted-proxies=127.0.0.1")
	c := &cage{Client: server.Client(), t: t, server: server, redis: r}
	c.nowhere.Add("API key", []byte(key))
	c.fromMany()
	var ending []func()
	for _, size := range sizes {
		ending = append(ending, c.fates(size)...)
	}
	ending = append(ending, c.unguarded(), c.messages())
	c.mangledLinks()
	c.watched(key)
	c.look("while they wait")
	if len(c.files(&c.erased)) != 3*4+1 {
		t.Errorf("while they wait, there are %v: this search does not find everything", c.files(&c.erased))
	}
	if all := string(dump(t, r)); !strings.Contains(all, ":create:") || !strings.Contains(all, ":miss") || !strings.Contains(all, "label of a message") {
		t.Error("no limits or no labels are in Redis: this search does not find everything")
	}
	for _, end := range ending {
		end()
	}
	if found := c.files(&c.erased); found != nil {
		t.Errorf("what has ended is in Redis: %v", found)
	}
	if code := server.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c.look("after the server has stopped")
	c.searchLogOfRedis()
}

// fromMany makes c come from many addresses.
func (c *cage) fromMany() {
	addresses := []string{"203.0.113.177", "198.51.100.201", "2001:db8:abcd:1234:5678::9", "2001:db8:abcd:4321:8765::6"}
	for _, a := range addresses {
		c.nowhere.Add("an address", []byte(a))
	}
	// Of an IPv6 address, limits know the /64 and the /48.
	c.nowhere.Add("a /64", []byte("\x20\x01\x0d\xb8\xab\xcd\x12\x34"))
	c.nowhere.Add("a /64 as text", []byte("2001:db8:abcd:1234"))
	c.nowhere.Add("a /48 as text", []byte("2001:db8:abcd:"))
	c.HTTP.Transport = &many{RoundTripper: c.HTTP.Transport, addresses: addresses}
}

// many are clients behind a proxy.
type many struct {
	http.RoundTripper

	addresses []string
	n         atomic.Uint64
}

func (m *many) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", m.addresses[m.n.Add(1)%uint64(len(m.addresses))])
	return m.RoundTripper.RoundTrip(r)
}

// messages are kept secrets of users whose UIDs are as long as inigma's, and as ours; of one, the claim proves something.
func (c *cage) messages() (end func()) {
	uid := func(name string, size int) wire.Token {
		text := testenv.B64u(testenv.Random(size))
		c.nowhere.Add(name, []byte(text))
		return wire.Token(text)
	}
	var ends []func()
	for _, length := range []int{9, 32} {
		for _, proof := range []string{"", "with proof"} {
			keep := keeping(uid("a creator's uid", length), 300)
			keep.CustomName, keep.IdempotencyKey = "label of a message "+proof, testenv.B64u(testenv.Random(12))
			c.nowhere.Add("an idempotency key", []byte(keep.IdempotencyKey))
			c.unlogged.Add("a label", []byte(keep.CustomName))
			token := testenv.Random(32)
			c.nowhere.Add("a claim token", token)
			if proof != "" {
				keep.ClaimHash = testenv.HashOf(token)
			}
			view := posts[wire.KeptCreated](c, "create", keep).View
			c.nowhere.Add("a view", []byte(view))
			claim := claiming(view, uid("an owner's uid", length), 300)
			if proof != "" {
				claim.ClaimToken = wire.Token(testenv.B64u(token))
			}
			posts[wire.KeptDone](c, "update", claim)
			posts[wire.KeptList](c, "list-secrets", wire.ListRequest{UID: claim.UID, Page: 1, PerPage: 10})
			posts[wire.KeptList](c, "list-pending-secrets", wire.ListRequest{UID: keep.CreatorUID, Page: 1, PerPage: 10})
			for _, text := range []string{keep.Message, claim.Message} {
				payload, err := base64.StdEncoding.DecodeString(text)
				if err != nil {
					c.t.Fatal(err)
				}
				c.unlogged.Add("a message", payload)
			}
			ends = append(ends, func() { posts[wire.KeptDone](c, "delete-secret", wire.ViewRequest{View: view, UID: claim.UID}) })
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// watched is a secret with events, which are asked for and taken.
func (c *cage) watched(key string) {
	mine := http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
	s, context := testenv.NewSecret(256), testenv.Random(40)
	h := testenv.CreateHeader(s)
	h.Set("Authorization", "Bearer "+key)
	h.Set(wire.HeaderContext, base64.StdEncoding.EncodeToString(context))
	c.unlogged.Add("a context", context)
	c.nowhere.Add("a link token", s.Link)
	if a := c.do("PUT", "/api/secrets/"+s.ID, h, string(s.Payload)); a.Status != http.StatusCreated {
		c.t.Errorf("%d %s", a.Status, a.Body)
	}
	c.must(http.StatusOK, c.Open, s)
	events := testenv.JSON[wire.Events](c.t, c.do("GET", "/api/events?wait=20", mine, "")).Events
	if len(events) != 1 {
		c.t.Fatalf("%d events", len(events))
	}
	c.do("POST", "/api/events/ack", mine, fmt.Sprintf(`{"ids":[%q]}`, events[0].ID))
	c.do("GET", "/api/events", http.Header{"Authorization": {"Bearer " + key + "x"}}, "")
}

// searchLogOfRedis looks for what may be nowhere in all that Redis was told. And when Redis has rewritten its file, which
// it does by itself as the file grows, the payloads of what has ended are gone from it.
func (c *cage) searchLogOfRedis() {
	c.t.Helper()
	reply, err := c.redis.Do("CONFIG", "GET", "dir")
	if err != nil {
		c.t.Fatal(err)
	}
	_, dir, _ := strings.Cut(reply, "\n")
	dir = filepath.Join(dir, "appendonlydir") // Redis' own name
	search := func(canary *testenv.Canary) []string {
		found, err := canary.SearchFolder(dir)
		if err != nil {
			c.t.Fatal(err)
		}
		return found
	}
	if found := search(&c.nowhere); found != nil {
		c.t.Errorf("in the files of Redis: %v", found)
	}
	if search(&c.erased) == nil {
		c.t.Error("the files of Redis hold nothing: this search finds nothing")
	}
	if _, err := c.redis.Do("BGREWRITEAOF"); err != nil {
		c.t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); ; <-tick.C {
		found := search(&c.erased)
		if found == nil {
			return
		}
		if time.Since(start) > eraseTime {
			c.t.Fatalf("in the rewritten files of Redis: %v", found)
		}
	}
}

// dump gives all keys of a Redis and all that is under them.
func dump(t *testing.T, r *redisserver.Server) []byte {
	t.Helper()
	read := map[string][]string{ // by type: the command, and what follows the key
		"string": {"GET"}, "list": {"LRANGE", "0", "-1"}, "zset": {"ZRANGE", "0", "-1", "WITHSCORES"}, "set": {"SMEMBERS"},
		"hash": {"HGETALL"}, "stream": {"XRANGE", "-", "+"}, "none": {"EXISTS"}, // it has ended since it was listed
	}
	do := func(args ...string) string {
		reply, err := r.Do(args...)
		if err != nil {
			t.Fatalf("%s: %v", args[0], err)
		}
		return reply
	}
	var all strings.Builder
	for key := range strings.SplitSeq(do("KEYS", "*"), "\n") {
		kind := do("TYPE", key)
		how := read[kind]
		if how == nil {
			t.Fatalf("a key of type %s", kind)
		}
		fmt.Fprintln(&all, key, do(append([]string{how[0], key}, how[1:]...)...))
	}
	return []byte(all.String())
}
