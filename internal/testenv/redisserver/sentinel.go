package redisserver

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Sentinel is a primary with one replica, and three sentinels that watch them.
type Sentinel struct {
	t         testing.TB
	servers   []*Server
	sentinels []*Server
}

// masterName is what the sentinels call the pair.
const masterName = "hushpost"

// StartSentinel starts five processes and waits until they know each other; args are for the two that hold data. By
// default the primary takes writes without its replica, as Redis does.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	// Without a disk, Redis waits five seconds for more replicas before it sends the first its data, and up to another
	// before it sends what was written since.
	args = append([]string{"--min-replicas-to-write", "0", "--repl-diskless-sync", "no"}, args...)
	s := &Sentinel{t: t, servers: []*Server{Start(t, args...), Start(t, args...)}}
	port := strconv.Itoa(s.servers[0].port)
	s.servers[1].must("REPLICAOF", "127.0.0.1", port) // by command: as an argument it would undo a failover at each Restart
	for range 3 {
		sentinel := launch(t, "--sentinel")
		// They look every ten seconds and greet each other every two, and a demoted primary hears of it after four
		// greetings. A ping may not come much more often: five of them are how fresh their look at the replica must be
		// for a failover, during which they look once a second, whatever is set. And a machine that stalls for two
		// seconds would stop them for thirty (TILT).
		sentinel.must(
			"SENTINEL", "DEBUG", "info-period", "200", "publish-period", "200", "ping-period", "500",
			"tilt-trigger", "20000", "tilt-period", "1000",
		)
		sentinel.must("SENTINEL", "MONITOR", masterName, "127.0.0.1", port, "2")
		sentinel.must(
			"SENTINEL", "SET", masterName, "down-after-milliseconds", "1000", "failover-timeout", "3000", "parallel-syncs", "1",
		)
		s.sentinels = append(s.sentinels, sentinel)
	}
	s.Await()
	return s
}

// URL gives redis+sentinel:// with the sentinels' addresses, the name of the pair, and database 0.
func (s *Sentinel) URL() string {
	return "redis+sentinel://" + addresses(s.sentinels) + "/" + masterName + "/0"
}

// Primary gives the server that all sentinels call primary; it waits until they agree.
func (s *Sentinel) Primary() *Server {
	s.t.Helper()
	var primary *Server
	await(s.t, "the sentinels to agree", func() (err error) {
		primary, err = s.primary()
		return err
	})
	return primary
}

// Replica gives the server that is not Primary.
func (s *Sentinel) Replica() *Server {
	s.t.Helper()
	if s.Primary() == s.servers[0] {
		return s.servers[1]
	}
	return s.servers[0]
}

// AwaitFailover waits until all sentinels call another server than old primary, and it agrees.
func (s *Sentinel) AwaitFailover(old *Server) {
	s.t.Helper()
	await(s.t, "a failover", func() error {
		primary, err := s.primary()
		if err != nil {
			return err
		}
		if primary == old {
			return fmt.Errorf("%s is still primary", old.Addr())
		}
		if role, err := do(primary.Addr(), "ROLE"); err != nil || role[0] != "master" {
			return fmt.Errorf("%s has role %v (%v)", primary.Addr(), role, err)
		}
		return nil
	})
}

// Await waits until the primary has its replica and every sentinel knows all: after a Restart, too.
func (s *Sentinel) Await() {
	s.t.Helper()
	await(s.t, "the sentinels to know all", func() error {
		for _, sentinel := range s.sentinels {
			for _, want := range []struct{ command, text string }{
				{"CKQUORUM", "OK 3 usable"},
				{"MASTER", "flags\nmaster\n"}, // and not "master,s_down"
				{"REPLICAS", "flags\nslave\n"},
				{"REPLICAS", "master-link-status\nok\n"},
			} {
				if got, err := sentinel.Do("SENTINEL", want.command, masterName); err != nil || !strings.Contains(got, want.text) {
					return fmt.Errorf("%s says %q, %v", want.command, got, err)
				}
			}
		}
		primary, err := s.primary()
		if err != nil {
			return err
		}
		// The replica calls its link up before the primary sends it what is written.
		if info, err := primary.Do("INFO", "replication"); !strings.Contains(field(info, "slave0"), "state=online") {
			return fmt.Errorf("the primary says %q, %v", info, err)
		}
		return nil
	})
}

// primary asks all sentinels, because a failover reaches them one by one.
func (s *Sentinel) primary() (*Server, error) {
	var named []string
	for _, sentinel := range s.sentinels {
		reply, err := do(sentinel.Addr(), "SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName)
		if err != nil {
			return nil, err
		}
		named = append(named, strings.Join(reply, ":"))
	}
	named = slices.Compact(named)
	for _, server := range s.servers {
		if len(named) == 1 && named[0] == server.Addr() {
			return server, nil
		}
	}
	return nil, fmt.Errorf("they name %q", named)
}
