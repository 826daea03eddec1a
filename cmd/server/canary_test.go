package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/wire"
)

// eraseTime is how long erased bytes may stay in the database's files (PROTOCOL 4.7).
const eraseTime = 60 * time.Second

// cage is a server that is given secrets to betray.
type cage struct {
	*testenv.Client

	t        *testing.T
	server   *testenv.Server
	redis    *redisserver.Server // where it keeps secrets; nil: in files
	nowhere  testenv.Canary      // never in the log, never in a file
	unlogged testenv.Canary      // in files, but never in the log
	erased   testenv.Canary      // payloads in no file once their secrets have ended
}

// secret makes one whose payload is a mark, over and over: a trace of it anywhere is found.
func (c *cage) secret(what string, size int) *testenv.Secret {
	s := testenv.NewSecret(0)
	mark := testenv.Random(32)
	s.Payload = bytes.Repeat(mark, size/len(mark)+1)[:size]
	s.Passphrase = testenv.Random(32)
	for name, token := range map[string][]byte{"link": s.Link, "manage": s.Manage, "passphrase": s.Passphrase, "reader": s.Reader} {
		c.nowhere.Add(what+": "+name+" token", token)
	}
	if size > inlineMax && c.redis == nil {
		c.nowhere.Add(what+": payload", mark) // files are encrypted
	}
	c.erased.Add(what+": payload", mark)
	c.unlogged.Add(what+": payload", mark)
	c.unlogged.Add(what+": id", []byte(s.ID))
	a := c.must(http.StatusCreated, c.Create, s)
	s.Alias = testenv.JSON[wire.Created](c.t, a).Alias
	s.Ref = s.Alias
	c.unlogged.Add(what+": alias", []byte(s.Alias))
	return s
}

type call func(context.Context, *testenv.Secret) (testenv.Answer, error)

func (c *cage) must(status int, f call, s *testenv.Secret) testenv.Answer {
	c.t.Helper()
	a, err := f(c.t.Context(), s)
	if err != nil || a.Status != status {
		c.t.Fatalf("%d, want %d: %s %v", a.Status, status, a.Body, err)
	}
	return a
}

func (c *cage) do(method, path string, h http.Header, body string) testenv.Answer {
	c.t.Helper()
	a, err := c.Do(c.t.Context(), method, path, h, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// look searches the log and the folder for what may never be there.
func (c *cage) look(when string) {
	c.t.Helper()
	log := []byte(c.server.Log())
	if found := append(c.nowhere.Search(log), c.unlogged.Search(log)...); found != nil {
		c.t.Errorf("%s, in the log: %v", when, found)
	}
	if found := c.files(&c.nowhere); found != nil {
		c.t.Errorf("%s: %v", when, found)
	}
}

func (c *cage) files(canary *testenv.Canary) []string {
	c.t.Helper()
	if c.redis != nil {
		return canary.Search(dump(c.t, c.redis))
	}
	found, err := canary.SearchFolder(c.server.Dir)
	if err != nil {
		c.t.Fatal(err)
	}
	return found
}

// TestCanary gives a server secrets of every fate, and finds no key, token, link, text or name in its log, and nothing
// in its files that should not be there, or not any more.
func TestCanary(t *testing.T) {
	t.Parallel()
	key := "hp_" + testenv.B64u(testenv.Random(32))
	server := testenv.StartServer(t, fmt.Sprintf("--api-keys=bot:%x", sha256.Sum256([]byte(key))), "--log-level=debug")
	c := &cage{Client: server.Client(), t: t, server: server}
	c.nowhere.Add("API key", []byte(key))
	var ending []func()
	for _, size := range []int{400, inlineMax, inlineMax + 1, 300 << 10} {
		ending = append(ending, c.fates(size)...)
	}
	ending = append(ending, c.unguarded())
	c.mangledLinks()
	c.do("GET", "/api/events", http.Header{"Authorization": {"Bearer " + key}}, "")
	c.do("GET", "/api/events", http.Header{"Authorization": {"Bearer " + key + "x"}}, "")
	c.look("while they wait")
	if len(c.files(&c.erased)) == 0 {
		t.Error("no small payload is in the database while it waits: this search finds nothing")
	}
	for _, end := range ending {
		end()
	}
	c.look("after they ended")
	c.awaitErasure()
	if code := server.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	c.look("after the server has stopped")
	if found := c.files(&c.erased); found != nil {
		t.Errorf("after the server has stopped: %v", found)
	}
}

// fates makes secrets and brings each to the last step before its end.
func (c *cage) fates(size int) (ends []func()) {
	c.t.Helper()
	end := func(name string, status int, f func(*cage, *testenv.Secret) call) {
		s := c.secret(fmt.Sprint(name, " ", size), size)
		wrong := *s
		wrong.Passphrase = testenv.Random(32)
		c.nowhere.Add("a wrong passphrase token", wrong.Passphrase)
		c.must(http.StatusForbidden, c.Open, &wrong)
		c.must(http.StatusOK, c.Meta, s)
		c.must(http.StatusOK, c.Status, s)
		c.must(http.StatusOK, c.Resolve, s)
		verb := f(c, s)
		ends = append(ends, func() { c.must(status, verb, s) })
	}
	end("read", http.StatusNoContent, func(c *cage, s *testenv.Secret) call {
		c.must(http.StatusOK, c.Open, s)
		return c.Ack
	})
	end("declined", http.StatusNoContent, func(c *cage, _ *testenv.Secret) call { return c.Decline })
	end("revoked", http.StatusNoContent, func(c *cage, _ *testenv.Secret) call { return c.Revoke })
	end("locked", http.StatusForbidden, func(c *cage, s *testenv.Secret) call {
		wrong := *s
		wrong.Passphrase = testenv.Random(32)
		c.nowhere.Add("another wrong passphrase token", wrong.Passphrase)
		for range 8 {
			c.must(http.StatusForbidden, c.Open, &wrong)
		}
		return func(ctx context.Context, _ *testenv.Secret) (testenv.Answer, error) { return c.Open(ctx, &wrong) }
	})
	return ends
}

// unguarded is only-once-share's secret, which ends when it is read.
func (c *cage) unguarded() (end func()) {
	mark := testenv.Random(32)
	c.erased.Add("only-once-share's payload", mark)
	c.unlogged.Add("only-once-share's payload", mark)
	body := fmt.Sprintf(`{"ciphertext":%q}`, base64.StdEncoding.EncodeToString(bytes.Repeat(mark, 20)))
	made := testenv.JSON[wire.CompatCreated](c.t, c.do("POST", "/api/secrets", http.Header{"Content-Type": {"application/json"}}, body))
	c.unlogged.Add("only-once-share's alias", []byte(made.Alias))
	c.unlogged.Add("only-once-share's id", []byte(made.ID))
	return func() {
		if a := c.do("GET", "/api/secrets/"+made.Alias, nil, ""); a.Status != http.StatusOK {
			c.t.Errorf("only-once-share's: %d", a.Status)
		}
	}
}

// mangledLinks are whole links, with their keys, as mail gateways send them: the fragment has become a part of the path.
func (c *cage) mangledLinks() {
	key := testenv.Random(32)
	c.nowhere.Add("the key of a link", key)
	text := testenv.B64u(key)
	for _, path := range []string{
		"/s/Unknown0%23" + text, "/s/Unknown0/" + text, "/s/Unknown0?" + text, "//s/Unknown0%23" + text, "/api/secrets/" + text,
		"/api/secrets/Unknown0%23" + text, "/api/secrets/" + text + "/open", "/" + text, "/s/%23" + text, "/de/s/Unknown0%23" + text,
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"} {
			c.do(method, path, http.Header{"Referer": {"https://h/" + text}, "User-Agent": {text}}, "")
		}
	}
}

// awaitErasure waits until the payloads of what has ended are in no file.
func (c *cage) awaitErasure() {
	c.t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for {
		found := c.files(&c.erased)
		if found == nil {
			c.t.Logf("erased after %v", time.Since(start))
			return
		}
		if time.Since(start) > eraseTime {
			c.t.Fatalf("after %v: %v", eraseTime, found)
		}
		<-tick.C
	}
}
