package redis

import (
	"context"
	"crypto/tls"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// ChangeHash is what the script that changes records is called by.
func ChangeHash() string { return change.Hash() }

// Blind is the script that changes records without a look at what it changes: the second half of a change in two steps.
func Blind() *redis.Script {
	source, err := sources.ReadFile("lua/change.lua")
	if err != nil {
		panic(err)
	}
	const compare = "string.sub(value, 1, #old) == old"
	if !strings.Contains(string(source), compare) {
		panic("change.lua compares in another way")
	}
	return redis.NewScript(strings.Replace(string(source), compare, "#value >= #old", 1))
}

// Client gives the client of a store on one server, for hooks.
func Client(s *Store) *redis.Client { return s.client.(*redis.Client) }

// Node is a server whose time is estimated.
type Node struct{ n node }

// Saw takes a reading.
func (n *Node) Saw(estimated, read vault.Time) { n.n.saw(estimated, read) }

// Now gives the estimate.
func (n *Node) Now() vault.Time { return n.n.now() }

// Shift makes a store's estimates of the time wrong.
func Shift(s *Store, by time.Duration) {
	s.nodes.Range(func(_, value any) bool {
		n := value.(*node)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.then = n.then.Add(by)
		return true
	})
}

// Forget makes a store forget what it has seen.
func Forget(s *Store, a vault.Alias) { s.recent.drop(a) }

// Parsed is what a URL says.
type Parsed struct {
	Hosts                                          []string
	Master                                         string
	Cluster                                        bool
	DB, Wait                                       int
	User, Password, SentinelUser, SentinelPassword string
}

// Parse reads a URL.
func Parse(s string) (Parsed, *tls.Config, error) {
	a, err := parse(s)
	if err != nil {
		return Parsed{}, nil, err
	}
	return Parsed{a.hosts, a.master, a.cluster, a.db, a.wait, a.user, a.password, a.sentinelUser, a.sentinelPassword}, a.tls, nil
}

// OldVersion says why a server that says this of itself is too old.
func OldVersion(product, version string) string {
	in := info{"redis_version": version}
	if product != "redis" {
		in["redis_version"] = "7.2.4" // what others say for the sake of clients
		in[product+"_version"] = version
	}
	return oldVersion(in)
}

// Call runs one command as the store runs all that write.
func Call(ctx context.Context, s *Store, key string, args ...any) error {
	_, err := s.call(ctx, key, true, func(b *batch) *redis.Cmd { return b.command(ctx, args...) })
	return err
}
