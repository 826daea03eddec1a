package redis

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/hushpost/hushpost/internal/vault"
)

// Options of a Store. URL is needed.
type Options struct {
	URL    string       // see Address
	Key    []byte       // the server's key, 32 bytes, if it is not to be kept in Redis
	Unsafe bool         // accept settings that break promises
	Log    *slog.Logger // nil: no logs
}

// Store is a vault.Store in Redis.
type Store struct {
	client redis.UniversalClient
	log    *slog.Logger
	key    [32]byte
	wait   int // replicas that must have a change before it counts
	report vault.Inspection
	nodes  sync.Map // *redis.Client: *node
	recent recent
	turns  [64]sync.Mutex // by alias, of changes that are tried again
	sweep  sweep
}

// Timeouts. A server that is gone must be noticed before a client gives up (PROTOCOL 4.7: 503, not silence).
const (
	dialTime  = 2 * time.Second
	replyTime = 3 * time.Second
	startTime = 15 * time.Second // to be reached, and to have loaded its file
	maxConns  = 64
)

// The library writes to standard error, for the whole process, what every call returns as well; it may hold addresses
// and whatever a server said.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

var silence = sync.OnceFunc(func() { redis.SetLogger(silent{}) })

// Open connects, checks what the settings promise, and loads the scripts.
func Open(ctx context.Context, o Options) (*Store, error) {
	silence()
	at, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{client: redis.NewUniversalClient(at.universal()), log: o.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	_, _ = rand.Read(s.sweep.id[:]) // never fails
	if err := s.start(ctx, at, o); err != nil {
		return nil, errors.Join(err, s.client.Close())
	}
	return s, nil
}

func (s *Store) start(ctx context.Context, at *address, o Options) error {
	if err := s.reach(ctx); err != nil {
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	if err := s.check(ctx, at, o.Unsafe); err != nil {
		return err
	}
	if err := s.loadScripts(ctx); err != nil {
		return err
	}
	if err := s.agreeOnKey(ctx, o.Key); err != nil {
		return err
	}
	return s.beginSweeping(ctx)
}

// reach waits until Redis answers and has loaded its data.
func (s *Store) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		err := s.client.Ping(ctx).Err()
		if err == nil || !transient(err) {
			return err
		}
		if last == nil {
			s.log.Info("waiting for Redis")
		}
		if last == nil || ctx.Err() == nil { // that time is over is not the reason
			last = err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return last
		}
	}
}

// transient tells trouble that may pass from an answer that will stay the same, such as a wrong password or certificate.
func transient(err error) bool {
	var answer redis.Error
	var theirs *tls.CertificateVerificationError
	var alert *net.OpError
	if errors.As(err, &theirs) || errors.As(err, &alert) && alert.Op == "remote error" {
		return false
	}
	return !errors.As(err, &answer) || redis.HasErrorPrefix(err, "LOADING") || redis.HasErrorPrefix(err, "MASTERDOWN") ||
		redis.HasErrorPrefix(err, "CLUSTERDOWN") || redis.HasErrorPrefix(err, "READONLY")
}

// Close lets go of Redis. What is under way fails, and says so.
func (s *Store) Close() error {
	if err := s.client.Close(); !errors.Is(err, redis.ErrClosed) {
		return err
	}
	return nil
}

// Key is the server's key, the same in every process on this Redis (vault.Options.Key).
func (s *Store) Key() [32]byte { return s.key }

// universal gives the options of a client. Nothing is retried by the library: a change whose answer was lost may have
// happened, and what that means only the caller knows.
func (a *address) universal() *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs: a.hosts, MasterName: a.master, IsClusterMode: a.cluster, DB: a.db,
		Username: a.user, Password: a.password, SentinelUsername: a.sentinelUser, SentinelPassword: a.sentinelPassword, TLSConfig: a.tls,
		MaxRetries: -1, MaxRedirects: -1, DialerRetries: 1,
		DialTimeout: dialTime, ReadTimeout: replyTime, WriteTimeout: replyTime, PoolSize: maxConns,
		Protocol: 2, DisableIdentity: true, // nothing of the newer one is used, and old servers do not know CLIENT SETINFO
		PipelinePoolSize:         -1, // pipelines are two or three commands here: the common connections do
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}
