package main

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"
)

// capped starts a listener on loopback that keeps what it accepts open until told.
func capped(t *testing.T, total, perSource int, trusted ...netip.Prefix) *acceptor {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &acceptor{ln: capConnections(ln, total, perSource, trusted)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := a.ln.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "!")
			a.mu.Lock()
			a.conns = append(a.conns, c)
			a.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
		a.release()
	})
	return a
}

type acceptor struct {
	ln    net.Listener
	mu    sync.Mutex
	conns []net.Conn
}

// release closes every connection, twice, as net/http does.
func (a *acceptor) release() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.conns {
		c.Close()
		c.Close()
	}
	a.conns = nil
}

// connect dials from the given loopback address and says whether it was let in.
func (a *acceptor) connect(t *testing.T, from string) bool {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", a.ln.Addr().String())
	if errors.Is(err, syscall.ECONNRESET) {
		return false // closed before the kernel here had seen it open
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err = c.Read(make([]byte, 1))
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatal("neither let in nor closed")
	}
	return err == nil
}

func (a *acceptor) count(t *testing.T, from string, tries int) (in int) {
	t.Helper()
	for range tries {
		if a.connect(t, from) {
			in++
		}
	}
	return in
}

func TestConnectionsAreCapped(t *testing.T) {
	a := capped(t, 10, 4, netip.MustParsePrefix("127.0.0.9/32"))
	if n := a.count(t, "127.0.0.1", 8); n != 4 {
		t.Errorf("one source got %d connections, want 4", n)
	}
	if n := a.count(t, "127.0.0.2", 1); n != 1 {
		t.Error("another source was turned away")
	}
	if n := a.count(t, "127.0.0.9", 8); n != 5 {
		t.Errorf("a trusted proxy got %d, want the 5 left in all", n)
	}
	if n := a.count(t, "127.0.0.3", 1); n != 0 {
		t.Error("there is one more than the total")
	}
	a.release()
	if n := a.count(t, "127.0.0.1", 8); n != 4 {
		t.Errorf("after all were closed one source got %d, want 4 again", n)
	}
	if l := a.ln.(*cappedListener); len(l.by) != 1 {
		t.Errorf("the listener remembers %d sources, want 1", len(l.by))
	}
}

func TestConnectionsAreCappedConcurrently(t *testing.T) {
	a := capped(t, 100, 16)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", a.ln.Addr().String())
				if err != nil {
					continue // reset before the handshake was through
				}
				c.Read(make([]byte, 1))
				c.Close()
				a.release()
			}
		})
	}
	wg.Wait()
	a.ln.Close()
	l := a.ln.(*cappedListener)
	for deadline := time.Now().Add(5 * time.Second); ; {
		a.release()
		l.mu.Lock()
		open, sources := l.open, len(l.by)
		l.mu.Unlock()
		if open == 0 && sources == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections and %d sources are still counted", open, sources)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestConnectionsWithoutAddress come through a Unix socket: only the total caps them.
func TestConnectionsWithoutAddress(t *testing.T) {
	l := capConnections(nil, 3, 1, nil).(*cappedListener)
	var leaves []func()
	for range 3 {
		leave, ok := l.enter(&net.UnixAddr{Net: "unix"})
		if !ok {
			t.Fatal("a connection through a Unix socket was turned away")
		}
		leaves = append(leaves, leave)
	}
	if _, ok := l.enter(&net.UnixAddr{Net: "unix"}); ok {
		t.Error("there is one more than the total")
	}
	for _, leave := range leaves {
		leave()
	}
	if _, ok := l.enter(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}); !ok {
		t.Error("a place was not given back")
	}
}
