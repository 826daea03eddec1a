package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// World is where the secrets of one round live: a vault over a store, or servers that speak of one over HTTP.
type World interface {
	// Do makes a call, and gives its outcome in the words of the model: what it gave ("created", "same", "ok", a state,
	// [Payload]'s), why it was refused ("unknown", "conflict", "leased", "not opened", "was opened", "ended STATE",
	// "wrong, N left", "owned", "not owner"), or [Lost]. Any other word is in no order of calls.
	Do(ctx context.Context, c Call) string
}

// Lost is the outcome of a call that may have happened, or may happen yet, or not.
const Lost = "lost"

// Call is something that a client asks of one secret of a round.
type Call struct {
	Secret  int
	Verb    string // create, open, ack, decline, revoke, meta, status; of a kept secret keep, read, claim, undo, delete
	User    int    // of open and ack: the reader; of a kept secret: who
	Wrong   bool   // passphrase of open, token of claim
	Variant int    // of the payload of create
}

// Secrets of a round. The second and the last but one have payloads that stores keep elsewhere, the third a passphrase,
// the last a claim token.
const (
	oneTimeSecrets   = 3
	keptSecrets      = 2
	passphraseSecret = oneTimeSecrets - 1
	guardedSecret    = oneTimeSecrets + keptSecrets - 1
)

// author is the user who makes the kept secrets of a round; 0 to 2 read and claim.
const author = 3

// Kept says that the secret is one that is kept.
func (c Call) Kept() bool { return c.Secret >= oneTimeSecrets }

// Guarded says that the secret needs a passphrase, or a claim token.
func (c Call) Guarded() bool { return c.Secret == passphraseSecret || c.Secret == guardedSecret }

// Payload is what a create, a keep or a claim brings.
func (c Call) Payload() []byte {
	if !c.Kept() {
		return bytes.Repeat(fmt.Append(nil, c.Variant), []int{100, 70_000, 100}[c.Secret])
	}
	size := 100 + c.User
	if c.Guarded() && c.User == 0 || !c.Guarded() && c.User%2 == 1 {
		size += 70_000
	}
	return bytes.Repeat(fmt.Append(nil, c.User), size)
}

// Params are what a keep or a claim brings beside its payload, and which goes with that one only.
func (c Call) Params() (iv, salt string) {
	return fmt.Sprint(c.User, " iv"), fmt.Sprint(c.User, " salt")
}

// Payload is the outcome of a call that gave a one-time secret's payload.
func Payload(b []byte) string {
	if len(b) == 0 || len(bytes.Trim(b, string(b[:1]))) > 0 {
		return fmt.Sprintf("a damaged payload of %d bytes", len(b))
	}
	return "payload " + string(b[:1])
}

// Message is the outcome of a call that gave a kept secret's.
func Message(iv, salt string, b []byte) string {
	o := Payload(b)
	if by, ok := strings.CutPrefix(o, "payload "); ok && (iv != by+" iv" || salt != by+" salt") {
		return "a payload beside what another needs"
	}
	return o
}

// vaultWorld is a vault over a store.
type vaultWorld struct {
	vault *vault.Vault
	ids   [oneTimeSecrets]vault.ID
	views [keptSecrets]vault.View
	crowd string
}

func newVaultWorld(store vault.Store) *vaultWorld {
	w := &vaultWorld{vault: vault.New(store, vault.Options{Key: key}), crowd: string(noise(8))}
	for i := range w.ids {
		w.ids[i] = vault.ID(noise(16))
	}
	return w
}

// Do implements World.
func (w *vaultWorld) Do(ctx context.Context, c Call) string {
	do := w.once
	if c.Kept() {
		do = w.kept
	}
	o := do(ctx, c)
	if strings.HasPrefix(o, trouble) {
		return Lost
	}
	return o
}

func (w *vaultWorld) once(ctx context.Context, c Call) string {
	d := vault.Draft{ID: w.ids[c.Secret], Link: vault.HashOf([]byte("link")), Manage: vault.HashOf([]byte("manage")), TTL: time.Hour}
	passphrase := vault.Hash{}
	if c.Guarded() {
		d.Passphrase = vault.HashOf([]byte("right"))
		passphrase = vault.HashOf([]byte(map[bool]string{true: "wrong", false: "right"}[c.Wrong]))
	}
	ref, _ := w.vault.Ref(d.ID.String()) // an id is always a name
	reader := vault.HashOf(fmt.Append(nil, c.User))
	switch c.Verb {
	case "create":
		_, created, err := w.vault.Create(ctx, d, bytes.NewReader(c.Payload()))
		return outcome(err, map[bool]string{true: "created", false: "same"}[created])
	case "open":
		s, payload, err := w.vault.Open(ctx, ref, d.Link, reader, passphrase)
		return read(s, payload, err, Payload)
	case "ack":
		return outcome(w.vault.Ack(ctx, ref, d.Link, reader), "ok")
	case "decline":
		return outcome(w.vault.Decline(ctx, ref, d.Link), "ok")
	case "revoke":
		return outcome(w.vault.Revoke(ctx, ref, d.Manage), "ok")
	case "meta":
		s, err := w.vault.Meta(ctx, ref, d.Link)
		return outcome(err, s.State.String())
	default:
		s, err := w.vault.Status(ctx, ref, d.Manage)
		return outcome(err, s.State.String())
	}
}

func (w *vaultWorld) kept(ctx context.Context, c Call) string {
	view := &w.views[c.Secret-oneTimeSecrets]
	user := w.vault.User(uid(w.crowd, fmt.Sprint(c.User)))
	switch c.Verb {
	case "keep":
		return w.keep(ctx, c, user, view)
	case "read":
		s, payload, err := w.vault.Read(ctx, *view, user)
		return read(s, payload, err, func(b []byte) string { return Message(s.IV, s.Salt, b) })
	case "claim":
		claim := vault.Claim{Revision: -1, Token: claimToken}
		if c.Wrong {
			claim.Token = vault.Hash{}
		}
		claim.IV, claim.Salt = c.Params()
		return outcome(w.vault.Claim(ctx, *view, user, claim, bytes.NewReader(c.Payload())), "ok")
	case "undo":
		return outcome(w.vault.UndoClaim(ctx, *view, user), "ok")
	default:
		return outcome(w.vault.Delete(ctx, *view, user), "ok")
	}
}

func (w *vaultWorld) keep(ctx context.Context, c Call, user vault.User, view *vault.View) string {
	m := vault.Message{Author: user, TTL: time.Hour, Key: fmt.Sprint(c.Secret)}
	m.IV, m.Salt = c.Params()
	if c.Guarded() {
		m.Claim = claimToken
	}
	v, err := w.vault.Keep(ctx, m, bytes.NewReader(c.Payload()))
	if err == nil {
		*view = v
	}
	return outcome(err, "ok")
}

// read reads a payload to its end, and has it told which it is.
func read(s vault.Secret, payload io.ReadCloser, err error, told func([]byte) string) string {
	if err != nil {
		return outcome(err, "")
	}
	b, err := io.ReadAll(payload)
	switch err = errors.Join(err, payload.Close()); {
	case err != nil: // the call has happened, but nobody knows what it gave
		return Lost
	case int64(len(b)) != s.Size:
		return fmt.Sprintf("%d bytes of a payload of %d", len(b), s.Size)
	}
	return told(b)
}
