package testenv

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a server program that runs for one test.
type Server struct {
	URL string // where it listens; Restart changes it
	Dir string // its data folder

	t       testing.TB
	args    []string
	log     log
	cmd     *exec.Cmd     // nil while it does not run
	drained chan struct{} // closed when cmd has closed its standard error
}

// startTime is what a server may take to listen, and endTime to end: its 15 s for requests, and a busy machine.
const (
	startTime = 30 * time.Second
	endTime   = 30 * time.Second
)

// StartServer starts the real server on a free port, with an empty data folder and without limits; args come after and
// win. It ends with the test, which fails if the server crashed, exited with an error or had a data race.
func StartServer(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), args: args}
	t.Cleanup(s.cleanup)
	s.start()
	return s
}

// Client gives a client of the server as it runs now.
func (s *Server) Client() *Client { return NewClient(s.URL) }

// Log gives everything that the server has logged so far, over all restarts.
func (s *Server) Log() string { return s.log.String() }

// AwaitLog waits until the log has text in it.
func (s *Server) AwaitLog(text string) {
	s.t.Helper()
	if !s.log.await(text, startTime) {
		s.t.Fatalf("the server did not log %q in %v", text, startTime)
	}
}

// Kill9 ends the server as a power cut would, but for the disk, and waits until it is gone.
func (s *Server) Kill9() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal("killing the server: ", err)
	}
	s.wait()
}

// Restart starts the server anew on the same folder, after Kill9 or Stop; the port is another one.
func (s *Server) Restart() {
	s.t.Helper()
	s.start()
}

// Terminate asks the server to end, as an operator does. Wait tells when it has.
func (s *Server) Terminate() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal("stopping the server: ", err)
	}
}

// Wait waits for the server to end, and gives its exit code.
func (s *Server) Wait() int {
	s.t.Helper()
	late := time.AfterFunc(endTime, func() {
		s.t.Error("the server had to be killed")
		_ = s.cmd.Process.Kill()
	})
	defer late.Stop()
	return s.wait()
}

// Stop is Terminate and Wait.
func (s *Server) Stop() int {
	s.t.Helper()
	s.Terminate()
	return s.Wait()
}

func (s *Server) start() {
	s.t.Helper()
	from := len(s.log.String())
	s.cmd = exec.Command(Binary(s.t), append([]string{"--listen=127.0.0.1:0", "--limits=off", "--data=" + s.Dir}, s.args...)...) //nolint:gosec,noctx // our own program; cleanup ends it
	s.cmd.Env = environment()
	stderr, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatal("starting the server: ", err)
	}
	s.drained = make(chan struct{})
	go func() {
		defer close(s.drained)
		_, _ = io.Copy(&s.log, bufio.NewReader(stderr))
	}()
	if s.URL = s.address(from); s.URL == "" {
		_ = s.cmd.Process.Kill()
		s.wait()
		s.t.Fatal("the server does not listen")
	}
}

// address waits for the line that says where the server listens.
func (s *Server) address(from int) string {
	late := time.NewTimer(startTime)
	defer late.Stop()
	for {
		more := s.log.more()
		if m := listening.FindStringSubmatch(s.log.String()[from:]); m != nil {
			return "http://" + m[1]
		}
		select {
		case <-more:
		case <-s.drained:
			return ""
		case <-late.C:
			return ""
		}
	}
}

var listening = regexp.MustCompile(`address(?:=|":")"?([0-9.]+:[0-9]+)`) // log-format text and json

func (s *Server) wait() int {
	<-s.drained // before Wait, which closes the pipe
	_ = s.cmd.Wait()
	code := s.cmd.ProcessState.ExitCode()
	s.cmd = nil
	return code
}

func (s *Server) cleanup() {
	if s.cmd != nil {
		if code := s.Stop(); code != 0 {
			s.t.Errorf("the server exited with %d", code)
		}
	}
	all := s.Log()
	if strings.Contains(all, "DATA RACE") || strings.Contains(all, "goroutine ") {
		s.t.Error("the server had a data race or a panic")
	}
	if s.t.Failed() {
		s.t.Logf("the end of the server's log:\n%s", all[max(0, len(all)-2<<10):])
	}
}

// environment keeps the settings of whoever runs the tests out of them.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HUSHPOST_") {
			env = append(env, v)
		}
	}
	return env
}

// log keeps what a server logs.
type log struct {
	mu     sync.Mutex
	text   strings.Builder
	change chan struct{} // closed by the next Write
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change != nil {
		close(l.change)
		l.change = nil
	}
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change == nil {
		l.change = make(chan struct{})
	}
	return l.change
}

func (l *log) await(text string, patience time.Duration) bool {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		more := l.more()
		if strings.Contains(l.String(), text) {
			return true
		}
		select {
		case <-more:
		case <-late.C:
			return false
		}
	}
}
