package bench_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// client speaks just enough HTTP/1.1 to load a server: net/http's client costs more than the servers measured here.
type client struct {
	conn    net.Conn
	r       *bufio.Reader
	out     []byte
	payload []byte
	ttl     time.Duration // of what it makes
}

var (
	token  = bytes.Repeat([]byte("t"), 32)
	digest = sha256.Sum256(token)
	hashed = base64.RawURLEncoding.EncodeToString(digest[:])
	bearer = base64.RawURLEncoding.EncodeToString(token)
	reader = base64.RawURLEncoding.EncodeToString(token[:16])
)

func dial(b testing.TB, addr string, size int) *client {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	payload := make([]byte, size)
	rand.Read(payload)
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 64<<10), payload: payload, ttl: time.Hour}
}

func newID() string {
	var id [16]byte
	rand.Read(id[:])
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func (c *client) create(id string) error {
	c.out = fmt.Appendf(c.out[:0], "PUT /api/secrets/%s HTTP/1.1\r\nHost: bench\r\nHushpost-Link-Hash: %s\r\nHushpost-Manage-Hash: %s\r\n"+
		"Hushpost-Expires-In: %d\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", id, hashed, hashed, int(c.ttl.Seconds()), len(c.payload))
	if len(c.payload) <= 64<<10 {
		c.out = append(c.out, c.payload...)
		return c.do(c.out, nil, 201, -1)
	}
	return c.do(c.out, c.payload, 201, -1)
}

func (c *client) open(id string) error { return c.post(id, "open", 200, len(c.payload)) }
func (c *client) ack(id string) error  { return c.post(id, "ack", 204, 0) }

func (c *client) post(id, verb string, status, size int) error {
	body := `{"reader":"` + reader + `"}`
	c.out = fmt.Appendf(c.out[:0], "POST /api/secrets/%s/%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", id, verb, bearer, len(body), body)
	return c.do(c.out, nil, status, size)
}

// do sends a request and reads its answer; size is the length the body must have, or -1.
func (c *client) do(head, body []byte, status, size int) error {
	if _, err := c.conn.Write(head); err != nil {
		return err
	}
	if len(body) > 0 {
		if _, err := c.conn.Write(body); err != nil {
			return err
		}
	}
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || string(line[9:12]) != strconv.Itoa(status) {
		return fmt.Errorf("want %d, got %q", status, line)
	}
	length := 0
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
				return err
			}
		}
	}
	if size >= 0 && length != size {
		return fmt.Errorf("want a body of %d bytes, got %d", size, length)
	}
	_, err = c.r.Discard(length)
	return err
}

// result is what one turn of load gave.
type result struct {
	secrets float64 // created, opened and acked, a second
	p99     time.Duration
}

// load runs clients against addr for about d. Each creates a secret, opens and acks it, and begins anew.
func load(b testing.TB, addr string, clients, size int, d time.Duration) result {
	b.Helper()
	conns := make([]*client, clients)
	for i := range conns {
		conns[i] = dial(b, addr, size)
	}
	end := time.Now().Add(d)
	start := time.Now()
	times := make([][]time.Duration, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			for time.Now().Before(end) && errs[i] == nil {
				id := newID()
				for _, step := range []func(string) error{c.create, c.open, c.ack} {
					t := time.Now()
					if errs[i] = step(id); errs[i] != nil {
						return
					}
					times[i] = append(times[i], time.Since(t))
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	for i := range conns {
		conns[i].conn.Close()
	}
	if err := errors.Join(errs...); err != nil && !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	all := slices.Concat(times...)
	slices.Sort(all)
	return result{secrets: float64(len(all)) / 3 / took.Seconds(), p99: all[len(all)*99/100]}
}
