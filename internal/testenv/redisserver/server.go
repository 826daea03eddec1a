// Package redisserver runs real Redis servers for tests and benchmarks: one alone, a pair under Sentinel, a Cluster, and
// a network in front of them that loses things. It is no client and no part of what ships: it speaks just enough of the
// protocol to set servers up, so that the store's client library keeps its one door.
package redisserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a redis-server that runs for one test. What starts or ends it is for the test's own goroutine.
type Server struct {
	t      testing.TB
	dir    string
	port   int
	bus    int // where the nodes of a cluster talk; port+10000, Redis' own choice, may not exist
	socket string
	args   []string
	cmd    *exec.Cmd     // nil while it does not run
	exited chan struct{} // closed when cmd has ended
}

// patience is what anything here may take on a busy machine: starting, loading, a failover.
const patience = 30 * time.Second

// Start starts Redis on a free port and a socket, with a folder of its own, so that what it acknowledged survives
// Kill9; args such as "--appendonly", "no" come after and win. It ends with the test, which fails if Redis ended by itself.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, append([]string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}, args...)...)
}

// launch starts redis-server with just args; they may make it a sentinel.
func launch(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const missing = "redis-server is not installed; on Debian: apt-get install redis-server"
		if os.Getenv("CI") != "" { //nolint:forbidigo // a laptop may lack Redis; CI must notice that nobody tests it
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	s := &Server{t: t, dir: t.TempDir(), args: args}
	// A sun_path holds 104 bytes on some systems, and Redis cuts longer ones off without a word.
	if path := filepath.Join(s.dir, "redis.sock"); len(path) < 104 {
		s.socket = path
	}
	// Sentinels insist on a file to keep what they learn in, and have servers keep there whom they follow.
	if err := os.WriteFile(s.configuration(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.cleanup)
	s.start(true)
	return s
}

// Addr gives host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// URL gives redis://host:port/0.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Socket gives the path of the Unix socket.
func (s *Server) Socket() string {
	s.t.Helper()
	if s.socket == "" {
		s.t.Fatalf("no Unix socket fits into %s: choose a shorter TMPDIR", s.dir)
	}
	return s.socket
}

// Kill9 ends Redis as a power cut would, but for the disk, and waits until it is gone.
func (s *Server) Kill9() {
	s.t.Helper()
	s.signal(kill)
	s.wait()
}

// Stop ends Redis as an operator does, and waits until it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	s.Resume() // a paused process never gets to read the next signal
	s.signal(terminate)
	s.wait()
}

// Restart starts Redis anew on the same port and folder, after Kill9 or Stop, and waits until it has loaded its data.
func (s *Server) Restart() {
	s.t.Helper()
	if s.cmd != nil {
		s.t.Fatal("restarting redis-server: it still runs")
	}
	s.start(false)
}

// Pause stops Redis where it is: connections stay, and new ones are even accepted, but nothing is answered.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(pause)
}

// Resume ends a Pause.
func (s *Server) Resume() {
	s.t.Helper()
	s.signal(resume)
}

// Do runs one command on a connection of its own. An array's elements are joined by "\n", nothing is "", and Redis'
// error reply is the error, to the letter.
func (s *Server) Do(args ...string) (string, error) {
	reply, err := do(s.Addr(), args...)
	return strings.Join(reply, "\n"), err
}

// Memory gives the bytes that Redis says it uses.
func (s *Server) Memory() int64 {
	s.t.Helper()
	n, err := strconv.ParseInt(field(s.must("INFO", "memory"), "used_memory"), 10, 64)
	if err != nil {
		s.t.Fatal("reading used_memory: ", err)
	}
	return n
}

func (s *Server) must(args ...string) string {
	s.t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%s: %v", args[0], err)
	}
	return reply
}

func (s *Server) configuration() string { return filepath.Join(s.dir, "redis.conf") }
func (s *Server) logFile() string       { return filepath.Join(s.dir, "redis.log") }

// start starts Redis and waits for it. A port that was free a moment ago may be somebody else's by now: then it takes
// others if it may choose, and else waits for that somebody to leave.
func (s *Server) start(choose bool) {
	s.t.Helper()
	for late := time.Now().Add(patience); ; {
		if choose {
			s.port, s.bus = freePorts(s.t)
		}
		before := len(s.log())
		s.run()
		err := poll(s.exited, s.ready)
		if err == nil {
			return
		}
		taken := strings.Contains(s.log()[before:], "Failed listening on port")
		if !taken || time.Now().After(late) {
			s.t.Fatal("starting redis-server: ", err)
		}
		s.wait()
	}
}

func (s *Server) run() {
	s.t.Helper()
	out, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	args := []string{
		s.configuration(), "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--cluster-port", strconv.Itoa(s.bus),
		"--dir", s.dir, "--loglevel", "warning",
	}
	if s.socket != "" {
		args = append(args, "--unixsocket", s.socket)
	}
	cmd := exec.Command("redis-server", append(args, s.args...)...) //nolint:gosec,noctx // tests' arguments; cleanup ends it
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = attributes()
	if err := cmd.Start(); err != nil {
		s.t.Fatal("starting redis-server: ", err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	s.cmd, s.exited = cmd, exited
}

// ready tells if Redis answers and has loaded its data; it looks who answers, because the port may be another's.
func (s *Server) ready() error {
	if _, err := s.Do("PING"); err != nil {
		return err
	}
	if info, err := s.Do("INFO", "server"); err != nil || field(info, "process_id") != strconv.Itoa(s.cmd.Process.Pid) {
		return fmt.Errorf("somebody else answers: %v", err)
	}
	return nil
}

func (s *Server) signal(send func(*os.Process) error) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatal("redis-server does not run")
	}
	select {
	case <-s.exited: // its number may be another's by now
		s.t.Fatal("redis-server ended by itself")
	default:
	}
	if err := send(s.cmd.Process); errors.Is(err, errors.ErrUnsupported) {
		s.t.Skip("this system cannot pause a process")
	} else if err != nil {
		s.t.Fatal("signalling redis-server: ", err)
	}
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

func (s *Server) wait() {
	s.t.Helper()
	select {
	case <-s.exited:
	case <-time.After(patience):
		s.t.Error("redis-server had to be killed")
		_ = kill(s.cmd.Process)
		<-s.exited
	}
	s.cmd = nil
}

func (s *Server) cleanup() {
	if s.cmd != nil {
		select {
		case <-s.exited:
			s.t.Error("redis-server ended by itself")
		default:
			_ = kill(s.cmd.Process) // paused or not
			<-s.exited
		}
	}
	if all := s.log(); s.t.Failed() {
		s.t.Logf("the end of the log of %s %s:\n%s", s.Addr(), strings.Join(s.args, " "), all[max(0, len(all)-2<<10):])
	}
}

func (s *Server) log() string {
	text, _ := os.ReadFile(s.logFile()) // none yet is an empty one
	return string(text)
}
