package redis_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestRefusedConnections: a command that never was sent, because Redis refused the connection, has failed. The library says
// so of all of them together only.
func TestRefusedConnections(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	do(t, s, "CONFIG", "SET", "requirepass", "old")
	store := open(t, strings.Replace(s.URL(), "redis://", "redis://:old@", 1))
	if err := redis.Call(t.Context(), store, "hp:x", "APPEND", "hp:x", "x"); err != nil {
		t.Error(err)
	}
	admin := redis.Client(open(t, strings.Replace(s.URL(), "redis://", "redis://:old@", 1)))
	if err := admin.ConfigSet(t.Context(), "requirepass", "new").Err(); err != nil {
		t.Fatal(err)
	}
	if err := admin.ClientKillByFilter(t.Context(), "TYPE", "normal").Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := redis.Call(t.Context(), store, "hp:x", "APPEND", "hp:x", "x"); err == nil {
			t.Error("a command that was not sent has succeeded")
		}
	}
}

// TestManyWaitForASilentRedis: whoever waits behind others for a Redis that does not answer is told of trouble about as
// soon as they are. After it, all is well.
func TestManyWaitForASilentRedis(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	store := open(t, s.URL())
	d := draft(t, "", time.Hour)
	put(t, store, d, noise(10))
	s.Pause()
	var group sync.WaitGroup
	var longest atomic.Int64
	for range 1_000 {
		group.Go(func() {
			start := time.Now()
			if _, err := store.Get(t.Context(), d.Alias(), keep); err == nil || errors.Is(err, vault.ErrNotFound) {
				t.Error(err)
			}
			took := int64(time.Since(start))
			for last := longest.Load(); took > last && !longest.CompareAndSwap(last, took); last = longest.Load() {
			}
		})
	}
	group.Wait()
	if took := time.Duration(longest.Load()); took > 10*time.Second {
		t.Errorf("somebody waited %v", took)
	}
	s.Resume()
	if !poll(func() bool { _, err := store.Get(t.Context(), d.Alias(), keep); return err == nil }) {
		t.Error("it does not recover")
	}
}
