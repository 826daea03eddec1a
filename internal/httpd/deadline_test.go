package httpd_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
)

// The pace of these tests: a step takes 62 ms, so a silent peer is cut off after 162 ms.
const (
	grace = 100 * time.Millisecond
	bps   = 64 << 10
	step  = 4 << 10
	// buffer of the kernel at each end. Well above the segments of loopback (64 KiB), otherwise an honest
	// reader too stalls for 200 ms at a time in TCP's window probes.
	buffer = 256 << 10
	// late is when a silent peer must be gone, on a busy machine too.
	late = 3 * time.Second
)

// serve runs h at that pace, over real connections with bounded buffers in the kernel: what
// those swallow at once tells nothing about the peer.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(httpd.Pace(grace, bps, step, h))
	s.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && state == http.StateNew {
			tcp.SetWriteBuffer(buffer)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func dial(t *testing.T, s *httptest.Server) *net.TCPConn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	tcp := c.(*net.TCPConn)
	tcp.SetReadBuffer(buffer)
	tcp.SetDeadline(time.Now().Add(10 * time.Second))
	return tcp
}

func post(length int) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", length)
}

// drip sends size bytes every interval until n are sent or the other side has gone.
func drip(t *testing.T, c net.Conn, n, size int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for n > 0 {
		size = min(size, n)
		if _, err := c.Write(make([]byte, size)); err != nil {
			return
		}
		n -= size
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return
		}
	}
}

type read struct {
	n    int
	err  error
	took time.Duration
}

func await(t *testing.T, out <-chan read) read {
	t.Helper()
	select {
	case got := <-out:
		return got
	case <-time.After(2 * late):
		t.Fatal("the peer holds the connection")
		return read{}
	}
}

// reading is a handler that reports how the body came.
func reading(out chan<- read) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		start := time.Now()
		b, err := io.ReadAll(r.Body)
		out <- read{len(b), err, time.Since(start)}
	}
}

func TestBodyMustKeepThePace(t *testing.T) {
	const size = 300 << 10 // 4.7 s at the lowest pace
	for _, c := range []struct {
		name     string
		at       int // bytes sent at once
		each     int // and then each 10 ms
		complete bool
	}{
		{"silent", 0, 0, false},
		{"a byte now and then", 0, 1, false},
		{"fast, then silent", 250 << 10, 0, false},
		{"fast, then a byte now and then", 250 << 10, 1, false},
		{"at six times the pace", 0, 4 << 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := make(chan read, 1)
			conn := dial(t, serve(t, reading(out)))
			io.WriteString(conn, post(size))
			conn.Write(make([]byte, c.at))
			if c.each > 0 {
				go drip(t, conn, size-c.at, c.each, 10*time.Millisecond)
			}
			got := await(t, out)
			switch {
			case c.complete && (got.err != nil || got.n != size):
				t.Errorf("read %d bytes, %v; want all %d", got.n, got.err, size)
			case c.complete && got.took < 3*grace:
				t.Errorf("took only %v: this did not test a long body", got.took)
			case !c.complete && !errors.Is(got.err, httpd.ErrSlow):
				t.Errorf("read %d bytes, %v; want ErrSlow", got.n, got.err)
			case !c.complete && (got.took < grace || got.took > late):
				t.Errorf("cut off after %v, want %v to %v", got.took, grace, late)
			}
		})
	}
}

// TestBodyThatNobodyReads: net/http reads the rest of a short body itself after the handler.
func TestBodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, http.NotFound))
	io.WriteString(conn, post(100_000))
	start := time.Now()
	io.Copy(io.Discard, conn)
	if took := time.Since(start); took > late {
		t.Errorf("the connection was held for %v", took)
	}
}

// TestHandlerMayThink: no deadline of the body may end the request, or a later one on the same
// connection, once the body is there.
func TestHandlerMayThink(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if _, err := io.ReadAll(r.Body); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was cancelled while the handler thought")
		case <-time.After(2 * grace):
		}
		w.WriteHeader(http.StatusNoContent)
	})
	conn := dial(t, s)
	answers := bufio.NewReader(conn)
	for _, request := range []string{
		post(5) + "hello",
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		post(0),
	} {
		io.WriteString(conn, request)
		answer, err := http.ReadResponse(answers, nil)
		if err != nil || answer.StatusCode != http.StatusNoContent {
			t.Fatalf("answer to %q: %v", request, err)
		}
	}
}

func TestAnswerMustBeTaken(t *testing.T) {
	const size = 8 << 20
	for _, c := range []struct {
		name     string
		take     int // bytes each 10 ms
		complete bool
	}{
		{"takes nothing", 0, false},
		{"takes a byte now and then", 1, false},
		{"takes much more than the pace", 128 << 10, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := make(chan read, 1)
			conn := dial(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				start := time.Now()
				n, err := w.Write(make([]byte, size))
				out <- read{n, err, time.Since(start)}
			}))
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			taken := make(chan int, 1)
			go func() { taken <- take(t, conn, c.take) }()
			got := await(t, out)
			switch {
			case c.complete && (got.err != nil || got.n != size):
				t.Errorf("wrote %d bytes, %v; want all %d", got.n, got.err, size)
			case c.complete && got.took < 3*grace:
				t.Errorf("took only %v: this did not test a long answer", got.took)
			case !c.complete && (got.err == nil || got.took > late):
				t.Errorf("wrote %d bytes, %v, in %v; want it cut off within %v", got.n, got.err, got.took, late)
			case !c.complete && strings.Contains(got.err.Error(), "127.0.0.1"):
				t.Errorf("the error names an address: %v", got.err)
			}
			if c.complete {
				if n := <-taken; n < size {
					t.Errorf("the peer got %d bytes of %d", n, size)
				}
			}
		})
	}
}

// take reads size bytes every 10 ms until the other side closes.
func take(t *testing.T, c net.Conn, size int) (n int) {
	if size == 0 {
		return 0
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for b := make([]byte, size); ; {
		m, err := io.ReadFull(c, b)
		if n += m; err != nil {
			return n
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return n
		}
	}
}

func TestPaceOverHTTP2(t *testing.T) {
	t.Parallel()
	out := make(chan read, 1)
	s := httptest.NewUnstartedServer(httpd.Pace(grace, bps, step, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("this is %s", r.Proto)
		}
		reading(out)(w, r)
	})))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	body, feed := io.Pipe()
	t.Cleanup(func() { feed.Close() })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if answer, err := s.Client().Do(request); err == nil {
			answer.Body.Close()
		}
	}()
	feed.Write([]byte("a few bytes, and then nothing"))
	got := await(t, out)
	if !errors.Is(got.err, httpd.ErrSlow) || got.took > late {
		t.Errorf("read %d bytes in %v, %v; want ErrSlow", got.n, got.took, got.err)
	}
}

// TestErrorsOfAConnectionNameNoAddress: the access log prints errors, and promises no addresses.
func TestErrorsOfAConnectionNameNoAddress(t *testing.T) {
	t.Parallel()
	out := make(chan read, 1)
	conn := dial(t, serve(t, reading(out)))
	io.WriteString(conn, post(1000)+"part")
	conn.SetLinger(0)
	conn.Close()
	if got := await(t, out); got.err == nil || strings.Contains(got.err.Error(), "127.0.0.1") {
		t.Errorf("a reset connection reads as %v", got.err)
	}
}

// counting counts the deadlines set on it.
type counting struct {
	http.ResponseWriter
	reads, writes int
	last          time.Time
}

func (c *counting) SetReadDeadline(t time.Time) error { c.reads++; c.last = t; return nil }
func (c *counting) SetWriteDeadline(time.Time) error  { c.writes++; return nil }

func TestDeadlinesAreSetOnceAStep(t *testing.T) {
	const size, step = 1 << 20, 32 << 10
	w := &counting{ResponseWriter: httptest.NewRecorder()}
	r := httptest.NewRequest(http.MethodPost, "/", struct{ io.Reader }{bytes.NewReader(make([]byte, size))})
	httpd.Pace(time.Second, 8<<10, step, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for b := make([]byte, 100); ; {
			n, err := r.Body.Read(b)
			if err != nil {
				break
			}
			w.Write(b[:n])
		}
	})).ServeHTTP(w, r)
	if most := size/step + 2; w.reads > most || w.writes > most || w.reads < 10 || w.writes < 10 {
		t.Errorf("%d and %d deadlines for 1 MiB, want at most %d", w.reads, w.writes, most)
	}
	if !w.last.IsZero() {
		t.Error("the deadline of the body stands after its end")
	}
}
