package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// Events are a stream for each creator, read by one group: what was handed out and not acknowledged is pending, and goes
// to the next who asks after a while.
//
// A stream lives on another server of a cluster than the secrets it tells of. So a change writes its event beside the
// record, in the same step; then it is copied into the stream, and taken away. A process that dies in between leaves a
// hint in a bucket, and the sweeper copies it: at least once.

const (
	group       = "hushpost"
	creatorsKey = "hp:creators"
	eventField  = "e"
)

func streamKey(creator string) string {
	h := sha256.Sum256([]byte(creator)) // a name may hold anything
	return "hp:events:" + base64.RawURLEncoding.EncodeToString(h[:15])
}

// event is how one is kept: its creator and its number are the stream's.
type event struct {
	Type    string     `json:"type"`
	At      vault.Time `json:"at"`
	Of      string     `json:"of"` // the id of its secret
	Context []byte     `json:"context,omitempty"`
}

func newEvent(e *vault.Event) *event {
	return &event{e.Type, e.At, e.Secret.String(), e.Context}
}

// text is what is written; of no event, nothing.
func (e *event) text() string {
	if e == nil {
		return ""
	}
	b, err := json.Marshal(e)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return string(b)
}

// deliver copies the events that wait beside a record into their stream.
func (s *Store) deliver(ctx context.Context, a vault.Alias, creator string) error {
	key := eventsKey(a)
	cmd, err := s.call(ctx, key, false, func(b *batch) *redis.Cmd { return b.command(ctx, "LRANGE", key, 0, -1) })
	if err != nil {
		return fmt.Errorf("delivering events: %w", err)
	}
	waiting, err := cmd.StringSlice()
	if err != nil {
		return fmt.Errorf("delivering events: %w", err)
	}
	for _, text := range waiting {
		stream := streamKey(creator)
		err = s.anyway(ctx, "SADD", creatorsKey, creator)
		if err == nil {
			err = s.anyway(ctx, "XADD", stream, "*", eventField, text)
		}
		if err == nil {
			err = s.anyway(ctx, "LREM", key, 1, text)
		}
		if err != nil {
			return fmt.Errorf("delivering events: %w", err)
		}
	}
	return nil
}

// Events implements vault.EventStore.
func (s *Store) Events(ctx context.Context, creator string, limit int, hide time.Duration) ([]vault.Event, error) {
	key := streamKey(creator)
	messages, err := s.handOut(ctx, key, limit, hide)
	if redis.HasErrorPrefix(err, "NOGROUP") {
		// MKSTREAM is left out: a name that nothing has happened to leaves nothing behind.
		_, err = s.call(ctx, key, true, func(b *batch) *redis.Cmd {
			return b.anyway(ctx, key, "XGROUP", "CREATE", key, group, "0")
		})
		switch {
		case err == nil || redis.HasErrorPrefix(err, "BUSYGROUP"):
			messages, err = s.handOut(ctx, key, limit, hide)
		case strings.Contains(err.Error(), "requires the key to exist"):
			return nil, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("handing out events: %w", err)
	}
	out := make([]vault.Event, 0, len(messages))
	for _, m := range messages {
		e, err := readEvent(m, creator)
		if err != nil {
			return nil, fmt.Errorf("handing out events: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}

// handOut gives what somebody was given longer than hide ago, and then what nobody was given yet.
func (s *Store) handOut(ctx context.Context, key string, limit int, hide time.Duration) ([]redis.XMessage, error) {
	var messages []redis.XMessage
	for at, again := "0-0", true; again && len(messages) < limit; again = at != "0-0" { // a step looks at so many, and passes over those still hidden
		some, next, err := s.client.XAutoClaim(ctx, &redis.XAutoClaimArgs{
			Stream: key, Group: group, Consumer: group, MinIdle: hide, Start: at, Count: int64(limit - len(messages)),
		}).Result()
		if err != nil {
			return nil, err
		}
		messages, at = append(messages, some...), next
	}
	if len(messages) >= limit {
		return messages, nil
	}
	more, err := s.client.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: group, Consumer: group, Streams: []string{key, ">"}, Count: int64(limit - len(messages)), Block: -1,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return messages, nil
	}
	for _, m := range more {
		messages = append(messages, m.Messages...)
	}
	return messages, err
}

func readEvent(m redis.XMessage, creator string) (vault.Event, error) {
	var e event
	text, _ := m.Values[eventField].(string)
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return vault.Event{}, errDamaged
	}
	id, ok := vault.ParseID(e.Of)
	if !ok {
		return vault.Event{}, errDamaged
	}
	return vault.Event{ID: m.ID, Type: e.Type, At: e.At, Creator: creator, Context: e.Context, Secret: id}, nil
}

// AckEvents implements vault.EventStore.
func (s *Store) AckEvents(ctx context.Context, creator string, ids []string) error {
	var known []string
	for _, id := range ids {
		if millis, number, ok := strings.Cut(id, "-"); ok && isNumber(millis) && isNumber(number) {
			known = append(known, id) // the others never were ours
		}
	}
	if len(known) == 0 {
		return nil
	}
	key := streamKey(creator)
	p := s.client.TxPipeline() // what is only acknowledged, or only deleted, would stay for its 7 days
	p.XAck(ctx, key, group, known...)
	p.XDel(ctx, key, known...)
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("dropping events: %w", err)
	}
	return nil
}

// isNumber accepts what fits the halves of a stream's ids.
func isNumber(s string) bool {
	return s != "" && len(s) < 20 && strings.Trim(s, "0123456789") == ""
}

// SweepEvents implements vault.EventStore. An event's age is that of its delivery.
func (s *Store) SweepEvents(ctx context.Context, limit int, keep time.Duration) (n int, err error) {
	creators, err := s.client.SMembers(ctx, creatorsKey).Result()
	if err != nil {
		return 0, fmt.Errorf("sweeping events: %w", err)
	}
	for _, creator := range creators {
		key := streamKey(creator)
		_, now, err := s.look(ctx, sweptKey)
		var old []redis.XMessage
		if err == nil {
			old, err = s.client.XRangeN(ctx, key, "-", fmt.Sprint(int64(now.Add(-keep))), int64(limit-n)).Result()
		}
		ids := make([]string, len(old))
		for i, m := range old {
			ids[i] = m.ID
		}
		if err == nil {
			err = s.AckEvents(ctx, creator, ids)
		}
		if err != nil {
			return n, fmt.Errorf("sweeping events: %w", err)
		}
		if n += len(ids); n >= limit {
			break
		}
	}
	return n, nil
}
