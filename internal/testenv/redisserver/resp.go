package redisserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// replyTime is what one command may take, MIGRATE of a few large values included.
const replyTime = 10 * time.Second

// do runs one command on a connection of its own, and gives the reply's elements, those of nested arrays in their place.
func do(addr string, args ...string) ([]string, error) {
	dialer := net.Dialer{Timeout: replyTime}
	c, err := dialer.DialContext(context.Background(), "tcp", addr) // not the test's: that one has ended when tests clean up
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(replyTime)); err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return nil, err
	}
	return readReply(bufio.NewReader(c))
}

// readReply reads one reply of the protocol's version 2.
func readReply(r *bufio.Reader) ([]string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '+', ':':
		return []string{rest}, nil
	case '-':
		return nil, errors.New(rest)
	}
	n, err := strconv.Atoi(rest)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading a length: %w", err)
	case n < 0:
		return []string{""}, nil
	case kind == '$':
		text := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(r, text)
		return []string{string(text[:n])}, err
	case kind != '*':
		return nil, fmt.Errorf("reading a reply: kind %q", kind)
	}
	var all []string
	for range n {
		element, err := readReply(r)
		if err != nil {
			return nil, err
		}
		all = append(all, element...)
	}
	return all, nil
}

// field finds a value in what INFO and CLUSTER INFO answer.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// await waits until reached gives no error.
func await(t testing.TB, what string, reached func() error) {
	t.Helper()
	if err := poll(nil, reached); err != nil {
		t.Fatalf("waiting for %s: %v", what, err)
	}
}

// poll waits until reached gives no error, and gives its last one when ended is closed or patience ends.
func poll(ended <-chan struct{}, reached func() error) error {
	late := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := reached()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("it ended: %w", err)
		case <-late:
			return fmt.Errorf("after %v: %w", patience, err)
		case <-tick.C:
		}
	}
}

// freePorts gives two ports that nobody listens on; both are open at once, so that they differ.
func freePorts(t testing.TB) (int, int) {
	t.Helper()
	var ports [2]int
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal("finding a free port: ", err)
		}
		defer func() { _ = l.Close() }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1]
}
