package redis

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
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
	maxFlying = 4  // fewer leave Redis waiting, more carry fewer along
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
		_ = n.fly(ctx, []*batch{b}, replicas) // its commands have their errors
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
	silence := n.fly(ctx, group, replicas)
	o.mu.Lock()
	if silence != nil { // whoever waits behind it is told now, and not when their own turn has timed out
		for _, t := range o.waiting {
			t.batch.fail(silence)
			t.word <- false
		}
		o.waiting = nil
	}
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

func (b *batch) fail(err error) {
	for _, cmd := range b.cmds {
		cmd.SetErr(err)
	}
}

// fly is the round trip. It does not end with the context of the caller who happens to lead; timeouts bound it, and it gives
// an error if that was how it ended. WAIT waits for what its connection wrote, so it goes along.
func (n *node) fly(ctx context.Context, group []*batch, replicas int) (silence error) {
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
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			cmd.SetErr(discreet(err))
		}
	}
	failed := func(cmd redis.Cmder) bool { return cmd.Err() != nil }
	if err != nil && !slices.ContainsFunc(cmds, failed) { // but not if Redis refused the connection: then none was sent
		for _, cmd := range cmds {
			cmd.SetErr(err)
		}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return nil
}

// unknown is what Redis says of a command that an operator has renamed.
type unknown string

func (u unknown) Error() string { return string(u) }
func (unknown) RedisError()     {}

// discreet cuts off what Redis repeats of a command that it does not know: a name, a note, or a payload.
func discreet(err error) error {
	if text, _, found := strings.Cut(err.Error(), ", with args beginning with"); found {
		return unknown(text)
	}
	return err
}
