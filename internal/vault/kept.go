package vault

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Durations and sizes of PROTOCOL 5.
const (
	// AnswerTime is how long a create is remembered by its idempotency key.
	AnswerTime = 24 * time.Hour
	// EscrowTime is how long the author of a message can undo a claim that proved nothing.
	EscrowTime = 24 * time.Hour
	// MaxLabel is the length of a label, in characters.
	MaxLabel = 100
	// MaxIV and MaxSalt are what inigma takes, 64 and 128 characters of base64, in bytes.
	MaxIV   = 48
	MaxSalt = 96
)

// View is the name of a kept secret in URLs: 25 characters of [A-Za-z0-9_-] (PROTOCOL 5). They are its id and 22 bits
// of a mark that only the server can make: what somebody made up is known as such before the store is asked, and
// a record needs no second name.
type View struct {
	id   ID
	text string
}

const viewLength = 25

func (n namer) view(id ID) View {
	mark := n.prf("view:", id[:])
	return View{id, base64.RawURLEncoding.EncodeToString(append(id[:], mark[:3]...))[:viewLength]}
}

// String gives the 25 characters.
func (v View) String() string { return v.text }

// LogValue keeps views out of logs: until a message is claimed, its view is all that reading it takes.
func (View) LogValue() slog.Value { return slog.StringValue("vault.View(...)") }

// View reads the name of a kept secret; false if it is none of this server's.
func (v *Vault) View(s string) (View, bool) {
	if len(s) != viewLength {
		return View{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s[:viewLength-1])
	if err != nil || len(b) != 18 { // of line breaks, which the decoder passes over, fewer bytes come out
		return View{}, false
	}
	view := v.names.view(ID(b))
	return view, subtle.ConstantTimeCompare([]byte(view.text), []byte(s)) == 1
}

// ViewOf gives the name of a kept secret.
func (v *Vault) ViewOf(s *Secret) View { return v.names.view(s.ID) }

// User is somebody whom a UID names (PROTOCOL 5). The store learns an HMAC of it: to many, the UID is their only
// credential, and a stolen database must not be a list of them.
type User struct {
	hash  Hash
	proof bool
}

// minProof is the length from which a UID is too long to be guessed: 43 characters of base64url are 256 bits. Seed B's
// have 12 hexadecimal characters.
const minProof = 43

// User gives the user of a UID.
func (v *Vault) User(uid string) User {
	return User{v.names.mac([]byte("uid:"), []byte(uid)), len(uid) >= minProof}
}

// Guessable reports whether the UID is short enough for somebody to hit it by trying.
func (u User) Guessable() bool { return !u.proof }

// Owns reports whether u claimed s.
func (u User) Owns(s *Secret) bool { return s.State == Claimed && s.Owner.matches(u.hash) }

// Message asks for a secret to be kept.
type Message struct {
	Author User
	TTL    time.Duration // 0: it does not expire
	Label  string
	Claim  Hash // of the token that a claim must bring, or zero

	IV, Salt string // raw bytes, at most MaxIV and MaxSalt

	Key  string // of idempotency, or ""
	Body Hash   // of everything that the request asks for, if there is a Key
}

// Keep keeps a secret that its reader may claim, and gives its name. With an idempotency key, the same request gets the
// same answer for a day, whatever has become of the secret since (PROTOCOL 5).
func (v *Vault) Keep(ctx context.Context, m Message, payload io.Reader) (View, error) {
	if m.TTL < 0 || m.TTL > v.maxTTL || m.TTL == 0 && v.maxTTL < MaxTTL {
		return View{}, &Error{Kind: KindLifetime}
	}
	answered, err := v.answered(ctx, &m)
	if err != nil {
		return View{}, err
	}
	id := v.idFor(answered)
	d := Draft{
		ID: id, Type: Kept, TTL: m.TTL, alias: v.names.alias(id),
		Keeping: Keeping{Author: m.Author.hash, Claim: m.Claim, IV: m.IV, Salt: m.Salt, Label: CleanLabel(m.Label)},
	}
	_, _, err = v.store.Put(ctx, d, payload)
	if m.Key != "" && errors.Is(err, ErrConflict) {
		err = v.isThere(ctx, id)
	}
	return v.names.view(id), refusal(err)
}

// answered keeps, if there is an idempotency key, a record of the request, before the secret itself: a request that comes
// again finds it, even one that a crash cut off, and arrives at the same id.
func (v *Vault) answered(ctx context.Context, m *Message) (*Secret, error) {
	if m.Key == "" {
		return nil, nil //nolint:nilnil // without a key nothing is remembered
	}
	request := v.names.mac(m.Author.hash[:], []byte(m.Key))
	d := Draft{ID: ID(request[:16]), Type: Answered, Link: m.Body, TTL: AnswerTime}
	d.alias = v.names.alias(d.ID)
	s, _, err := v.store.Put(ctx, d, bytes.NewReader(nil))
	if errors.Is(err, ErrConflict) {
		return nil, &Error{Kind: KindReused}
	}
	return &s, refusal(err)
}

// idFor chooses the id of a kept secret. With an idempotency key it follows from the record of the request; the moment of
// that is part of it, so that the key is good for another secret when its day is over.
func (v *Vault) idFor(answered *Secret) ID {
	if answered != nil {
		return v.names.answer(answered.ID, answered.Created)
	}
	return randomID()
}

// isThere tells a secret that was kept before, and has been claimed, named or deleted since, from another one of the same
// alias, which is a conflict.
func (v *Vault) isThere(ctx context.Context, id ID) error {
	s, err := v.store.Get(ctx, v.names.alias(id), look)
	if err == nil && s.ID != id {
		err = ErrConflict
	}
	return err
}

// Read gives a message to whoever may have it: anybody while it is unclaimed, then its owner. It changes nothing.
func (v *Vault) Read(ctx context.Context, view View, u User) (Secret, io.ReadCloser, error) {
	s, payload, err := v.store.Take(ctx, v.names.alias(view.id), kept(view, readable(u)))
	return s, payload, refusal(err)
}

// Claim is what a claim brings besides its message.
type Claim struct {
	IV, Salt string // raw bytes, at most MaxIV and MaxSalt
	Token    Hash   // of the claim token, zero if there is none (PROTOCOL 5.1)
	Revision int    // that the claimer has read; negative: any

	copy ID // of what is replaced
}

// Claim makes u the owner of a message and keeps payload, sealed under their own key, in its place. One claim wins.
//
// A claim of seed B's clients proves nothing: whoever knows the view may put anything in a message's place. What such a
// claim replaces is held back for a day, so that its author can have it back.
func (v *Vault) Claim(ctx context.Context, view View, u User, c Claim, payload io.Reader) error {
	a := v.names.alias(view.id)
	s, err := v.store.Get(ctx, a, kept(view, claimable(c)))
	if err != nil {
		return refusal(err)
	}
	if s.Claim.IsZero() {
		if v.strict {
			return &Error{Kind: KindOwned}
		}
		if err := v.holdBack(ctx, view, &c); err != nil {
			return refusal(err)
		}
	}
	body := &whole{Reader: payload}
	_, err = v.store.Replace(ctx, a, kept(view, claim(u.hash, c)), body)
	// A claim whose answer was lost may come through yet: then its copy is needed.
	if err = refusal(err); err != nil && c.copy != (ID{}) && (body.cut || !errors.Is(err, errTrouble)) {
		v.dropUnused(ctx, a, c.copy)
	}
	return err
}

var errTrouble = &Error{Kind: KindUnavailable}

// whole remembers that a payload broke off: then nothing has happened, and nothing will.
type whole struct {
	io.Reader
	cut bool
}

func (r *whole) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.cut = r.cut || err != nil && err != io.EOF // bare, as io.Reader demands
	return n, err
}

// holdBack keeps a copy of the message under an id of its own, which nobody is told, before it is replaced.
func (v *Vault) holdBack(ctx context.Context, view View, c *Claim) error {
	var left time.Duration
	s, payload, err := v.store.Take(ctx, v.names.alias(view.id), kept(view, func(now Time, s *Secret) error {
		left = time.Duration(s.Expires-now) * time.Millisecond
		if s.Expires == Never {
			left = EscrowTime
		}
		return claimable(*c)(now, s)
	}))
	if err != nil {
		return err
	}
	defer func() { _ = payload.Close() }()
	d := Draft{ID: randomID(), Type: Kept, TTL: min(EscrowTime, left), Keeping: Keeping{IV: s.IV, Salt: s.Salt, Label: s.Label}}
	d.alias = v.names.alias(d.ID)
	if _, _, err = v.store.Put(ctx, d, payload); err != nil {
		return err
	}
	c.copy, c.Revision = d.ID, s.Revision // what is held back is what is replaced
	return nil
}

// dropUnused erases the copy of a claim that did not come through. One that may have come through keeps it: then nobody
// else needs it for longer than its day.
func (v *Vault) dropUnused(ctx context.Context, a Alias, unused ID) {
	ctx = context.WithoutCancel(ctx) // its end may be why the claim did not come through
	s, err := v.store.Get(ctx, a, look)
	if err == nil && s.Copy == unused || err != nil && !errors.Is(err, ErrNotFound) {
		return
	}
	_ = v.drop(ctx, unused) // if it fails, time does it
}

// UndoClaim gives a message back to its author, who wants it unclaimed, if the claim proved nothing and is less than a
// day old. The author must be one whose UID is a proof.
func (v *Vault) UndoClaim(ctx context.Context, view View, u User) error {
	a := v.names.alias(view.id)
	s, err := v.store.Get(ctx, a, kept(view, undoable(u)))
	if err != nil {
		return refusal(err)
	}
	held := v.names.view(s.Copy)
	was, payload, err := v.store.Take(ctx, v.names.alias(held.id), kept(held, look))
	if err = refusal(err); errors.Is(err, &Error{Kind: KindEnded}) {
		err = errNotFound // its day is over; the message lives
	}
	if err != nil {
		return err
	}
	defer func() { _ = payload.Close() }()
	if _, err = v.store.Replace(ctx, a, kept(view, undo(u, &was)), payload); err != nil {
		return refusal(err)
	}
	return v.drop(ctx, held.id)
}

// drop erases what was held back.
func (v *Vault) drop(ctx context.Context, held ID) error {
	view := v.names.view(held)
	_, err := v.store.Update(ctx, v.names.alias(held), kept(view, func(now Time, s *Secret) error {
		s.end(Revoked, now)
		return nil
	}))
	if err = refusal(err); errors.Is(err, errNotFound) || errors.Is(err, &Error{Kind: KindEnded}) {
		return nil // its day is over
	}
	return err
}

// Relabel changes the name under which u has a message in a list.
func (v *Vault) Relabel(ctx context.Context, view View, u User, label string) error {
	_, err := v.store.Update(ctx, v.names.alias(view.id), kept(view, relabel(u.hash, CleanLabel(label))))
	return refusal(err)
}

// Delete erases a message, for its owner, or for its author while nobody has claimed it; and what its claim replaced.
func (v *Vault) Delete(ctx context.Context, view View, u User) error {
	s, err := v.store.Update(ctx, v.names.alias(view.id), kept(view, remove(u.hash)))
	if err != nil || s.Copy == (ID{}) {
		return refusal(err)
	}
	return v.drop(ctx, s.Copy)
}

// Owned lists what u has claimed, the newest first, at most limit after the first skip; and says how many there are.
func (v *Vault) Owned(ctx context.Context, u User, skip, limit int) ([]Secret, int, error) {
	list, total, err := v.store.List(ctx, ownedBy(u.hash), skip, limit)
	return list, total, refusal(err)
}

// Pending lists what u has made and nobody has claimed yet, as Owned does.
func (v *Vault) Pending(ctx context.Context, u User, skip, limit int) ([]Secret, int, error) {
	list, total, err := v.store.List(ctx, pendingOf(u.hash), skip, limit)
	return list, total, refusal(err)
}

var tags = regexp.MustCompile(`<[^>]*>`)

// CleanLabel does to a label what seed B does: it loses HTML tags, <>"/\ and spaces around it, and is cut
// at MaxLabel characters. It loses control characters besides: lists are printed on terminals, too.
func CleanLabel(s string) string {
	s = tags.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`<>"/\`, r) || unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > MaxLabel {
		s = strings.TrimSpace(string(runes[:MaxLabel]))
	}
	return s
}
