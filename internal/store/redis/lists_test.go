package redis_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// before does something before the first round trip that has a command of that name in it.
type before struct {
	command string
	once    sync.Once
	act     func()
}

func (*before) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (*before) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (b *before) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		for _, cmd := range cmds {
			if cmd.Args()[0] == b.command {
				b.once.Do(b.act)
			}
		}
		return next(ctx, cmds)
	}
}

func listOf(t testing.TB, s vault.Secret) vault.Hash {
	t.Helper()
	list, _ := vault.Listed(&s)
	if list.IsZero() {
		t.Fatal("it is in no list")
	}
	return list
}

func listKey(list vault.Hash) string {
	return "hp:{" + base64.RawURLEncoding.EncodeToString(list[:]) + "}"
}

// lists checks what is in a list, the newest first.
func lists(t *testing.T, s *redis.Store, list vault.Hash, want ...vault.Alias) {
	t.Helper()
	got, total, err := s.List(t.Context(), list, 0, 100)
	names := make([]vault.Alias, len(got))
	for i := range got {
		names[i] = got[i].Alias
	}
	if err != nil || total != len(want) || !slices.Equal(names, want) {
		t.Errorf("%d records of %d, %v, want %d; in this order: %t", len(got), total, err, len(want), slices.Equal(names, want))
	}
}

// TestNamesThatACrashLeft: a name that was put on a list, and then nothing happened, is struck by whoever finds it.
func TestNamesThatACrashLeft(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	d, claimed, never := message(t, "ann", time.Hour), message(t, "ann", time.Hour), message(t, "ann", time.Hour)
	stays := put(t, store, d, nil)
	list, key := listOf(t, stays), listKey(listOf(t, stays))
	put(t, store, claimed, nil)
	owned := listOf(t, update(t, store, claimed.Alias(), claimBy(vault.HashOf([]byte("bob")))))
	for i, name := range []string{never.Alias().String(), claimed.Alias().String(), "no alias"} {
		do(t, s, "ZADD", key, strconv.Itoa(i+1), name)
		do(t, s, "ZADD", key+":u", strconv.FormatInt(int64(stays.Expires), 10), name)
	}
	lists(t, store, list, stays.Alias)
	if got := do(t, s, "ZCARD", key); got != "1" {
		t.Errorf("%s names are on the list", got)
	}
	if got := do(t, s, "ZCARD", key+":u"); got != "1" {
		t.Errorf("%s names are to leave it", got)
	}
	lists(t, store, owned, claimed.Alias())
}

// TestNameThatIsNeededNow: who reads a list strikes a name that does not belong there, just when it begins to.
func TestNameThatIsNeededNow(t *testing.T) {
	t.Parallel()
	bob := vault.HashOf([]byte("bob"))
	for name, race := range map[string]struct {
		prepare, change func(*testing.T, *redis.Store, vault.Draft)
	}{
		"a creation": {
			func(*testing.T, *redis.Store, vault.Draft) {},
			func(t *testing.T, s *redis.Store, d vault.Draft) { put(t, s, d, nil) },
		},
		"an undone claim": {
			func(t *testing.T, s *redis.Store, d vault.Draft) {
				put(t, s, d, nil)
				update(t, s, d.Alias(), claimBy(bob))
			},
			func(t *testing.T, s *redis.Store, d vault.Draft) { update(t, s, d.Alias(), unclaim) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redisserver.Start(t)
			store, reader := open(t, s.URL()), open(t, s.URL())
			d := message(t, "ann", time.Hour)
			race.prepare(t, store, d)
			will := d.Secret(1, 0)
			list := listOf(t, will)
			do(t, s, "ZADD", listKey(list), "1", d.Alias().String()) // as the change begins
			hook := &before{command: "ZREM", act: func() { race.change(t, store, d) }}
			redis.Client(reader).AddHook(hook)
			if _, _, err := reader.List(t.Context(), list, 0, 100); err != nil {
				t.Fatal(err)
			}
			lists(t, reader, list, d.Alias())
		})
	}
}

func unclaim(_ vault.Time, s *vault.Secret) error {
	s.State, s.Owner, s.Opened = vault.Waiting, vault.Hash{}, 0
	s.Revision++
	return nil
}

// TestLateGoodbye: a process that claimed takes the name off the list of what is pending when another has undone that.
func TestLateGoodbye(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store, other := open(t, s.URL()), open(t, s.URL())
	d := message(t, "ann", time.Hour)
	list := listOf(t, put(t, store, d, nil))
	redis.Client(store).AddHook(&before{command: "ZREM", act: func() { update(t, other, d.Alias(), unclaim) }})
	update(t, store, d.Alias(), claimBy(vault.HashOf([]byte("bob"))))
	lists(t, store, list, d.Alias())
}

// TestRepeatedCreationKeepsItsPlace: in the list, and its end.
func TestRepeatedCreationKeepsItsPlace(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	again := func(d vault.Draft) {
		t.Helper()
		if _, created, err := store.Put(t.Context(), d, bytes.NewReader(nil)); created || err != nil {
			t.Fatalf("created again: %t, %v", created, err)
		}
	}
	first, second := message(t, "ann", 300*time.Millisecond), message(t, "ann", time.Hour)
	list := listOf(t, put(t, store, first, nil))
	<-time.After(5 * time.Millisecond)
	put(t, store, second, nil)
	<-time.After(5 * time.Millisecond)
	first.TTL = time.Hour // lifetimes are not compared
	again(first)
	lists(t, store, list, second.Alias(), first.Alias())
	<-time.After(350 * time.Millisecond)
	lists(t, store, list, second.Alias())
}

// TestNamesOfLosers: of many who claim at once, those who lose have nothing on their lists.
func TestNamesOfLosers(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	stores := []*redis.Store{open(t, s.URL()), open(t, s.URL())}
	d := message(t, "ann", time.Hour)
	put(t, stores[0], d, nil)
	once := func(owner vault.Hash) vault.Rule {
		return func(now vault.Time, s *vault.Secret) error {
			if s.State != vault.Waiting {
				return errOver
			}
			return claimBy(owner)(now, s)
		}
	}
	var race sync.WaitGroup
	for i := range 16 {
		race.Go(func() {
			_, _ = stores[i%2].Update(t.Context(), d.Alias(), once(vault.HashOf([]byte{byte(i)})))
		})
	}
	race.Wait()
	owners := 0
	for i := range 16 {
		s := d.Secret(1, 0)
		s.State, s.Owner = vault.Claimed, vault.HashOf([]byte{byte(i)})
		got, total, err := stores[0].List(t.Context(), listOf(t, s), 0, 10)
		if err != nil || total != len(got) {
			t.Errorf("%d of %d, %v", len(got), total, err)
		}
		owners += total
	}
	if owners != 1 {
		t.Errorf("%d own it", owners)
	}
}

// BenchmarkList reads pages of 100 of 10 000.
func BenchmarkList(b *testing.B) {
	s := redisserver.Start(b, "--appendfsync", "everysec")
	store := open(b, s.URL())
	const n, page = 10_000, 100
	var list vault.Hash
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for range n / 20 {
				d := message(b, "ann", time.Hour)
				if made, _, err := store.Put(b.Context(), d, bytes.NewReader(nil)); err != nil {
					b.Error(err)
				} else if i == 0 {
					list = listOf(b, made)
				}
			}
		})
	}
	group.Wait()
	for name, skip := range map[string]int{"first": 0, "last": n - page} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if got, total, err := store.List(b.Context(), list, skip, page); err != nil || len(got) != page || total != n {
					b.Fatalf("%d of %d, %v", len(got), total, err)
				}
			}
		})
	}
}
