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

// author is the user who makes the kept secrets of a round; 0 to 2 read and claim.
const author = 3

// messageOf is what a user puts into a kept secret; what it needs to be opened goes with it.
func messageOf(user, secret int) (iv, salt string, payload []byte) {
	size := 100 + user
	if secret != guardedSecret && user%2 == 1 || secret == guardedSecret && user == 0 {
		size += 70_000
	}
	digit := fmt.Append(nil, user)
	return string(digit), string(digit), bytes.Repeat(digit, size)
}

func (h *history) user(user int) vault.User { return h.vault.User(uid(h.crowd, fmt.Sprint(user))) }

func (h *history) keep(ctx context.Context, secret int) (vault.View, error) {
	m := vault.Message{Author: h.user(author), TTL: time.Hour, Key: fmt.Sprint(secret)}
	var payload []byte
	m.IV, m.Salt, payload = messageOf(author, secret)
	if secret == guardedSecret {
		m.Claim = claimToken
	}
	return h.vault.Keep(ctx, m, bytes.NewReader(payload))
}

func (h *history) callKept(ctx context.Context, r request) string {
	view, user := h.views[r.secret-oneTimeSecrets], h.user(r.user)
	switch r.verb {
	case "read":
		s, payload, err := h.vault.Read(ctx, view, user)
		o := variantOf(s, payload, err)
		if by, ok := strings.CutPrefix(o, "payload "); ok && by != s.IV || s.IV != s.Salt {
			return "a payload beside what another needs"
		}
		return o
	case "claim":
		claim := vault.Claim{Revision: -1, Token: claimToken}
		if r.wrong {
			claim.Token = vault.Hash{}
		}
		var payload []byte
		claim.IV, claim.Salt, payload = messageOf(r.user, r.secret)
		return outcome(h.vault.Claim(ctx, view, user, claim, bytes.NewReader(payload)), "ok")
	case "undo":
		return outcome(h.vault.UndoClaim(ctx, view, user), "ok")
	default:
		return outcome(h.vault.Delete(ctx, view, user), "ok")
	}
}

// variantOf reads a payload to its end and tells which it is.
func variantOf(s vault.Secret, payload io.ReadCloser, err error) string {
	if err != nil {
		return outcome(err, "")
	}
	b, err := io.ReadAll(payload)
	switch err = errors.Join(err, payload.Close()); {
	case err != nil: // the call has happened, but nobody knows what it gave
		return trouble + ": " + err.Error()
	case len(b) == 0 || int64(len(b)) != s.Size || len(bytes.Trim(b, string(b[:1]))) > 0:
		return fmt.Sprintf("a damaged payload of %d bytes", len(b))
	}
	return "payload " + string(b[:1])
}

// keptFate is a kept secret as PROTOCOL 5 sees it; see fate. It was made before the round.
type keptFate struct {
	state string // "": unclaimed
	owner int
}

func (f *keptFate) answer(r request) string {
	switch {
	case f.state == "deleted":
		return "unknown"
	case r.verb == "read":
		return f.read(r)
	case r.verb == "claim":
		return f.claim(r)
	case r.verb == "undo" && f.state == "claimed" && r.user == author && r.secret != guardedSecret:
		f.state = ""
		return "ok"
	case r.verb == "delete" && (f.state == "claimed" && f.owner == r.user || f.state == "" && r.user == author):
		f.state = "deleted"
		return "ok"
	}
	return "unknown"
}

func (f *keptFate) read(r request) string {
	switch {
	case f.state == "":
		return fmt.Sprint("payload ", author)
	case f.owner == r.user:
		return fmt.Sprint("payload ", f.owner)
	}
	return "not owner"
}

func (f *keptFate) claim(r request) string {
	if f.state == "claimed" || r.wrong {
		return "owned"
	}
	f.state, f.owner = "claimed", r.user
	return "ok"
}
