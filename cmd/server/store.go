package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// storage is what the server wants of a store.
type storage interface {
	vault.Store
	vault.EventStore
	vault.Inspector

	Key() [32]byte // vault.Options.Key
	Close() error
}

const storeSQLite = "sqlite" // everything else that config accepts is the address of a Redis

func openStore(ctx context.Context, c *config) (storage, error) {
	if c.store == storeSQLite && c.serverKey != nil {
		return nil, errors.New("--server-key is for Redis: with SQLite, the key is a file in the data folder")
	}
	if c.store == storeSQLite {
		s, err := sqlite.Open(ctx, c.data, sqlite.Options{Log: c.log})
		if err != nil {
			return nil, fmt.Errorf("opening the data folder: %w", err)
		}
		return s, nil
	}
	s, err := redis.Open(ctx, redis.Options{URL: c.store, Key: c.serverKey, Unsafe: c.redisUnsafe, Log: c.log})
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

// loadScripts is all that --load-scripts does, with a user of Redis that may.
func loadScripts(ctx context.Context, c *config) error {
	if c.store == storeSQLite {
		return errNoScripts
	}
	return redis.LoadScripts(ctx, c.store)
}

// ledger lets limits be counted in Redis. Neither package knows the other.
type ledger struct{ store *redis.Store }

// Spend implements httpd.Ledger.
func (l ledger) Spend(ctx context.Context, who string, charges []httpd.Charge) (time.Duration, error) {
	all := make([]redis.Charge, len(charges))
	for i, c := range charges {
		all[i] = redis.Charge(c)
	}
	return l.store.Spend(ctx, who, all)
}
