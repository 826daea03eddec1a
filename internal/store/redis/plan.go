package redis

import (
	"context"
	"errors"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// planned is a change as the script gets it.
type planned struct {
	before *seen
	after  vault.Secret
	now    vault.Time
	head   string // of after; "" drops the record
	fate   string // of the payload
	in     *incoming
	event  *event

	inside bool // the payload comes with the script's answer
	beside bool // it is asked for beside the script, and must be there
}

// plan says what has to be written so that before becomes after.
func (s *Store) plan(before *seen, after vault.Secret, now vault.Time, take bool, in *incoming) *planned {
	was := &before.secret
	c := &planned{before: before, after: after, now: now, in: in}
	if after.State != vault.Forgotten {
		c.head = headOf(&after)
	}
	isInside := before.inside != ""
	switch {
	case !after.Held():
		c.fate = "is erased"
	case in != nil:
		c.fate = "is uploaded"
	case isInside && after.State != vault.Waiting:
		c.fate = "moves out"
	case !isInside && after.Size > 0 && payloadEnd(&after) != payloadEnd(was):
		c.fate = "ends"
	default:
		c.fate = "stays"
	}
	c.inside = take && isInside
	c.beside = take && !isInside && after.Size > 0
	if e, ok := vault.Happened(was, &after); ok {
		c.event = newEvent(&e)
	}
	return c
}

// send runs the script, and gives the payload if it was asked for beside it. The two need no transaction: if the record
// is still the one that the rule saw, so was the payload that was asked for a moment before.
func (s *Store) send(ctx context.Context, c *planned) (reply, string, error) {
	a := c.after.Alias
	keys := []string{recordKey(a), payloadKey(a)}
	if c.event != nil || c.in != nil {
		keys = append(keys, eventsKey(a))
	}
	if c.in != nil {
		keys = append(keys, c.in.key)
	}
	hints, err := s.leave(ctx, a, hintsOf(c))
	if err == nil {
		err = s.announce(ctx, &c.before.secret, &c.after)
	}
	if err != nil {
		return reply{}, "", err
	}
	var n *node
	payload := new(redis.StringCmd)
	cmd, err := s.call(ctx, keys[0], true, func(b *batch) *redis.Cmd {
		n = b.node
		hints(b)
		if c.beside {
			payload = redis.NewStringCmd(ctx, "GET", keys[1])
			b.do(ctx, payload)
			b.alone = c.after.Size > smallMax
		}
		return b.run(ctx, change, keys, int64(c.now), int64(c.before.secret.Due()), c.before.head, c.head, int64(c.after.ForgottenAt()),
			c.fate, int64(payloadEnd(&c.after)), flag(c.beside), flag(s.wait > 0), c.event.text(), int64(c.now.Add(vault.TombstoneTime)))
	})
	if err != nil {
		return reply{}, "", err
	}
	r, err := answer(cmd)
	if err != nil {
		return reply{}, "", err
	}
	n.saw(c.now, r.now)
	if c.beside && r.word(0) == "changed" {
		if err := payload.Err(); errors.Is(err, redis.Nil) {
			return reply{}, "", errDamaged
		} else if err != nil {
			return reply{}, "", err
		}
		return r, payload.Val(), nil
	}
	return r, "", nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// settle remembers what is there now.
func (s *Store) settle(c *planned) {
	a := c.after.Alias
	if c.head == "" {
		s.recent.drop(a)
		return
	}
	v := seen{secret: c.after, head: c.head}
	if c.fate == "stays" {
		v.inside = c.before.inside
	}
	s.recent.put(a, v)
}

// tell hands on what a change means to others. If it fails, a later listing or sweep makes up for it.
func (s *Store) tell(ctx context.Context, c *planned) {
	before, after := &c.before.secret, &c.after
	err := errors.Join(s.enlist(ctx, before, after), s.delist(ctx, before, after))
	if c.event != nil {
		err = errors.Join(err, s.deliver(ctx, c.after.Alias, c.after.Creator))
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("telling of a change later", slog.Any("err", err))
	}
}
