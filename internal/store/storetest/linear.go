package storetest

import (
	"bytes"
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
		h, err := race(t.Context(), store, round)
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
	_, err := race(ctx, store, round)
	return err
}

func race(ctx context.Context, store vault.Store, round uint64) (*history, error) {
	const clients, calls = 6, 14
	h := &history{vault: vault.New(store, vault.Options{Key: key})}
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

// Secrets of a round. The second and the last but one have payloads that stores keep elsewhere, the third a passphrase,
// the last a claim token.
const (
	oneTimeSecrets = 3
	keptSecrets    = 2
	guardedSecret  = oneTimeSecrets + keptSecrets - 1
)

// request is one call.
type request struct {
	secret  int
	verb    string
	user    int  // of open and ack: the reader
	wrong   bool // passphrase of open, token of claim
	variant int  // of the payload of create
}

func (r request) kept() bool { return r.secret >= oneTimeSecrets }

// roll makes each client a sender or one of three readers, now and then.
func roll(dice *rand.Rand, client int) request {
	r := request{secret: dice.IntN(oneTimeSecrets + keptSecrets), user: client % 3}
	verbs := []string{"create", "create", "open", "open", "open", "open", "open", "ack", "ack", "decline", "revoke", "meta", "status"}
	if r.kept() {
		verbs = []string{"read", "read", "read", "read", "claim", "claim", "claim", "undo", "undo", "delete"}
	}
	r.verb = verbs[dice.IntN(len(verbs))]
	switch r.verb {
	case "create":
		r.variant = dice.IntN(5) / 4 // mostly the same request again
	case "open":
		r.wrong = r.secret == 2 && dice.IntN(3) > 0
	case "claim":
		r.wrong = r.secret == guardedSecret && dice.IntN(3) == 0
	case "undo":
		r.user = author
	case "delete":
		if dice.IntN(4) == 0 {
			r.user = author
		}
	}
	return r
}

// history is what was asked and answered, timed by a counter: wall clocks tie, and stand still under synctest.
type history struct {
	vault *vault.Vault
	ids   [oneTimeSecrets]vault.ID
	views [keptSecrets]vault.View
	crowd string
	now   atomic.Int64
	lost  atomic.Int64 // answers

	mu         sync.Mutex
	operations []porcupine.Operation
}

// begin names the one-time secrets, which the clients create, and makes the kept ones, whose names are the vault's.
func (h *history) begin(ctx context.Context) error {
	h.crowd = string(noise(8))
	for i := range h.ids {
		h.ids[i] = vault.ID(noise(16))
	}
	for i := range h.views {
		for tries := 1; ; tries++ {
			view, err := h.keep(ctx, oneTimeSecrets+i)
			if h.views[i] = view; err == nil {
				break
			}
			// The same request may be made until it is answered: it is for this that it has an idempotency key.
			if o := outcome(err, ""); !strings.HasPrefix(o, trouble) || tries == 100 {
				return fmt.Errorf("keeping a secret, for the %dth time: %w", tries, err)
			}
		}
	}
	return nil
}

// lost is the outcome of a call whose answer says nothing.
const lost = "lost"

func (h *history) do(ctx context.Context, client int, r request) {
	op := porcupine.Operation{ClientId: client, Input: r, Call: h.now.Add(1)}
	o := h.call(ctx, r)
	op.Output, op.Return = o, h.now.Add(1)
	if strings.HasPrefix(o, trouble) {
		h.lost.Add(1)
		op.Output, op.Return = lost, math.MaxInt64 // it may happen yet
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, op)
}

func (h *history) call(ctx context.Context, r request) string {
	if r.kept() {
		return h.callKept(ctx, r)
	}
	d := vault.Draft{ID: h.ids[r.secret], Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour}
	passphrase := vault.Hash{}
	if r.secret == 2 {
		d.Passphrase = vault.HashOf([]byte("right"))
		passphrase = vault.HashOf([]byte(map[bool]string{true: "wrong", false: "right"}[r.wrong]))
	}
	ref, _ := h.vault.Ref(d.ID.String()) // an id is always a name
	reader := vault.HashOf(fmt.Append(nil, r.user))
	switch r.verb {
	case "create":
		payload := bytes.Repeat(fmt.Append(nil, r.variant), []int{100, 70_000, 100}[r.secret])
		_, created, err := h.vault.Create(ctx, d, bytes.NewReader(payload))
		return outcome(err, map[bool]string{true: "created", false: "same"}[created])
	case "open":
		s, payload, err := h.vault.Open(ctx, ref, d.Link, reader, passphrase)
		return variantOf(s, payload, err)
	case "ack":
		return outcome(h.vault.Ack(ctx, ref, d.Link, reader), "ok")
	case "decline":
		return outcome(h.vault.Decline(ctx, ref, d.Link), "ok")
	case "revoke":
		return outcome(h.vault.Revoke(ctx, ref, d.Manage), "ok")
	case "meta":
		s, err := h.vault.Meta(ctx, ref, d.Link)
		return outcome(err, s.State.String())
	default:
		s, err := h.vault.Status(ctx, ref, d.Manage)
		return outcome(err, s.State.String())
	}
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
