package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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
		if err := CheckLinearizable(t.Context(), store, round); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// CheckLinearizable runs one round on new secrets. The round's number is the seed of what its clients do.
func CheckLinearizable(ctx context.Context, store vault.Store, round uint64) error {
	const clients, calls, secrets = 6, 9, 3
	history := &history{vault: vault.New(store, vault.Options{Key: key})}
	for range secrets {
		history.ids = append(history.ids, vault.ID(noise(16)))
	}
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			dice := rand.New(rand.NewPCG(round, uint64(client))) //nolint:gosec // choices of a test, to be repeated by their seed
			for range calls {
				history.do(ctx, client, roll(dice, client, secrets))
			}
		})
	}
	group.Wait()
	model := porcupine.Model{Partition: bySecret, Init: func() any { return fate{} }, Step: step}
	switch porcupine.CheckOperationsTimeout(model, history.operations, time.Minute) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return errors.New("the check took too long")
	default:
		return fmt.Errorf("no order of these calls explains their answers:\n%s", history)
	}
}

// request is one call. Secret 1 has a payload that stores keep elsewhere, secret 2 a passphrase.
type request struct {
	secret  int
	verb    string
	reader  int  // of open and ack
	wrong   bool // passphrase of open
	variant int  // of the payload of create
}

// roll makes each client a sender or one of three readers, now and then.
func roll(dice *rand.Rand, client, secrets int) request {
	verbs := []string{"create", "create", "open", "open", "open", "open", "open", "ack", "ack", "decline", "revoke", "meta", "status"}
	r := request{secret: dice.IntN(secrets), verb: verbs[dice.IntN(len(verbs))], reader: client % 3}
	switch r.verb {
	case "create":
		r.variant = dice.IntN(5) / 4 // mostly the same request again
	case "open":
		r.wrong = r.secret == 2 && dice.IntN(3) > 0
	}
	return r
}

// history is what was asked and answered, timed by a counter: wall clocks tie, and stand still under synctest.
type history struct {
	vault *vault.Vault
	ids   []vault.ID
	now   atomic.Int64

	mu         sync.Mutex
	operations []porcupine.Operation
}

func (h *history) do(ctx context.Context, client int, r request) {
	op := porcupine.Operation{ClientId: client, Input: r, Call: h.now.Add(1)}
	op.Output = h.call(ctx, r)
	op.Return = h.now.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, op)
}

func (h *history) call(ctx context.Context, r request) string {
	d := vault.Draft{ID: h.ids[r.secret], Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour}
	passphrase := vault.Hash{}
	if r.secret == 2 {
		d.Passphrase = vault.HashOf([]byte("right"))
		passphrase = vault.HashOf([]byte(map[bool]string{true: "wrong", false: "right"}[r.wrong]))
	}
	ref, _ := h.vault.Ref(d.ID.String()) // an id is always a name
	reader := vault.HashOf(fmt.Append(nil, r.reader))
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

// variantOf reads a payload to its end and tells which it is.
func variantOf(s vault.Secret, payload io.ReadCloser, err error) string {
	if err != nil {
		return outcome(err, "")
	}
	b, err := io.ReadAll(payload)
	if err = errors.Join(err, payload.Close()); err != nil || int64(len(b)) != s.Size || len(bytes.Trim(b, string(b[:1]))) > 0 {
		return fmt.Sprintf("a damaged payload of %d bytes: %v", len(b), err)
	}
	return "payload " + string(b[:1])
}

// String lists the calls in the order of their answers.
func (h *history) String() string {
	var b bytes.Buffer
	for _, op := range h.operations {
		fmt.Fprintf(&b, "%4d-%-4d client %d %+v => %s\n", op.Call, op.Return, op.ClientId, op.Input, op.Output)
	}
	return b.String()
}
