package redis_test

import (
	"testing"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// TestKills: with appendfsync always, what was acknowledged survives any number of kill -9, and nothing that was erased
// comes back. The store is opened once.
func TestKills(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	people := unleash(t, &both{stores: [2]*redis.Store{open(t, s.URL()), open(t, s.URL())}}, 12)
	for range 10 {
		people.awaitLives(30)
		s.Kill9()
		people.awaitTroubles(30)
		s.Restart()
	}
	people.awaitLives(30)
	people.end()
}

// TestKillsOfClusterNode: of a cluster, what lies on the other nodes can be used meanwhile, or is in trouble as well, as
// the cluster is set.
func TestKillsOfClusterNode(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	people := unleash(t, open(t, c.URL()), 12)
	for _, node := range c.Nodes()[:2] {
		people.awaitLives(30)
		node.Kill9()
		people.awaitTroubles(100)
		node.Restart()
		c.Await()
	}
	people.awaitLives(30)
	people.end()
}
