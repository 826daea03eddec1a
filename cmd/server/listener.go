package main

import (
	"net"
	"net/netip"
	"sync"

	"github.com/hushpost/hushpost/internal/httpd"
)

// cappedListener closes connections above a number in all and a number for each source at once,
// before they cost a goroutine, a buffer or a TLS handshake. The limits of httpd count requests; a peer that
// sends none is only seen here.
type cappedListener struct {
	net.Listener
	total, perSource int
	trusted          []netip.Prefix

	mu   sync.Mutex
	open int
	by   map[httpd.Source]int // holds no zeros, so it is no larger than open
}

// capConnections caps what ln accepts. Trusted proxies bring everybody's connections and are exempt from the
// cap for each source, not from the one in all, which bounds memory and file descriptors.
func capConnections(ln net.Listener, total, perSource int, trusted []netip.Prefix) net.Listener {
	return &cappedListener{Listener: ln, total: total, perSource: perSource, trusted: trusted, by: map[httpd.Source]int{}}
}

// Accept implements [net.Listener].
func (l *cappedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if leave, ok := l.enter(c.RemoteAddr()); ok {
			return &cappedConn{Conn: c, leave: leave}, nil
		}
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset: a flood must not leave us its sockets in TIME_WAIT
		}
		_ = c.Close()
	}
}

// enter counts a connection, unless there are too many; leave takes it back.
func (l *cappedListener) enter(peer net.Addr) (leave func(), ok bool) {
	source, capped := l.source(peer)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.total || capped && l.by[source] >= l.perSource {
		return nil, false
	}
	l.open++
	if capped {
		l.by[source]++
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.open--
		if !capped {
			return
		}
		if l.by[source]--; l.by[source] == 0 {
			delete(l.by, source)
		}
	}, true
}

// source says who connects, and whether the cap for each source applies. A peer without an
// IP address came through a Unix socket, so it is a proxy on this machine.
func (l *cappedListener) source(peer net.Addr) (source httpd.Source, capped bool) {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return httpd.Source{}, false
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	for _, p := range l.trusted {
		if p.Contains(a) {
			return httpd.SourceOf(a), false
		}
	}
	return httpd.SourceOf(a), true
}

type cappedConn struct {
	net.Conn
	leave func()
	once  sync.Once
}

// Close implements [net.Conn]. net/http closes a connection more than once.
func (c *cappedConn) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}
