package redis

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// A list lives on another server of a cluster than the secrets in it. So it is a hint too: a name is put on a list before
// the change that brings it there, and taken off after the one that takes it away. Who reads a list asks the
// records, and takes off what does not belong there. That may be about to begin to: hence a name is put on it a second time
// after the change, and whoever takes one off looks at its record once more.

func listKeys(list vault.Hash) []string {
	key := "hp:{" + base64.RawURLEncoding.EncodeToString(list[:]) + "}"
	return []string{key, key + ":u"}
}

// announce puts a secret on the list that a change would bring it to. What is there already, by a creation that is only
// repeated, keeps its place.
func (s *Store) announce(ctx context.Context, before, after *vault.Secret) error {
	return s.zadd(ctx, before, after, "NX")
}

// enlist puts a secret on the list that a change has brought it to.
func (s *Store) enlist(ctx context.Context, before, after *vault.Secret) error {
	return s.zadd(ctx, before, after)
}

func (s *Store) zadd(ctx context.Context, before, after *vault.Secret, options ...any) error {
	was, _ := vault.Listed(before)
	to, until := vault.Listed(after)
	if to == was || to.IsZero() {
		return nil
	}
	keys := listKeys(to)
	_, err := s.call(ctx, keys[0], true, func(b *batch) *redis.Cmd {
		member := after.Alias.String()
		add := func(key string, score vault.Time) *redis.Cmd {
			return b.command(ctx, append(append([]any{"ZADD", key}, options...), int64(score), member)...)
		}
		if until != vault.Never {
			add(keys[1], until)
		}
		return add(keys[0], after.Created)
	})
	return err
}

// delist takes a secret off the list that a change took it from.
func (s *Store) delist(ctx context.Context, before, after *vault.Secret) error {
	was, _ := vault.Listed(before)
	if to, _ := vault.Listed(after); to == was || was.IsZero() {
		return nil
	}
	return s.strike(ctx, was, after.Alias.String())
}

func (s *Store) strike(ctx context.Context, list vault.Hash, members ...any) error {
	keys := listKeys(list)
	_, err := s.call(ctx, keys[0], true, func(b *batch) *redis.Cmd {
		b.do(ctx, redis.NewIntCmd(ctx, append([]any{"ZREM", keys[1]}, members...)...))
		return b.command(ctx, append([]any{"ZREM", keys[0]}, members...)...)
	})
	if err != nil {
		return err
	}
	back, _, err := s.records(ctx, list, members)
	for i := range back {
		err = errors.Join(err, s.enlist(ctx, new(vault.Secret), &back[i]))
	}
	return err
}

// List implements vault.Store.
func (s *Store) List(ctx context.Context, of vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	for range maxTries {
		total, names, err := s.page(ctx, of, skip, limit)
		if err != nil {
			return nil, 0, fmt.Errorf("listing from Redis: %w", err)
		}
		out, wrong, err := s.records(ctx, of, names)
		if err == nil && len(wrong) > 0 {
			err = s.strike(ctx, of, wrong...)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("listing from Redis: %w", err)
		}
		if len(wrong) == 0 {
			return out, total, nil
		}
	}
	return nil, 0, errClock
}

func (s *Store) page(ctx context.Context, of vault.Hash, skip, limit int) (total int, names []any, err error) {
	keys := listKeys(of)
	cmd, err := s.call(ctx, keys[0], false, func(b *batch) *redis.Cmd {
		return b.run(ctx, list, keys, skip, skip+limit-1)
	})
	if err != nil {
		return 0, nil, err
	}
	parts, err := cmd.Slice()
	if err != nil || len(parts) != 2 {
		return 0, nil, errors.Join(errDamaged, err)
	}
	count, _ := parts[0].(int64)
	names, _ = parts[1].([]any)
	if limit == 0 {
		names = nil // to Redis, places 0 to -1 are all there are
	}
	return int(count), names, nil
}

// records reads what is under names, and gives the names of those that are not on the list.
func (s *Store) records(ctx context.Context, of vault.Hash, names []any) (out []vault.Secret, wrong []any, err error) {
	values := make([]*redis.StringCmd, len(names))
	p := s.client.Pipeline()
	for i, name := range names {
		values[i] = p.Get(ctx, "hp:{"+name.(string)+"}")
	}
	if len(names) > 0 {
		_, _ = p.Exec(ctx) // each has its error
	}
	for i, value := range values {
		text, err := value.Result()
		if errors.Is(err, redis.Nil) {
			wrong = append(wrong, names[i])
			continue
		}
		if err != nil {
			return nil, nil, discreet(err)
		}
		a, _ := vault.ParseAlias(names[i].(string))
		v, err := parseValue(a, text)
		if err != nil {
			return nil, nil, err
		}
		if is, _ := vault.Listed(&v.secret); is != of {
			wrong = append(wrong, names[i])
			continue
		}
		out = append(out, v.secret)
	}
	return out, wrong, nil
}
