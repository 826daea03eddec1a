package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// What the README recommends: a user who may do what the store does, with its own keys, and nothing else. With the second
// line it may load its scripts; else an administrator does, with --load-scripts.
const (
	ACL = "ACL SETUSER hushpost on >PASSWORD resetkeys ~hp:* resetchannels -@all" +
		" +ping +info +time +select +wait +asking +cluster|slots +command +script|exists +evalsha +multi +exec" +
		" +get +set +append +getrange +strlen +exists +unlink +rename +pexpire +pexpireat" +
		" +zadd +zrem +zcard +zrangebyscore +zrevrange +rpush +lrange +lrem +sadd +smembers" +
		" +xadd +xdel +xack +xrange +xgroup|create +xautoclaim +xreadgroup"
	ACLScripts = "ACL SETUSER hushpost +script|load"
)

// permit makes the user on servers, with the password that urls of as have.
func permit(t *testing.T, lines []string, servers ...*redisserver.Server) {
	t.Helper()
	for _, s := range servers {
		for _, line := range lines {
			do(t, s, strings.Fields(strings.Replace(line, "PASSWORD", "sesame", 1))...)
		}
	}
}

// as gives the address of that user.
func as(url string) string { return strings.Replace(url, "://", "://hushpost:sesame@", 1) }

func loadScripts(t *testing.T, url string) {
	t.Helper()
	if err := redis.LoadScripts(t.Context(), url); err != nil {
		t.Fatal(err)
	}
}

func TestContractWithACL(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	permit(t, []string{ACL}, s)
	if _, err := redis.Open(t.Context(), redis.Options{URL: as(s.URL())}); err == nil || !strings.Contains(err.Error(), "--load-scripts") {
		t.Errorf("without scripts: %v", err)
	}
	loadScripts(t, s.URL())
	storetest.Run(t, emptied(as(s.URL()), flushing(s)))
}

// TestACL: the store does all it can do, and its user nothing else.
func TestACL(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(*testing.T) (url, admin string, servers []*redisserver.Server)
	}{
		{"single", func(t *testing.T) (string, string, []*redisserver.Server) {
			s := redisserver.Start(t)
			return s.URL(), s.URL(), []*redisserver.Server{s}
		}},
		{"database 3", func(t *testing.T) (string, string, []*redisserver.Server) {
			s := redisserver.Start(t)
			return strings.Replace(s.URL(), "/0", "/3", 1), s.URL(), []*redisserver.Server{s}
		}},
		{"sentinel", func(t *testing.T) (string, string, []*redisserver.Server) {
			pair := redisserver.StartSentinel(t)
			return pair.URL(), pair.URL(), []*redisserver.Server{pair.Primary(), pair.Replica()}
		}},
		{"cluster", func(t *testing.T) (string, string, []*redisserver.Server) {
			c := redisserver.StartCluster(t, 3)
			return c.URL(), c.URL(), c.Nodes()
		}},
	} {
		for _, loads := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, loads scripts %t", test.name, loads), func(t *testing.T) {
				t.Parallel()
				url, admin, servers := test.start(t)
				lines := []string{ACL}
				if loads {
					lines = append(lines, ACLScripts)
				}
				if permit(t, lines, servers...); !loads {
					loadScripts(t, admin)
				}
				if err := everything(t, as(url)); err != nil {
					t.Error(err)
				}
				storetest.Linearizable(t, emptied(as(url), func(*testing.T) {}))
				for _, s := range servers {
					_, rest, more := strings.Cut(do(t, s, "ACL", "LOG"), "\nobject\n")
					for more {
						var object string
						object, rest, _ = strings.Cut(rest, "\n")
						if object != "config|get" { // which tells passwords as well
							t.Errorf("%s was refused", object)
						}
						_, rest, more = strings.Cut(rest, "\nobject\n")
					}
				}
			})
		}
	}
}

// TestACLIsNarrow: without any one of its commands something does not work; and what is dangerous is refused.
func TestACLIsNarrow(t *testing.T) {
	elsewhere := []string{"+select", "+wait", "+asking", "+cluster|slots", "+command"} // TestACL has them
	for word := range strings.FieldsSeq(ACL) {
		if !strings.HasPrefix(word, "+") || slices.Contains(elsewhere, word) {
			continue
		}
		t.Run("without "+word, func(t *testing.T) {
			t.Parallel()
			s := redisserver.Start(t, "--appendfsync", "everysec")
			permit(t, []string{ACL, ACLScripts, "ACL SETUSER hushpost -" + word[1:]}, s)
			if err := everything(t, as(s.URL())); err == nil {
				t.Error("everything works")
			}
		})
	}
	t.Run("dangerous", func(t *testing.T) {
		t.Parallel()
		s := redisserver.Start(t)
		permit(t, []string{ACL, ACLScripts}, s)
		store := open(t, as(s.URL()))
		for _, command := range []string{
			"EVAL return(1) 0", "KEYS *", "SCAN 0", "RANDOMKEY", "CONFIG GET *", "CONFIG SET dir /", "FLUSHALL", "FLUSHDB", "SLOWLOG GET", "MONITOR",
			"SHUTDOWN", "REPLICAOF NO ONE", "ACL LIST", "CLIENT LIST", "CLIENT KILL TYPE normal", "SCRIPT FLUSH", "FUNCTION LIST", "MODULE LIST", "SAVE", "BGREWRITEAOF",
			"CLUSTER NODES", "DUMP hp:key", "MIGRATE h 1 hp:key 0 1", "PUBLISH c m", "SUBSCRIBE c", "DEL hp:key", "PERSIST hp:key",
			"GET foreign", "SET foreign x", "UNLINK foreign", "RENAME hp:key foreign", "APPEND hp x", "ZADD hq:x 1 x",
		} {
			var args []any
			for word := range strings.FieldsSeq(command) {
				args = append(args, word)
			}
			if err := redis.Client(store).Do(t.Context(), args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
				t.Errorf("%s: %v", command, err)
			}
		}
	})
}

// TestScriptsAreGone: after a restart or a flush of Redis, a user who may not load scripts is in trouble until somebody does.
func TestScriptsAreGone(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	permit(t, []string{ACL}, s)
	loadScripts(t, s.URL())
	store, loads := open(t, as(s.URL())), open(t, s.URL())
	d := draft(t, "", time.Hour)
	put(t, store, d, noise(10))
	do(t, s, "SCRIPT", "FLUSH")
	for range 2 {
		if _, err := store.Get(t.Context(), d.Alias(), keep); err == nil || errors.Is(err, vault.ErrNotFound) || !strings.Contains(err.Error(), "--load-scripts") {
			t.Errorf("without scripts: %v", err)
		}
	}
	if _, err := loads.Get(t.Context(), d.Alias(), keep); err != nil {
		t.Error("one who may load them: ", err)
	}
	do(t, s, "SCRIPT", "FLUSH")
	loadScripts(t, s.URL())
	update(t, store, d.Alias(), ends(vault.Revoked))
}

// everything does all that a store does, and says what did not work.
func everything(t *testing.T, url string) error {
	s, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if _, err := s.Inspect(t.Context()); err != nil {
		return err
	}
	for _, size := range []int{100, 5_000, 3 << 20} {
		if err := lifeOf(t, s, size); err != nil {
			return fmt.Errorf("the life of %d bytes: %w", size, err)
		}
	}
	if err := listing(t, s); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	if err := telling(t, s); err != nil {
		return fmt.Errorf("events: %w", err)
	}
	if _, err := s.Spend(t.Context(), "source", []redis.Charge{{Budget: "a", Cost: time.Second, Ahead: time.Minute}}); err != nil {
		return err
	}
	if _, err := s.Spend(t.Context(), "source", []redis.Charge{{Budget: "a", Cost: -time.Minute, Ahead: -1}}); err != nil {
		return err
	}
	return sweeping(t, s)
}

func lifeOf(t *testing.T, s *redis.Store, size int) error {
	ctx, d, payload := t.Context(), draft(t, "", time.Hour), noise(size)
	for range 2 {
		if _, _, err := s.Put(ctx, d, bytes.NewReader(payload)); err != nil {
			return err
		}
	}
	if _, err := s.Get(ctx, d.Alias(), keep); err != nil {
		return err
	}
	for range 2 {
		_, r, err := s.Take(ctx, d.Alias(), lease(time.Minute))
		if err != nil {
			return err
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, payload) {
			return fmt.Errorf("another payload, %w", err)
		}
	}
	if _, err := s.Update(ctx, d.Alias(), ends(vault.Read)); err != nil {
		return err
	}
	_, err := s.Update(ctx, d.Alias(), func(_ vault.Time, s *vault.Secret) error { s.State = vault.Forgotten; return nil })
	return err
}

func listing(t *testing.T, s *redis.Store) error {
	ctx, d := t.Context(), message(t, "ann", time.Hour)
	made, _, err := s.Put(ctx, d, bytes.NewReader(nil))
	if err != nil {
		return err
	}
	claimed, err := s.Replace(ctx, d.Alias(), claimBy(vault.HashOf([]byte("bob"))), bytes.NewReader(noise(100)))
	if err != nil {
		return err
	}
	for i, secret := range []vault.Secret{made, claimed} {
		if list, total, err := s.List(ctx, listOf(t, secret), 0, 10); err != nil || total != i || len(list) != i {
			return fmt.Errorf("%d of %d, want %d: %w", len(list), total, i, err)
		}
	}
	return nil
}

func telling(t *testing.T, s *redis.Store) error {
	ctx := t.Context()
	for i := range 2 {
		d := draft(t, "bot", time.Hour)
		if _, _, err := s.Put(ctx, d, bytes.NewReader(nil)); err != nil {
			return err
		}
		for _, rule := range []vault.Rule{lease(time.Minute), ends(vault.Read)} {
			if _, err := s.Update(ctx, d.Alias(), rule); err != nil {
				return err
			}
		}
		got, err := s.Events(ctx, "bot", 10, 0)
		if err != nil || len(got) != 2 || got[1].Type != "secret.read" {
			return fmt.Errorf("%d are told: %w", len(got), err)
		}
		if i == 0 {
			err = s.AckEvents(ctx, "bot", []string{got[0].ID, got[1].ID})
		} else {
			var n int
			if n, err = s.SweepEvents(ctx, 10, -time.Minute); n != 2 && err == nil {
				err = fmt.Errorf("%d are swept", n)
			}
		}
		if err != nil {
			return err
		}
		if got, err := s.Events(ctx, "bot", 10, 0); err != nil || len(got) != 0 {
			return fmt.Errorf("%d are left: %w", len(got), err)
		}
	}
	return nil
}

func sweeping(t *testing.T, s *redis.Store) error {
	d := draft(t, "", time.Millisecond)
	if _, _, err := s.Put(t.Context(), d, bytes.NewReader(noise(10))); err != nil {
		return err
	}
	<-time.After(2 * time.Second) // so that there is more than one bucket to look at
	var err error
	poll(func() bool {
		if _, err = s.Sweep(t.Context(), 10, vault.Settle); err != nil {
			return true
		}
		got, err := s.Get(context.WithoutCancel(t.Context()), d.Alias(), keep)
		return err != nil || got.State == vault.Expired
	})
	if err == nil {
		_, err = s.Sweep(t.Context(), 10, vault.Settle) // keeps the office
	}
	return err
}
