package redis_test

import (
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// TestSlotsThatMove: a cluster can be resharded while it is used, by the user that the README recommends.
func TestSlotsThatMove(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	permit(t, []string{ACL, ACLScripts}, c.Nodes()...)
	people := unleash(t, open(t, as(c.URL())), 12)
	people.awaitLives(30)
	nodes := c.Nodes()
	for i := range 60 {
		from, to := nodes[i%3], nodes[(i+1)%3]
		key := do(t, from, "RANDOMKEY")
		if key == "" {
			continue
		}
		slot, err := strconv.Atoi(do(t, from, "CLUSTER", "KEYSLOT", key))
		if err != nil {
			t.Fatal(err)
		}
		c.MigrateSlot(slot, from, to)
		people.awaitLives(3)
	}
	people.awaitLives(30)
	people.end()
	if n := people.troubles.Load(); n > people.lives.Load() {
		t.Errorf("%d calls were told of trouble", n)
	}
}

// TestSlotThatStaysHalfMoved: a move takes as long as it takes. What lies on either side can be used meanwhile, or is in
// trouble, and is found again afterwards.
func TestSlotThatStaysHalfMoved(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	store := open(t, c.URL())
	d := draft(t, "", time.Hour)
	put(t, store, d, []byte("payload"))
	key := "hp:{" + d.Alias().String() + "}"
	slot, err := strconv.Atoi(do(t, c.Nodes()[0], "CLUSTER", "KEYSLOT", key))
	if err != nil {
		t.Fatal(err)
	}
	from, to := c.Nodes()[slot*3/16384], c.Nodes()[(slot*3/16384+1)%3]
	half := func(asked *redisserver.Server, state string, other *redisserver.Server) {
		t.Helper()
		do(t, asked, "CLUSTER", "SETSLOT", strconv.Itoa(slot), state, do(t, other, "CLUSTER", "MYID"))
	}
	half(to, "IMPORTING", from)
	half(from, "MIGRATING", to)
	if _, err := store.Get(t.Context(), d.Alias(), keep); err != nil {
		t.Error("before its key has moved: ", err)
	}
	_, port, err := net.SplitHostPort(to.Addr())
	if err != nil {
		t.Fatal(err)
	}
	do(t, from, "MIGRATE", "127.0.0.1", port, key, "0", "5000")
	if _, err := store.Get(t.Context(), d.Alias(), keep); err != nil {
		t.Error("after its key has moved: ", err)
	}
	half(to, "NODE", to)
	half(from, "NODE", to)
	half(c.Nodes()[3-index(c, from)-index(c, to)], "NODE", to)
	if _, payload, err := take(t, store, d.Alias(), lease(time.Minute)); err != nil || string(payload) != "payload" {
		t.Errorf("at last: %q, %v", payload, err)
	}
}

func index(c *redisserver.Cluster, s *redisserver.Server) int {
	for i, node := range c.Nodes() {
		if node == s {
			return i
		}
	}
	return -1
}
