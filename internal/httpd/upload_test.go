package httpd_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// peer is a client that says what it likes, byte by byte.
type peer struct {
	*net.TCPConn

	t *testing.T
	r *bufio.Reader
}

func (w *world) peer() *peer {
	w.t.Helper()
	c, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &peer{c.(*net.TCPConn), w.t, bufio.NewReader(c)}
}

// put sends the head of a create with these lines more.
func (p *peer) put(s *testenv.Secret, lines ...string) {
	p.t.Helper()
	var head strings.Builder
	fmt.Fprintf(&head, "PUT /api/secrets/%s HTTP/1.1\r\nHost: h\r\n", s.ID)
	if err := testenv.CreateHeader(s).Write(&head); err != nil {
		p.t.Fatal(err)
	}
	for _, l := range lines {
		head.WriteString(l + "\r\n")
	}
	p.say(head.String() + "\r\n")
}

func (p *peer) say(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads the next status, also an interim one, and the body.
func (p *peer) answer() (int, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestTooLargeIsRefusedUnread: the answer comes before a byte of the body is asked for (PROTOCOL 4.1).
func TestTooLargeIsRefusedUnread(t *testing.T) {
	w := newWorld(t, func(o *httpd.Options) { o.MaxPayload = maxPayload })
	for line, size := range map[string]int{
		"Expect: 100-continue": maxPayload + 1,
		"X-No: expectation":    maxPayload + 256<<10, // less than this, net/http reads before it answers
	} {
		p := w.peer()
		p.put(testenv.NewSecret(1), line, fmt.Sprintf("Content-Length: %d", size))
		if status, body := p.answer(); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", line, status, body)
		}
	}
	s := testenv.NewSecret(maxPayload)
	p := w.peer()
	p.put(s, "Expect: 100-continue", fmt.Sprintf("Content-Length: %d", maxPayload))
	if status, _ := p.answer(); status != http.StatusContinue {
		t.Fatalf("the largest allowed: %d", status)
	}
	p.say(string(s.Payload))
	if status, body := p.answer(); status != http.StatusCreated {
		t.Errorf("the largest allowed: %d %s", status, body)
	}
	w.opens(s)
}

func TestUploadsWithoutLength(t *testing.T) {
	w := newWorld(t, func(o *httpd.Options) { o.MaxPayload = maxPayload })
	for size, want := range map[int]int{0: 400, 1: 201, large - 1: 201, large: 201, maxPayload: 201, maxPayload + 1: 413} {
		s := testenv.NewSecret(size)
		body := io.MultiReader(bytes.NewReader(s.Payload)) // whose length net/http does not know
		a, err := w.Do(t.Context(), "PUT", "/api/secrets/"+s.ID, testenv.CreateHeader(s), body)
		if err != nil || a.Status != want {
			t.Errorf("%d bytes: %d %s %v", size, a.Status, a.Body, err)
		}
		if want == 201 {
			w.opens(s)
			w.must(http.StatusNoContent, w.Ack, s)
		}
	}
	if n := len(w.files()); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestCutUploadStoresNothing ends the connection in the midst of a body, and then uses the id for another payload.
func TestCutUploadStoresNothing(t *testing.T) {
	w := newWorld(t)
	for _, size := range []int{200, large + 1000} {
		for name, cut := range map[string]func(p *peer, s *testenv.Secret){
			"declared": func(p *peer, s *testenv.Secret) {
				p.put(s, fmt.Sprintf("Content-Length: %d", size))
				p.say(string(s.Payload[:size-1]))
			},
			"chunked": func(p *peer, s *testenv.Secret) {
				p.put(s, "Transfer-Encoding: chunked")
				p.say(fmt.Sprintf("%x\r\n%s\r\n", size, s.Payload))
			},
			"within a chunk": func(p *peer, s *testenv.Secret) {
				p.put(s, "Transfer-Encoding: chunked")
				p.say(fmt.Sprintf("%x\r\n%s", size, s.Payload[:size-1]))
			},
			"a broken chunk": func(p *peer, s *testenv.Secret) {
				p.put(s, "Transfer-Encoding: chunked")
				p.say(fmt.Sprintf("%x\r\n%s\r\nxyz\r\n", size, s.Payload))
			},
		} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				w := w.in(t)
				s := testenv.NewSecret(size)
				p := w.peer()
				cut(p, s)
				p.CloseWrite()
				status, body := p.answer()
				if status != http.StatusBadRequest || !strings.Contains(body, "nothing was stored") {
					t.Errorf("%d %s", status, body)
				}
				w.must(http.StatusNotFound, w.Meta, s)
				if n := len(w.files()); n != 0 {
					t.Errorf("%d files are left", n)
				}
				s.Payload = testenv.Random(10)
				w.must(http.StatusCreated, w.Create, s)
			})
		}
	}
}

// TestRepeatedCreate: the same is answered the same, anything else is a conflict (PROTOCOL 4.1).
func TestRepeatedCreate(t *testing.T) {
	for _, size := range []int{256, large} {
		w := newWorld(t, withKey)
		s := testenv.NewSecret(size)
		s.Passphrase = testenv.Random(32)
		first := w.must(http.StatusCreated, w.Create, s)
		w.clock.Pass(time.Hour)
		longer := and(testenv.CreateHeader(s), http.Header{wire.HeaderExpiresIn: {"60"}}) // no difference that counts
		for _, h := range []http.Header{testenv.CreateHeader(s), longer} {
			if a := w.do("PUT", "/api/secrets/"+s.ID, h, string(s.Payload)); a.Status != http.StatusOK || !bytes.Equal(a.Body, first.Body) {
				t.Errorf("again: %d %s, first %s", a.Status, a.Body, first.Body)
			}
		}
		for name, change := range map[string]func(s *testenv.Secret){
			"link":       func(s *testenv.Secret) { s.Link = testenv.Random(32) },
			"manage":     func(s *testenv.Secret) { s.Manage = testenv.Random(32) },
			"no manage":  func(s *testenv.Secret) { s.Manage = nil },
			"passphrase": func(s *testenv.Secret) { s.Passphrase = testenv.Random(32) },
			"no passphr": func(s *testenv.Secret) { s.Passphrase = nil },
			"payload":    func(s *testenv.Secret) { s.Payload = append(s.Payload[:size-1:size-1], s.Payload[size-1]^1) },
			"shorter":    func(s *testenv.Secret) { s.Payload = s.Payload[:size-1] },
			"longer":     func(s *testenv.Secret) { s.Payload = append(s.Payload[:size:size], 0) },
		} {
			other := *s
			change(&other)
			if a := w.must(http.StatusConflict, w.Create, &other); testenv.JSON[wire.Error](t, a).Code != "conflict" {
				t.Errorf("%s: %s", name, a.Body)
			}
		}
		if a := w.do("PUT", "/api/secrets/"+s.ID, and(testenv.CreateHeader(s), keyHeader), string(s.Payload)); a.Status != http.StatusConflict {
			t.Errorf("by another creator: %d", a.Status)
		}
		if n := len(w.files()); n != size/large {
			t.Errorf("%d files", n)
		}
		w.opens(s)
		w.must(http.StatusOK, w.Create, s) // still held
		w.must(http.StatusNoContent, w.Ack, s)
		w.must(http.StatusConflict, w.Create, s)
	}
}

func TestConcurrentCreates(t *testing.T) {
	for _, size := range []int{256, large} {
		w := newWorld(t)
		s := testenv.NewSecret(size)
		var made, same, conflicts atomic.Int32
		var all sync.WaitGroup
		for i := range 24 {
			mine := *s
			if i%2 == 1 {
				mine.Payload = testenv.Random(size)
			}
			all.Go(func() {
				switch a, err := w.Create(t.Context(), &mine); {
				case err != nil:
					t.Error(err)
				case a.Status == http.StatusCreated:
					made.Add(1)
				case a.Status == http.StatusOK:
					same.Add(1)
				case a.Status == http.StatusConflict:
					conflicts.Add(1)
				default:
					t.Errorf("%d %s", a.Status, a.Body)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || conflicts.Load() < 12 || same.Load() != 0 && same.Load() != 11 {
			t.Errorf("%d made, %d same, %d conflicts", made.Load(), same.Load(), conflicts.Load())
		}
		if n := len(w.files()); n != size/large {
			t.Errorf("%d files", n)
		}
	}
}

func TestLifetimes(t *testing.T) {
	w := newWorld(t)
	for seconds, want := range map[string]string{
		"": "2026-11-24T12:00:34Z", "60": "2026-11-23T12:01:34Z", "31536000": "2027-11-23T12:00:34Z",
	} {
		s := testenv.NewSecret(1)
		h := testenv.CreateHeader(s)
		if seconds != "" {
			h.Set(wire.HeaderExpiresIn, seconds)
		}
		a := w.do("PUT", "/api/secrets/"+s.ID, h, "x")
		if m := members(t, a, "id", "alias", "expires_at"); m["expires_at"] != want {
			t.Errorf("%q: %v, want %s", seconds, m, want)
		}
	}
}
