package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// What Redis ends by itself needs nobody. What else time has to do is found without a walk through all keys: each
// secret that needs it leaves its alias, 6 bytes, in a bucket of the second when it is due. A sorted set would take a
// hundred.
//
// An alias in a bucket is a hint: the record says whether it is due. So hints are left before the change they are about,
// may be there twice, and are never taken out when a secret ends early.

const (
	hintSize     = 6               // an alias is below 62^8 < 2^48
	deliverAfter = 5 * time.Second // when somebody looks after an event that its maker did not deliver
	sweeperTime  = 30 * time.Second
	settleTime   = time.Second // a bucket is closed: nobody who is late by less finds it gone
)

func bucketOf(t vault.Time) int64 { return (int64(t) + 999) / 1000 }

func bucketKey(second int64) string { return "hp:due:" + strconv.FormatInt(second, 10) }

// hintsOf says which buckets must know of a change. Redis ends a record and a payload of its own at the right time; it
// cannot take a payload out of a value, nor tell anybody, nor take a name off a list.
func hintsOf(c *planned) []string {
	var keys []string
	after, before := &c.after, &c.before.secret
	inside := goesInside(after) && after.State == vault.Waiting
	if after.Held() && after.Due() != vault.Never && after.Due() != before.Due() && (inside || after.Creator != "" || after.Type == vault.Kept) {
		keys = append(keys, bucketKey(bucketOf(after.Due())))
	}
	if c.event != nil {
		keys = append(keys, bucketKey(bucketOf(c.now.Add(deliverAfter))))
	}
	return keys
}

// leave gives what puts hints into a batch; in a cluster, where buckets live elsewhere, it puts them there at once.
func (s *Store) leave(ctx context.Context, a vault.Alias, buckets []string) (func(*batch), error) {
	if len(buckets) == 0 {
		return func(*batch) {}, nil
	}
	hint := []byte{byte(a >> 40), byte(a >> 32), byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)} //nolint:gosec // G115: meant so
	if _, cluster := s.client.(*redis.ClusterClient); !cluster {
		return func(b *batch) {
			for _, key := range buckets {
				b.anyway(ctx, key, "APPEND", key, hint)
			}
		}, nil
	}
	for _, key := range buckets {
		if _, err := s.call(ctx, key, true, func(b *batch) *redis.Cmd {
			return b.anyway(ctx, key, "APPEND", key, hint)
		}); err != nil {
			return nil, err
		}
	}
	return func(*batch) {}, nil
}

// anyway runs a command also when memory is full: sweeping is what makes room.
func (s *Store) anyway(ctx context.Context, name, key string, args ...any) error {
	cmd, err := s.call(ctx, key, true, func(b *batch) *redis.Cmd {
		return b.anyway(ctx, key, append([]any{name, key}, args...)...)
	})
	if err != nil {
		return err
	}
	return cmd.Err()
}

// sweep is how far sweeping has come. It is kept in Redis, second by second; within a second, here.
type sweep struct {
	mu     sync.Mutex
	id     [16]byte // of this process
	second int64    // 0: not known yet
	offset int64    // bytes of its bucket that are done
}

const (
	sweptKey   = "hp:swept"
	sweeperKey = "hp:sweeper"
)

// Sweep implements vault.Store. One process at a time sweeps; to the others nothing is due.
func (s *Store) Sweep(ctx context.Context, limit int, rule vault.Rule) (int, error) {
	s.sweep.mu.Lock()
	defer s.sweep.mu.Unlock()
	done, err := s.sweepSome(ctx, limit, rule)
	if err != nil {
		s.sweep.second, s.sweep.offset = 0, 0 // begin that second again
		return done, fmt.Errorf("sweeping Redis: %w", err)
	}
	return done, nil
}

func (s *Store) sweepSome(ctx context.Context, limit int, rule vault.Rule) (done int, err error) {
	mine, now, err := s.becomeSweeper(ctx)
	if err != nil || !mine {
		return 0, err
	}
	last := int64(now.Add(-settleTime)) / 1000
	for done < limit && s.sweep.second <= last {
		hints, err := s.hints(ctx, limit-done)
		if err != nil {
			return done, err
		}
		if len(hints) == 0 {
			if err := s.nextBucket(ctx, last); err != nil {
				return done, err
			}
			continue
		}
		n, err := s.sweepThese(ctx, hints, rule)
		done += n
		if err != nil {
			return done, err
		}
		s.sweep.offset += int64(len(hints)) * hintSize
	}
	return done, nil
}

// becomeSweeper takes or keeps the office, and finds out where to begin.
func (s *Store) becomeSweeper(ctx context.Context) (mine bool, now vault.Time, err error) {
	id := string(s.sweep.id[:])
	if err = s.anyway(ctx, "SET", sweeperKey, id, "NX", "PX", sweeperTime.Milliseconds()); errors.Is(err, redis.Nil) {
		var holder string
		if holder, err = s.client.Get(ctx, sweeperKey).Result(); err == nil && holder != id {
			s.sweep.second, s.sweep.offset = 0, 0 // what this process knows is not kept up to date any more
			return false, 0, nil
		}
		if err == nil {
			err = s.client.PExpire(ctx, sweeperKey, sweeperTime).Err()
		}
	}
	if errors.Is(err, redis.Nil) { // it has become free just now: next time
		return false, 0, nil
	}
	if err != nil {
		return false, 0, err
	}
	at, now, err := s.look(ctx, sweptKey)
	switch {
	case err != nil || s.sweep.second != 0:
	case at == nil: // somebody emptied this Redis
		err = s.beginSweeping(ctx)
		s.sweep.second = int64(now) / 1000
	default:
		s.sweep.second, err = strconv.ParseInt(*at, 10, 64)
	}
	return err == nil, now, err
}

// beginSweeping marks where sweeping starts if it never did: before the first hint.
func (s *Store) beginSweeping(ctx context.Context) error {
	_, now, err := s.look(ctx, sweptKey)
	if err == nil {
		err = s.anyway(ctx, "SET", sweptKey, int64(now)/1000, "NX")
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("beginning to sweep Redis: %w", err)
	}
	return nil
}

// hints gives the next aliases of the bucket, at most limit.
func (s *Store) hints(ctx context.Context, limit int) ([]vault.Alias, error) {
	text, err := s.client.GetRange(ctx, bucketKey(s.sweep.second), s.sweep.offset, s.sweep.offset+int64(limit)*hintSize-1).Result()
	if err != nil {
		return nil, err
	}
	out := make([]vault.Alias, 0, len(text)/hintSize)
	for i := 0; i+hintSize <= len(text); i += hintSize {
		var a vault.Alias
		for _, b := range []byte(text[i : i+hintSize]) {
			a = a<<8 | vault.Alias(b)
		}
		out = append(out, a)
	}
	return out, nil
}

// nextBucket drops the bucket that is done and goes on to the next that has something in it.
func (s *Store) nextBucket(ctx context.Context, last int64) error {
	const ahead = 500 // a night without servers is gone over in 60 round trips
	for {
		sizes := make([]*redis.IntCmd, 0, ahead)
		p := s.client.Pipeline()
		p.Unlink(ctx, bucketKey(s.sweep.second))
		for i := range int64(ahead) {
			if s.sweep.second+1+i > last {
				break
			}
			sizes = append(sizes, p.StrLen(ctx, bucketKey(s.sweep.second+1+i)))
		}
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
		s.sweep.offset = 0
		found := false
		for _, size := range sizes {
			if s.sweep.second++; size.Val() > 0 {
				found = true
				break
			}
		}
		if !found && len(sizes) < ahead {
			s.sweep.second++ // not closed yet
			found = true
		}
		if err := s.anyway(ctx, "SET", sweptKey, s.sweep.second); err != nil || found {
			return err
		}
	}
}

// errNotDue says that a hint was about what has ended, or begun a new stretch of its life with a hint of its own.
var errNotDue = errors.New("not due")

// sweepThese runs rule on those that are due, and says on how many.
func (s *Store) sweepThese(ctx context.Context, hints []vault.Alias, rule vault.Rule) (n int, err error) {
	for _, a := range hints {
		v, now, err := s.read(ctx, a)
		if errors.Is(err, vault.ErrNotFound) || errors.Is(err, errDamaged) { // one value must not keep all others from their end
			continue
		}
		if err == nil && v.secret.Creator != "" {
			err = s.deliver(ctx, a, v.secret.Creator)
		}
		if err != nil {
			return n, err
		}
		if now < v.secret.Due() {
			continue
		}
		s.recent.put(a, v) // or it would be read a second time
		_, err = s.Update(ctx, a, func(now vault.Time, secret *vault.Secret) error {
			if now < secret.Due() {
				return errNotDue
			}
			return rule(now, secret)
		})
		switch {
		case errors.Is(err, errNotDue), errors.Is(err, vault.ErrNotFound):
			continue
		case err != nil:
			return n, err
		}
		n++
	}
	return n, nil
}
