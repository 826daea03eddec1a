package main_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
)

// limited is a pair with limits, behind a proxy that says who asks.
func limited(t *testing.T) *pair {
	t.Helper()
	return startPair(t, "--limits=on", "--trusted-proxies=127.0.0.1")
}

// from asks as the client of this address.
func (c *cage) from(address, method, path string, s *testenv.Secret) testenv.Answer {
	h := http.Header{}
	if s != nil {
		h = testenv.CreateHeader(s)
	}
	h.Set("X-Forwarded-For", address)
	var body []byte
	if s != nil {
		body = s.Payload
	}
	a, err := c.Do(c.t.Context(), method, path, h, bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
	}
	return a
}

func (c *cage) createFrom(address string) testenv.Answer {
	s := testenv.NewSecret(256)
	return c.from(address, "PUT", "/api/secrets/"+s.ID, s)
}

func (c *cage) missFrom(address string) testenv.Answer {
	return c.from(address, "GET", "/api/secrets/"+testenv.NewSecret(1).ID+"/meta", nil)
}

// TestPairSharesLimits: a source has one budget, whichever server it asks; half of it at each is not refused by either alone.
func TestPairSharesLimits(t *testing.T) {
	t.Parallel()
	p := limited(t)
	for _, test := range []struct {
		name   string
		ask    func(c *cage, address string) testenv.Answer
		status int
		burst  int
		more   time.Duration // one more in this time
	}{
		{"create", (*cage).createFrom, http.StatusCreated, 60, time.Second},
		{"miss", (*cage).missFrom, http.StatusNotFound, 60, 2 * time.Second},
	} {
		for name, addresses := range map[string][3]string{ // of one, the same or a neighbour who counts as the same, somebody else
			"IPv4": {"203.0.113.1", "203.0.113.1", "203.0.113.2"},
			"IPv6": {"2001:db8:1:1::1", "2001:db8:1:1:ffff::", "2001:db8:1:2::1"},
		} {
			start := time.Now()
			count := make(map[int]int)
			for i := range 60 {
				for _, c := range p.clients {
					a := test.ask(c, addresses[i%2])
					count[a.Status]++
					if a.Status == http.StatusTooManyRequests {
						checkWait(t, test.name, a, test.more)
					}
				}
			}
			got, most := count[test.status], test.burst+int(time.Since(start)/test.more)+1
			if got < test.burst || got > most || got+count[http.StatusTooManyRequests] != 120 {
				t.Errorf("%s by %s at two servers: %v, want %d to %d of %d", test.name, name, count, test.burst, most, test.status)
			}
			for i := range 2 {
				if a := test.ask(p.at(i), addresses[2]); a.Status != test.status {
					t.Errorf("%s by another source: %d", test.name, a.Status)
				}
			}
		}
	}
}

// checkWait: a refusal says when to come back, in whole seconds.
func checkWait(t *testing.T, what string, a testenv.Answer, most time.Duration) {
	t.Helper()
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err != nil || seconds < 1 || time.Duration(seconds)*time.Second > most {
		t.Errorf("%s: Retry-After %q, want at most %v", what, text, most)
	}
}

// TestPairSharesBytes: room for an upload at one server is taken at both; and what was announced and did not come is given
// back at both.
func TestPairSharesBytes(t *testing.T) {
	t.Parallel()
	p := limited(t)
	const one, other = "203.0.113.1", "203.0.113.2"
	for i := range 20 { // without a Content-Length, the largest payload is reserved: a quarter of the hour's
		s := testenv.NewSecret(256)
		h := testenv.CreateHeader(s)
		h.Set("X-Forwarded-For", one)
		if a, err := p.at(i).Do(t.Context(), "PUT", "/api/secrets/"+s.ID, h, io.MultiReader(bytes.NewReader(s.Payload))); err != nil || a.Status != http.StatusCreated {
			t.Fatalf("upload %d: %d %v", i, a.Status, err)
		}
	}
	var begun []net.Conn
	for i := range 4 {
		c, resp := announce(t, p.servers[i%2], one, 64<<20-2000*i) // less each time, for the bytes that the twenty did send
		if resp.StatusCode != http.StatusContinue {
			t.Fatalf("upload %d: %s instead of 100 Continue", i, resp.Status)
		}
		begun = append(begun, c)
	}
	const more = 8 << 20 // time gives so much back in two minutes
	for i, s := range p.servers {
		if _, resp := announce(t, s, one, more); resp.StatusCode != http.StatusTooManyRequests {
			t.Errorf("a fifth upload: %s", resp.Status)
		} else {
			checkWait(t, "a fifth upload", testenv.Answer{Header: resp.Header}, 2*time.Minute)
		}
		if a := p.at(i).createFrom(other); a.Status != http.StatusCreated {
			t.Errorf("another source: %d", a.Status)
		}
	}
	for _, c := range begun {
		c.Close()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(10 * time.Second); ; {
		c, a := announce(t, p.servers[0], one, more)
		d, b := announce(t, p.servers[1], one, more)
		if a.StatusCode == http.StatusContinue && b.StatusCode == http.StatusContinue {
			return
		}
		c.Close()
		d.Close()
		select {
		case <-late:
			t.Fatalf("what did not come is not given back: %s, %s", a.Status, b.Status)
		case <-tick.C:
		}
	}
}

// announce begins an upload of so many bytes and sends none of them. 100 Continue says that there is room.
func announce(t *testing.T, server *testenv.Server, address string, size int) (net.Conn, *http.Response) {
	t.Helper()
	c, s := connect(t, server), testenv.NewSecret(1)
	h := testenv.CreateHeader(s)
	h.Set("X-Forwarded-For", address)
	var head strings.Builder
	if err := h.Write(&head); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "PUT /api/secrets/%s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n%sContent-Length: %d\r\n\r\n", s.ID, head.String(), size)
	return c, answer(t, c)
}

// TestLimitsWithoutRedis: trouble is not the client's fault, so it is told of trouble, and not that it asks too much. And
// what was spent is remembered: a kill of Redis gives nobody a new budget.
func TestLimitsWithoutRedis(t *testing.T) {
	t.Parallel()
	p := limited(t)
	const one, other = "203.0.113.1", "203.0.113.2"
	asks := map[string]func(*cage, string) testenv.Answer{"create": (*cage).createFrom, "miss": (*cage).missFrom}
	start := time.Now()
	for name, ask := range asks {
		if n := spend(p.at(0), one, ask); n < 60 {
			t.Fatalf("%s: %d at once", name, n)
		}
	}
	p.redis.Kill9()
	for name, ask := range asks {
		for i, address := range []string{one, other, one, other} {
			if a := ask(p.at(1), address); a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
				t.Errorf("%s %d: %d, Retry-After %q", name, i, a.Status, a.Header.Get("Retry-After"))
			}
		}
	}
	p.redis.Restart()
	for name, ask := range asks {
		if n, most := spend(p.at(1), one, ask), int(time.Since(start)/time.Second)+1; n > most {
			t.Errorf("%s: %d after the kill, want at most %d", name, n, most)
		}
	}
	if a := p.at(1).createFrom(other); a.Status != http.StatusCreated {
		t.Errorf("another source: %d", a.Status)
	}
}

// spend asks until it is refused, and says how often it was not.
func spend(c *cage, address string, ask func(*cage, string) testenv.Answer) (n int) {
	for n < 1000 && ask(c, address).Status != http.StatusTooManyRequests {
		n++
	}
	return n
}
