package main_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// connect gives a connection on which the test says what it likes.
func connect(t *testing.T, s *testenv.Server) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// begin sends the head of a create and half of its payload.
func begin(t *testing.T, c net.Conn, secret *testenv.Secret) (rest []byte) {
	t.Helper()
	var head strings.Builder
	if err := testenv.CreateHeader(secret).Write(&head); err != nil {
		t.Fatal(err)
	}
	half := len(secret.Payload) / 2
	if _, err := fmt.Fprintf(c, "PUT /api/secrets/%s HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n%sContent-Length: %d\r\n\r\n", secret.ID, head.String(), len(secret.Payload)); err != nil {
		t.Fatal(err)
	}
	// 100 Continue says that the handler is reading: the upload is under way.
	if status := answer(t, c).StatusCode; status != http.StatusContinue {
		t.Fatalf("%d instead of 100 Continue", status)
	}
	if _, err := c.Write(secret.Payload[:half]); err != nil {
		t.Fatal(err)
	}
	return secret.Payload[half:]
}

func answer(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestDrain: SIGTERM lets an upload that is under way finish, takes nothing new, and keeps what it acknowledged.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := testenv.StartServer(t)
	secret := testenv.NewSecret(200 << 10)
	c := connect(t, s)
	rest := begin(t, c, secret)
	s.Terminate()
	s.AwaitLog("msg=draining")
	for deadline := time.Now().Add(5 * time.Second); ; { // it logs before it closes its listener
		if _, err := s.Client().Create(t.Context(), testenv.NewSecret(1)); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a server that drains takes new requests")
		}
	}
	if _, err := c.Write(rest); err != nil {
		t.Fatal(err)
	}
	if resp := answer(t, c); resp.StatusCode != http.StatusCreated {
		t.Errorf("the upload: %s", resp.Status)
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.Restart()
	a, err := s.Client().Open(t.Context(), secret)
	if err != nil || a.Status != http.StatusOK || string(a.Body) != string(secret.Payload) {
		t.Errorf("after the restart: %d, %v", a.Status, err)
	}
}

// TestDrainDoesNotWaitForPollers, who would keep it for a minute otherwise, nor forget what was only counted.
func TestDrainDoesNotWaitForPollers(t *testing.T) {
	t.Parallel()
	key := "hp_" + testenv.B64u(testenv.Random(32))
	s := testenv.StartServer(t, fmt.Sprintf("--api-keys=bot:%x", sha256.Sum256([]byte(key))))
	secret := testenv.NewSecret(10)
	if a, err := s.Client().Create(t.Context(), secret); err != nil || a.Status != http.StatusCreated {
		t.Fatal(a.Status, err)
	}
	stranger := *secret
	stranger.Link = testenv.Random(32)
	for range 3 {
		if a, err := s.Client().Open(t.Context(), &stranger); err != nil || a.Status != http.StatusNotFound {
			t.Error(a.Status, err)
		}
	}
	c := connect(t, s)
	fmt.Fprintf(c, "GET /api/events?wait=60 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %s\r\n\r\n", key)
	// The server has accepted the poll before this connection, so it has most likely begun; if not, it is answered all
	// the same.
	if a, err := s.Client().Do(t.Context(), "GET", "/api/health?verbose", nil, nil); err != nil || a.Status != http.StatusOK {
		t.Error(a.Status, err)
	}
	start := time.Now()
	s.Terminate()
	resp := answer(t, c)
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != `{"events":[]}` {
		t.Errorf("the poll: %s %s %v", resp.Status, body, err)
	}
	if code, took := s.Wait(), time.Since(start); code != 0 || took > 8*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	s.Restart()
	a, err := s.Client().Status(t.Context(), secret)
	if got := testenv.JSON[wire.Status](t, a); err != nil || got.Refused != 3 {
		t.Errorf("%d refused opens are counted after the restart, want 3 (%v)", got.Refused, err)
	}
}

// TestDrainEnds: an upload that never ends does not keep the server longer than it says, and is not stored.
func TestDrainEnds(t *testing.T) {
	t.Parallel()
	s := testenv.StartServer(t)
	secret := testenv.NewSecret(200 << 10)
	begin(t, connect(t, s), secret)
	start := time.Now()
	if code, took := s.Stop(), time.Since(start); code != 0 || took > 18*time.Second {
		t.Errorf("exit code %d after %v", code, took)
	}
	s.Restart()
	if a, err := s.Client().Meta(t.Context(), secret); err != nil || a.Status != http.StatusNotFound {
		t.Errorf("what was not finished: %d %v", a.Status, err)
	}
	checkFiles(t, s.Client(), s.Dir, nil)
}

// TestOneServerAFolder: a second one would hand out what the first has erased.
func TestOneServerAFolder(t *testing.T) {
	t.Parallel()
	s := testenv.StartServer(t)
	second := exec.CommandContext(t.Context(), testenv.Binary(t), "--listen=127.0.0.1:0", "--data="+s.Dir)
	out, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "in use by another server") {
		t.Errorf("exit code %d, %v: %s", second.ProcessState.ExitCode(), err, out)
	}
	if a, err := s.Client().Do(t.Context(), "GET", "/api/health?verbose", nil, nil); err != nil || a.Status != http.StatusOK {
		t.Errorf("the first: %d %v", a.Status, err)
	}
}

// TestPortInUse: what cannot listen says so, and leaves the folder.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	s := testenv.StartServer(t)
	second := exec.CommandContext(t.Context(), testenv.Binary(t), "--listen="+strings.TrimPrefix(s.URL, "http://"), "--data="+t.TempDir())
	out, err := second.CombinedOutput()
	if second.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "listening") {
		t.Errorf("exit code %d, %v: %s", second.ProcessState.ExitCode(), err, out)
	}
}

// TestStrangeRequests are answered by net/http itself, or nearly: our headers go with what can be ours, and the log
// has nothing of the rest.
func TestStrangeRequests(t *testing.T) {
	t.Parallel()
	s := testenv.StartServer(t, "--log-format=json", "--log-level=debug")
	for head, want := range map[string]int{
		"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n":                                                                     400,
		"GET / HTTP/1.1\r\n\r\n":                                                                                    400,
		"GET / HTTP/3.7\r\nHost: h\r\n\r\n":                                                                         505,
		"\x16\x03\x01 strange secret \r\n\r\n":                                                                      400,
		"GET /s/strange secret HTTP/1.1\r\nHost: h\r\n\r\n":                                                         400,
		"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("strange secret", 4<<10) + "\r\n\r\n":                   431,
		"POST /api/secrets HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx":                  400,
		"POST /api/secrets HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: strange\r\n\r\n":                               501,
		"POST /api/secrets HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n": 415, // chunked wins
	} {
		c := connect(t, s)
		io.WriteString(c, head)
		resp := answer(t, c)
		if resp.StatusCode != want {
			t.Errorf("%.40q: %d, want %d", head, resp.StatusCode, want)
		}
		if strings.HasPrefix(head, "OPTIONS *") && resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("OPTIONS *: %v", resp.Header)
		}
		c.Close()
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if log := s.Log(); strings.Contains(log, "strange") {
		t.Errorf("the log has what a stranger said: %s", log)
	}
}
