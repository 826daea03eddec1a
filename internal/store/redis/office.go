package redis

import (
	"context"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"
)

// office carries the commands of many callers over in one round trip, as the SQLite store commits many changes with one
// sync: writing to a socket costs more than what is written. A caller who finds nobody on the way goes at once, so
// one alone never waits. Who comes while enough are on the way waits, and the first of them takes all who wait along.
type office struct {
	mu      sync.Mutex
	flying  int
	waiting []*traveller
}

const (
	maxFlying = 2  // one is answered while the other is written
	maxGroup  = 64 // batches in a round trip
)

// traveller waits for a seat. Word comes once: true to take the others along, false when everything is done.
type traveller struct {
	batch *batch
	word  chan bool
}

// exec runs a batch; its commands hold their answers and errors afterwards. replicas is how many must have what is written.
func (n *node) exec(ctx context.Context, b *batch, replicas int) {
	if b.alone || b.asking {
		n.fly(ctx, []*batch{b}, replicas)
		return
	}
	o := &n.office
	o.mu.Lock()
	if o.flying >= maxFlying {
		me := &traveller{b, make(chan bool, 1)}
		o.waiting = append(o.waiting, me)
		o.mu.Unlock()
		if !<-me.word {
			return
		}
		o.mu.Lock()
	} else {
		o.flying++
	}
	along := o.waiting[:min(len(o.waiting), maxGroup-1)]
	o.waiting = o.waiting[len(along):]
	o.mu.Unlock()
	group := make([]*batch, 1, len(along)+1)
	group[0] = b
	for _, t := range along {
		group = append(group, t.batch)
	}
	n.fly(ctx, group, replicas)
	o.mu.Lock()
	if len(o.waiting) > 0 {
		o.waiting[0].word <- true
		o.waiting = o.waiting[1:]
	} else {
		o.flying--
		o.waiting = nil
	}
	o.mu.Unlock()
	for _, t := range along {
		t.word <- false
	}
}

// fly is the round trip. It does not end with the context of the caller who happens to lead; timeouts bound it. WAIT waits
// for what its connection wrote, so it goes along.
func (n *node) fly(ctx context.Context, group []*batch, replicas int) {
	ctx = context.WithoutCancel(ctx)
	p := n.client.Pipeline()
	writes := false
	for _, b := range group {
		for _, cmd := range b.cmds {
			_ = p.Process(ctx, cmd) // only collects
		}
		writes = writes || b.writes
	}
	if writes && replicas > 0 {
		copies := redis.NewIntCmd(ctx, "WAIT", replicas, waitLimit.Milliseconds())
		_ = p.Process(ctx, copies)
		for _, b := range group {
			if b.writes {
				b.copies = copies
			}
		}
	}
	cmds, err := p.Exec(ctx) // each command has its error
	failed := func(cmd redis.Cmder) bool { return cmd.Err() != nil }
	if err != nil && !slices.ContainsFunc(cmds, failed) { // but not if Redis refused the connection: then none was sent
		for _, cmd := range cmds {
			cmd.SetErr(err)
		}
	}
}
