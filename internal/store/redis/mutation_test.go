package redis_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// twoSteps lets a store change records in two round trips: it looks whether the record is still the one that the rule
// saw, and then writes the new one over whatever is there.
type twoSteps struct {
	client *goredis.Client // another one
	blind  *goredis.Script
}

func (twoSteps) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (twoSteps) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (two twoSteps) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		for i, cmd := range cmds {
			args := cmd.Args()
			if len(args) < 4 || args[1] != redis.ChangeHash() {
				continue
			}
			keys := args[2].(int)
			record, old := args[3].(string), args[3+keys+2].(string)
			if value, err := two.client.Get(ctx, record).Result(); err == nil && strings.HasPrefix(value, old) {
				args[1] = two.blind.Hash()
				cmds[i] = cmd
			}
		}
		return next(ctx, cmds)
	}
}

// TestMutationIsCaught: the check of TestLinearizable notices a store whose changes are not atomic.
func TestMutationIsCaught(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr(), Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	blind := redis.Blind()
	if err := blind.Load(t.Context(), client).Err(); err != nil {
		t.Fatal(err)
	}
	stores := &both{stores: [2]*redis.Store{open(t, s.URL()), open(t, s.URL())}}
	for _, store := range stores.stores {
		redis.Client(store).AddHook(twoSteps{client, blind})
	}
	// To one at a time it does no harm.
	d := draft(t, "", time.Hour)
	put(t, stores.stores[0], d, []byte("payload"))
	if got, payload, err := take(t, stores.stores[1], d.Alias(), lease(time.Minute)); got.State != vault.Leased || string(payload) != "payload" || err != nil {
		t.Fatalf("%+v, %q, %v", got, payload, err)
	}
	if got := update(t, stores.stores[0], d.Alias(), ends(vault.Read)); got.State != vault.Read {
		t.Fatalf("%+v", got)
	}
	end := time.Now().Add(patience)
	for round := uint64(0); time.Now().Before(end); round++ {
		err := storetest.CheckLinearizable(t.Context(), stores, round)
		if err != nil && strings.Contains(err.Error(), "no order of these calls") {
			t.Logf("caught in round %d", round)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("a store that changes records in two steps passes for linearizable")
}
