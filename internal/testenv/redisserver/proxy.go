package redisserver

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Proxy stands between clients and a server and loses things.
type Proxy struct {
	server   string
	listener net.Listener
	serving  sync.WaitGroup

	mu     sync.Mutex
	every  int
	random *rand.Rand
	lost   int
	healed chan struct{} // nil while all is well; closed when a cut ends
}

// Lossy starts a proxy to addr. It loses about one in every chunks of answers (the request was executed), and one in
// 2*every chunks of requests (it was not), and closes the connection then; 0 loses nothing. A chunk is what one read
// gives: a short pipeline is one, and a long value is one for each 32 KiB.
func Lossy(t testing.TB, addr string, every int) *Proxy {
	t.Helper()
	seed := rand.Uint64() //nolint:gosec // chance, not secrecy
	t.Logf("the proxy to %s loses things by the seed %#x", addr, seed)
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal("starting a proxy: ", err)
	}
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // chance, not secrecy
	p := &Proxy{server: addr, listener: listener, every: every, random: random}
	ctx, cancel := context.WithCancel(context.Background())
	p.serving.Go(func() { p.accept(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		p.serving.Wait()
	})
	return p
}

// Addr gives host:port of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL gives redis://host:port/0 of the proxy.
func (p *Proxy) URL() string { return "redis://" + p.Addr() + "/0" }

// Cut cuts the network or heals it. While it is cut, connections stay open and are even accepted, but nothing gets
// through; when it heals, what was on its way arrives, also from a client that has given up, as with TCP.
func (p *Proxy) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case cut && p.healed == nil:
		p.healed = make(chan struct{})
	case !cut && p.healed != nil:
		close(p.healed)
		p.healed = nil
	}
}

// Lose makes it lose one chunk in every from now on, as Lossy says: what has to start first can do so in peace.
func (p *Proxy) Lose(every int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every = every
}

// Lost tells how many chunks were lost so far.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) accept(ctx context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(ctx, client) })
	}
}

func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	if !p.whole(ctx) {
		return
	}
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.server)
	if err != nil {
		return
	}
	hangUp := func() {
		_ = client.Close()
		_ = server.Close()
	}
	stop := context.AfterFunc(ctx, hangUp)
	defer stop()
	var pumps sync.WaitGroup
	pumps.Go(func() {
		defer hangUp()
		p.pump(ctx, server, client, 2)
	})
	pumps.Go(func() {
		defer hangUp()
		p.pump(ctx, client, server, 1)
	})
	pumps.Wait()
}

// pump forwards until one side ends or a chunk is lost: the rarer, the larger times is. A cut holds the end of a connection
// back as well.
func (p *Proxy) pump(ctx context.Context, to, from net.Conn, times int) {
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		if !p.whole(ctx) {
			return
		}
		if n > 0 {
			if p.lose(times) {
				return
			}
			if _, err := to.Write(chunk[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// whole waits while the network is cut, and tells if it healed before the test ended.
func (p *Proxy) whole(ctx context.Context) bool {
	for {
		p.mu.Lock()
		healed := p.healed
		p.mu.Unlock()
		if healed == nil {
			return true
		}
		select {
		case <-healed:
		case <-ctx.Done():
			return false
		}
	}
}

func (p *Proxy) lose(times int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.every == 0 || p.random.IntN(times*p.every) != 0 {
		return false
	}
	p.lost++
	return true
}
