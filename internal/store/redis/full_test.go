package redis_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestFullRedis: when there is no memory left, new secrets are refused, and all else goes on: else nobody could read, end
// or sweep what takes the memory.
func TestFullRedis(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(*testing.T) (url string, servers []*redisserver.Server)
	}{
		{"single", func(t *testing.T) (string, []*redisserver.Server) {
			s := redisserver.Start(t)
			return s.URL(), []*redisserver.Server{s}
		}},
		{"cluster", func(t *testing.T) (string, []*redisserver.Server) {
			c := redisserver.StartCluster(t, 3)
			return c.URL(), c.Nodes()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, servers := test.start(t)
			f := &full{t, url, open(t, url), open(t, url), servers}
			f.run()
		})
	}
}

type full struct {
	*testing.T

	url          string
	store, other *redis.Store // the other has seen nothing
	servers      []*redisserver.Server
}

// limit sets the memory of the servers; a byte is too little for anything.
func (f *full) limit(bytes string) {
	f.Helper()
	for _, s := range f.servers {
		do(f, s, "CONFIG", "SET", "maxmemory", bytes)
	}
}

func (f *full) run() {
	const size = 300
	read, declined, revoked, lapses := draft(f, "bot", time.Hour), draft(f, "bot", time.Hour), draft(f, "", time.Hour), draft(f, "bot", time.Hour)
	expires, message := draft(f, "", time.Second), message(f, "ann", time.Hour)
	for _, d := range []vault.Draft{read, declined, revoked, lapses, expires, message} {
		put(f, f.store, d, noise(size))
	}
	f.limit("1")
	defer f.limit("0")

	f.refused(draft(f, "", time.Hour), noise(10))
	f.refused(draft(f, "bot", time.Hour), noise(10_000))
	f.refused(draft(f, "bot", time.Hour), noise(100_000))
	if _, err := f.store.Replace(f.Context(), message.Alias(), keep, bytes.NewReader(noise(10))); !errors.Is(err, vault.ErrFull) {
		f.Error("Replace: ", err)
	}
	f.change(read.Alias(), lease(time.Hour), true)
	f.change(read.Alias(), keep, true)
	f.change(read.Alias(), ends(vault.Read), false)
	f.change(declined.Alias(), ends(vault.Declined), false)
	f.change(revoked.Alias(), ends(vault.Revoked), false)
	f.change(lapses.Alias(), lease(10*time.Millisecond), true)
	s, err := f.other.Get(f.Context(), message.Alias(), keep)
	if err != nil {
		f.Error("Get: ", err)
	}
	of, _ := vault.Listed(&s)
	if list, n, err := f.other.List(f.Context(), of, 0, 10); err != nil || len(list) != 1 || n != 1 {
		f.Error("List: ", len(list), n, err)
	}
	if _, err := f.store.Spend(f.Context(), "source", []redis.Charge{{Budget: "opens", Cost: time.Second, Ahead: time.Minute}}); err != nil {
		f.Error("Spend: ", err)
	}
	f.sweeps(expires.Alias())
	open(f, f.url).Close() // a process that starts anew
	f.limit("0")
	f.told("secret.declined", "secret.opened", "secret.opened", "secret.read", "secret.unconfirmed")
}

// refused checks that there is no room for d.
func (f *full) refused(d vault.Draft, payload []byte) {
	f.Helper()
	if _, created, err := f.store.Put(f.Context(), d, bytes.NewReader(payload)); created || !errors.Is(err, vault.ErrFull) {
		f.Errorf("Put of %d bytes: created %t, %v", len(payload), created, err)
	}
}

// change makes a change, as a process that has not seen the record before.
func (f *full) change(a vault.Alias, rule vault.Rule, held bool) {
	f.Helper()
	redis.Forget(f.store, a)
	if got, _, err := take(f, f.store, a, rule); err != nil || got.Held() != held {
		f.Errorf("%v, %v", got.State, err)
	}
}

// sweeps checks that what stands inside a value is erased.
func (f *full) sweeps(a vault.Alias) {
	f.Helper()
	var err error
	if !poll(func() bool {
		if _, err = f.store.Sweep(f.Context(), 100, vault.Settle); err != nil {
			return true
		}
		got, err := f.store.Get(f.Context(), a, keep)
		return err == nil && got.State == vault.Expired
	}) || err != nil {
		f.Error("Sweep: ", err)
	}
}

// told checks that the creator is told all, at last.
func (f *full) told(want ...string) {
	f.Helper()
	var got []string
	if !poll(func() bool {
		sweepUntil(f.T, f.store, 0)
		got = append(got, ackAll(f.T, f.store, "bot")...)
		slices.Sort(got)
		return slices.Equal(slices.Compact(slices.Clone(got)), slices.Compact(slices.Clone(want)))
	}) {
		f.Errorf("the creator is told %s", strings.Join(got, ", "))
	}
}
