package redisserver

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// Cluster is a number of primaries without replicas that share the slots.
type Cluster struct {
	t     testing.TB
	nodes []*Server
}

const slots = 16384

// StartCluster starts n nodes with equal shares of the slots and waits until all of them find the cluster whole. That
// takes two seconds at least: a primary that starts holds back so long.
func StartCluster(t testing.TB, n int, args ...string) *Cluster {
	t.Helper()
	args = append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"}, args...)
	c := &Cluster{t: t}
	for range n {
		c.nodes = append(c.nodes, Start(t, args...))
	}
	for i, node := range c.nodes {
		node.must("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)) // equal ones would have to be sorted out first
		node.must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/n), strconv.Itoa((i+1)*slots/n-1))
		for _, other := range c.nodes[:i] {
			node.must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.port), strconv.Itoa(other.bus))
		}
	}
	c.Await()
	return c
}

// URL gives redis+cluster:// with the nodes' addresses.
func (c *Cluster) URL() string { return "redis+cluster://" + addresses(c.nodes) }

// Nodes gives the nodes in the order of the slots that they got at first.
func (c *Cluster) Nodes() []*Server { return c.nodes }

// Await waits until every node finds the cluster whole: after a Restart, too.
func (c *Cluster) Await() {
	c.t.Helper()
	await(c.t, "the cluster to be whole", func() error {
		for _, node := range c.nodes {
			info, err := node.Do("CLUSTER", "INFO")
			if err != nil {
				return err
			}
			if field(info, "cluster_state") != "ok" || field(info, "cluster_slots_ok") != strconv.Itoa(slots) ||
				field(info, "cluster_size") != strconv.Itoa(len(c.nodes)) {
				return fmt.Errorf("%s finds:\n%s", node.Addr(), info)
			}
		}
		return nil
	})
}

// MigrateSlot moves a slot with all its keys while clients may use them, as `redis-cli --cluster reshard` does.
func (c *Cluster) MigrateSlot(slot int, from, to *Server) {
	c.t.Helper()
	number, source, target := strconv.Itoa(slot), from.must("CLUSTER", "MYID"), to.must("CLUSTER", "MYID")
	// The target first: it must not send back the clients that the source sends on.
	to.must("CLUSTER", "SETSLOT", number, "IMPORTING", source)
	from.must("CLUSTER", "SETSLOT", number, "MIGRATING", target)
	for {
		keys, err := do(from.Addr(), "CLUSTER", "GETKEYSINSLOT", number, "10")
		if err != nil {
			c.t.Fatal("listing the keys of the slot: ", err)
		}
		if len(keys) == 0 {
			break // and no new ones: for a key it lacks, a migrating node sends the client on
		}
		from.must(append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(to.port), "", "0", "5000", "KEYS"}, keys...)...)
	}
	to.must("CLUSTER", "SETSLOT", number, "NODE", target) // first: if the source let go before, nobody would own the slot
	from.must("CLUSTER", "SETSLOT", number, "NODE", target)
	for _, node := range c.nodes {
		if node != from && node != to {
			node.must("CLUSTER", "SETSLOT", number, "NODE", target)
		}
	}
}

// addresses gives the addresses of servers, separated by commas.
func addresses(servers []*Server) string {
	var all []string
	for _, s := range servers {
		all = append(all, s.Addr())
	}
	return strings.Join(all, ",")
}
