package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/hushpost/hushpost/internal/vault"
)

// Linearizable lets several clients race over a few secrets, round after round, and checks that all they were
// told could have happened one call after the other (Herlihy and Wing, 1990).
func Linearizable(t *testing.T, open Opener) {
	t.Helper()
	store := open(t, NewClock())
	for round := range uint64(40) {
		h, err := race(t.Context(), newVaultWorld(store), round)
		if err == nil && h.lost.Load() > 0 {
			err = fmt.Errorf("the store is in trouble without a reason:\n%s", h)
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// CheckLinearizable runs one round on new secrets. The round's number is the seed of what its clients do.
//
// The store may be in trouble: a client that is told so cannot know what has become of its call. It may have happened,
// it may happen at any later time, or never; whichever explains what the others were told.
func CheckLinearizable(ctx context.Context, store vault.Store, round uint64) error {
	_, err := CheckWorld(ctx, newVaultWorld(store), round)
	return err
}

// CheckWorld is CheckLinearizable in a world whose secrets nobody has made yet. It tells how many answers were lost.
func CheckWorld(ctx context.Context, w World, round uint64) (lost int64, err error) {
	h, err := race(ctx, w, round)
	return h.lost.Load(), err
}

func race(ctx context.Context, w World, round uint64) (*history, error) {
	const clients, calls = 6, 14
	h := &history{world: w}
	if err := h.begin(ctx); err != nil {
		return h, err
	}
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			dice := rand.New(rand.NewPCG(round, uint64(client))) //nolint:gosec // choices of a test, to be repeated by their seed
			for range calls {
				h.do(ctx, client, roll(dice, client))
			}
		})
	}
	group.Wait()
	return h, h.check()
}

// roll makes each client a sender or one of three readers, now and then.
func roll(dice *rand.Rand, client int) Call {
	c := Call{Secret: dice.IntN(oneTimeSecrets + keptSecrets), User: client % 3}
	verbs := []string{"create", "create", "open", "open", "open", "open", "open", "ack", "ack", "decline", "revoke", "meta", "status"}
	if c.Kept() {
		verbs = []string{"read", "read", "read", "read", "claim", "claim", "claim", "undo", "undo", "delete"}
	}
	c.Verb = verbs[dice.IntN(len(verbs))]
	switch c.Verb {
	case "create":
		c.Variant = dice.IntN(5) / 4 // mostly the same request again
	case "open":
		c.Wrong = c.Guarded() && dice.IntN(3) > 0
	case "claim":
		c.Wrong = c.Guarded() && dice.IntN(3) == 0
	case "undo":
		c.User = author
	case "delete":
		if dice.IntN(4) == 0 {
			c.User = author
		}
	}
	return c
}

// history is what was asked and answered, timed by a counter: wall clocks tie, and stand still under synctest.
type history struct {
	world World
	now   atomic.Int64
	lost  atomic.Int64 // answers

	mu         sync.Mutex
	operations []porcupine.Operation
}

// begin makes the kept secrets, whose names are the world's to choose.
func (h *history) begin(ctx context.Context) error {
	for i := range keptSecrets {
		keep := Call{Secret: oneTimeSecrets + i, Verb: "keep", User: author}
		o := Lost
		// The same request may be made until it is answered: it is for this that it has an idempotency key.
		for tries := 0; o == Lost && tries < 100; tries++ {
			o = h.world.Do(ctx, keep)
		}
		if o != "ok" {
			return fmt.Errorf("%+v => %s", keep, o)
		}
	}
	return nil
}

func (h *history) do(ctx context.Context, client int, c Call) {
	op := porcupine.Operation{ClientId: client, Input: c, Call: h.now.Add(1)}
	o := h.world.Do(ctx, c)
	op.Output, op.Return = o, h.now.Add(1)
	if o == Lost {
		h.lost.Add(1)
		op.Return = math.MaxInt64 // it may happen yet
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, op)
}

func (h *history) check() error {
	model := porcupine.NondeterministicModel{Partition: bySecret, Init: func() []any { return []any{fate{}} }, Step: step}
	switch porcupine.CheckOperationsTimeout(model.ToModel(), h.operations, time.Minute) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return errors.New("the check took too long")
	default:
		return fmt.Errorf("no order of these calls explains their answers:\n%s", h)
	}
}

// String lists the calls in the order of their answers.
func (h *history) String() string {
	var b strings.Builder
	for _, op := range h.operations {
		fmt.Fprintf(&b, "%4d-%-4d client %d %+v => %s\n", op.Call, op.Return, op.ClientId, op.Input, op.Output)
	}
	return b.String()
}
