package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// Get implements vault.Store.
func (s *Store) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	v, now, err := s.read(ctx, a)
	if err != nil {
		return vault.Secret{}, err
	}
	err = rule(now, &v.secret)
	return v.secret, err
}

// read asks for what is under an alias, and for the time.
func (s *Store) read(ctx context.Context, a vault.Alias) (seen, vault.Time, error) {
	value, now, err := s.look(ctx, recordKey(a))
	switch {
	case err != nil:
		return seen{}, 0, fmt.Errorf("reading from Redis: %w", err)
	case value == nil:
		s.recent.drop(a)
		return seen{}, 0, vault.ErrNotFound
	}
	v, err := parseValue(a, *value)
	return v, now, err
}

// look gives the value of a key, nil if there is none, and the time at its server.
func (s *Store) look(ctx context.Context, key string) (value *string, now vault.Time, err error) {
	var n *node
	cmd, err := s.call(ctx, key, false, func(b *batch) *redis.Cmd {
		n = b.node
		return b.run(ctx, look, []string{key})
	})
	if err != nil {
		return nil, 0, err
	}
	reply, err := answer(cmd)
	if err != nil {
		return nil, 0, err
	}
	n.saw(0, reply.now)
	if text, ok := reply.rest[0].(string); ok {
		value = &text
	}
	return value, reply.now, nil
}

// reply is what a script answers: the time, and more.
type reply struct {
	now  vault.Time
	rest []any
}

func answer(cmd *redis.Cmd) (reply, error) {
	parts, err := cmd.Slice()
	if err != nil {
		return reply{}, err
	}
	now, ok := parts[0].(int64)
	if !ok || len(parts) < 2 {
		return reply{}, errors.New("redis: a script gave a strange answer")
	}
	return reply{vault.Time(now), parts[1:]}, nil
}

func (r *reply) word(i int) string {
	if i >= len(r.rest) {
		return ""
	}
	text, _ := r.rest[i].(string)
	return text
}

// Put implements vault.Store.
func (s *Store) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	a := d.Alias()
	in, err := s.receive(ctx, a, payload, smallMax)
	if err != nil {
		return vault.Secret{}, false, err
	}
	defer s.release(ctx, in)
	for range maxTries {
		made, r, err := s.tryPut(ctx, &d, in)
		if err != nil {
			return vault.Secret{}, false, err
		}
		switch r.word(0) {
		case "kept":
			s.remember(&made, in)
			in.key = ""
			if err := s.enlist(ctx, new(vault.Secret), &made); err != nil {
				return vault.Secret{}, false, storing(err)
			}
			return made, true, nil
		case "taken":
			made.Created = r.now // not an estimate: what has ended by now is nobody's twin
			return s.again(ctx, &made, r.word(1), in)
		case "lost":
			return vault.Secret{}, false, errLost
		}
	}
	return vault.Secret{}, false, errClock
}

func (s *Store) tryPut(ctx context.Context, d *vault.Draft, in *incoming) (made vault.Secret, r reply, err error) {
	a := d.Alias()
	n, err := s.nodeOf(ctx, recordKey(a))
	if err != nil {
		return made, r, storing(err)
	}
	made = d.Secret(n.now(), in.size)
	hints, err := s.leave(ctx, a, hintsOf(&planned{before: new(seen), after: made}))
	if err == nil {
		err = s.announce(ctx, new(vault.Secret), &made)
	}
	if err != nil {
		return made, r, storing(err)
	}
	cmd, err := s.call(ctx, recordKey(a), true, func(b *batch) *redis.Cmd {
		n = b.node
		hints(b)
		return b.put(ctx, &made, in)
	})
	if err != nil {
		return made, r, storing(err)
	}
	if r, err = answer(cmd); err == nil {
		n.saw(made.Created, r.now)
	}
	return made, r, err
}

var (
	errLost  = errors.New("redis: an upload took so long that its beginning is gone")
	errClock = errors.New("redis: its clock does not stand still long enough to write, or somebody else always writes first")
)

func (b *batch) put(ctx context.Context, made *vault.Secret, in *incoming) *redis.Cmd {
	keys := []string{recordKey(made.Alias), payloadKey(made.Alias)}
	value, where := headOf(made), "inside"
	var data any = ""
	switch {
	case in.key != "":
		where, keys = "uploaded", append(keys, in.key)
	case goesInside(made):
		value += string(in.data)
	case made.Size > 0:
		where, data = "here", in.data
	}
	return b.run(ctx, put, keys, int64(made.Created), value, int64(made.ForgottenAt()), where, int64(payloadEnd(made)), data)
}

func (s *Store) remember(made *vault.Secret, in *incoming) {
	v := seen{secret: *made, head: headOf(made)}
	if goesInside(made) {
		v.inside = string(in.data)
	}
	s.recent.put(made.Alias, v)
}

func storing(err error) error { return fmt.Errorf("writing to Redis: %w", full(err)) }

// full tells a Redis that has no room from other trouble.
func full(err error) error {
	if redis.HasErrorPrefix(err, "OOM") {
		return errors.Join(vault.ErrFull, err)
	}
	return err
}

// again answers a creation whose name is taken: by itself, or by another one.
func (s *Store) again(ctx context.Context, made *vault.Secret, value string, in *incoming) (vault.Secret, bool, error) {
	v, err := parseValue(made.Alias, value)
	if err != nil {
		return vault.Secret{}, false, err
	}
	if !vault.SameCreation(&v.secret, made) || v.secret.Size != in.size {
		return vault.Secret{}, false, vault.ErrConflict
	}
	same, err := s.samePayload(ctx, &v, in)
	switch {
	case err != nil:
		return vault.Secret{}, false, err
	case !same:
		return vault.Secret{}, false, vault.ErrConflict
	case s.wait > 0: // its first answer may have been lost for want of replicas: only a new write waits for them
		_, err = s.Update(ctx, made.Alias, func(vault.Time, *vault.Secret) error { return nil })
	}
	return v.secret, false, err
}

// Update implements vault.Store.
func (s *Store) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	secret, _, err := s.change(ctx, a, rule, step{})
	return secret, err
}

// Take implements vault.Store.
func (s *Store) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	secret, payload, err := s.change(ctx, a, rule, step{take: true})
	if err != nil {
		return secret, nil, err
	}
	return secret, io.NopCloser(strings.NewReader(payload)), nil
}

// Replace implements vault.Store.
func (s *Store) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	in, err := s.receive(ctx, a, payload, -1)
	if err != nil {
		return vault.Secret{}, err
	}
	defer s.release(ctx, in)
	secret, _, err := s.change(ctx, a, rule, step{in: in})
	return secret, err
}
