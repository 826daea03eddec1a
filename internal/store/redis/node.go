package redis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

//go:embed lua/*.lua
var sources embed.FS

func script(name string) *redis.Script {
	b, err := sources.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // it is compiled in
	}
	return redis.NewScript(string(b))
}

var (
	look    = script("look")
	put     = script("put")
	change  = script("change")
	list    = script("list")
	spend   = script("spend")
	anyway  = script("anyway")
	scripts = []*redis.Script{look, put, change, list, spend, anyway}
)

// LoadScripts makes the scripts known to every server behind an address, for processes whose user may not do it.
func LoadScripts(ctx context.Context, url string) error {
	silence()
	at, err := parse(url)
	if err != nil {
		return err
	}
	s := &Store{client: redis.NewUniversalClient(at.universal()), log: slog.New(slog.DiscardHandler)}
	if err := s.reach(ctx); err != nil {
		return errors.Join(fmt.Errorf("connecting to Redis: %w", err), s.client.Close())
	}
	return errors.Join(s.loadScripts(ctx), s.client.Close())
}

func (s *Store) loadScripts(ctx context.Context) error {
	return s.eachNode(ctx, func(c *redis.Client) error { return load(ctx, c) })
}

func load(ctx context.Context, c *redis.Client) error {
	hashes := make([]string, len(scripts))
	for i, sc := range scripts {
		hashes[i] = sc.Hash()
	}
	known, err := c.ScriptExists(ctx, hashes...).Result()
	if err != nil {
		return fmt.Errorf("asking Redis for scripts: %w", err)
	}
	for i, sc := range scripts {
		if known[i] {
			continue
		}
		if err := sc.Load(ctx, c).Err(); redis.HasErrorPrefix(err, "NOPERM") {
			return errors.New("the scripts are not loaded and this user of Redis may not load them: " +
				"run the server once with --load-scripts and a user that may, and again after each restart of Redis")
		} else if err != nil {
			return fmt.Errorf("loading scripts into Redis: %w", err)
		}
	}
	return nil
}

func (s *Store) eachNode(ctx context.Context, do func(*redis.Client) error) error {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		var one sync.Mutex
		return cluster.ForEachMaster(ctx, func(_ context.Context, c *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return do(c)
		})
	}
	return do(s.client.(*redis.Client))
}

// node is one Redis server, and an estimate of its time. The estimate is never ahead of it, as long as two clocks run
// alike: it is the latest reading, moved on by the time since its answer came. So it is late by the answer's way, about a
// tenth of a millisecond; scripts check it, and take what is at most 2 s late: behind a slow disk, answers are.
type node struct {
	client *redis.Client
	office office

	mu   sync.Mutex
	then vault.Time
	at   time.Time
}

func (n *node) now() vault.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.estimate()
}

func (n *node) estimate() vault.Time {
	if n.then == 0 {
		return 0 // a script will say how late it is
	}
	return n.then.Add(time.Since(n.at))
}

// saw takes a reading, and gives up an estimate that was ahead of it: a clock was set back.
func (n *node) saw(estimated, read vault.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if read > n.estimate() || estimated > read {
		n.then, n.at = read, time.Now()
	}
}

func (s *Store) node(c *redis.Client) *node {
	n, ok := s.nodes.Load(c)
	if !ok {
		n, _ = s.nodes.LoadOrStore(c, &node{client: c})
	}
	return n.(*node)
}

func (s *Store) nodeOf(ctx context.Context, key string) (*node, error) {
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		c, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, err
		}
		return s.node(c), nil
	}
	return s.node(s.client.(*redis.Client)), nil
}

// batch is commands that go to one server together, in this order.
type batch struct {
	node   *node
	asking bool // a slot is moving there
	alone  bool // too large to share a round trip with others
	writes bool
	cmds   []redis.Cmder
	copies *redis.IntCmd // how many replicas have what was written
}

func (b *batch) do(ctx context.Context, cmd redis.Cmder) {
	if b.asking {
		b.cmds = append(b.cmds, redis.NewStatusCmd(ctx, "ASKING"))
	}
	b.cmds = append(b.cmds, cmd)
}

func (b *batch) command(ctx context.Context, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, args...)
	b.do(ctx, cmd)
	return cmd
}

// anyway is command for what must go on when memory is full.
func (b *batch) anyway(ctx context.Context, key string, args ...any) *redis.Cmd {
	return b.run(ctx, anyway, []string{key}, args...)
}

func (b *batch) run(ctx context.Context, sc *redis.Script, keys []string, args ...any) *redis.Cmd {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, "EVALSHA", sc.Hash(), len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return b.command(ctx, append(all, args...)...)
}

const (
	maxTries  = 100
	tryAgain  = 20 * time.Millisecond
	waitLimit = time.Second // for a replica that is slow; one that is gone costs each change this long
)

var errReplicas = errors.New("not enough replicas of Redis have the change yet")

// call sends what build collects to the server that has key, and gives the reply of the command that build returns. It
// sends it again, as build makes it then, if that one was refused without having been run: a script that the
// server does not know, or a slot that has moved.
//
// With replicas, a change counts when enough of them have it: a failover must not bring back what was erased, nor let a
// second reader in.
func (s *Store) call(ctx context.Context, key string, writes bool, build func(*batch) *redis.Cmd) (*redis.Cmd, error) {
	var moving *node
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		b := &batch{node: moving, asking: moving != nil, writes: writes}
		var err error
		if moving == nil {
			if b.node, err = s.nodeOf(ctx, key); err != nil {
				return nil, err
			}
		}
		main := build(b)
		b.node.exec(ctx, b, s.wait)
		if err = main.Err(); err == nil || errors.Is(err, redis.Nil) {
			if b.copies != nil && (b.copies.Err() != nil || int(b.copies.Val()) < s.wait) {
				return nil, errors.Join(errReplicas, b.copies.Err())
			}
			return main, nil
		}
		if moving, err = s.overcome(ctx, b.node, err); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("redis: the slot does not come to rest")
}

// overcome does what lets a refused command be sent again, and gives the node to ask if it is not the usual one.
func (s *Store) overcome(ctx context.Context, n *node, refused error) (moving *node, err error) {
	cluster, ok := s.client.(*redis.ClusterClient)
	switch {
	case redis.HasErrorPrefix(refused, "NOSCRIPT"):
		return nil, load(ctx, n.client)
	case !ok:
		return nil, refused
	case redis.HasErrorPrefix(refused, "TRYAGAIN"): // of two keys, one has moved already
	case redis.HasErrorPrefix(refused, "MOVED "):
		cluster.ReloadState(ctx)
	case redis.HasErrorPrefix(refused, "ASK "):
		words := strings.Fields(refused.Error())
		target := words[len(words)-1]
		err := s.eachNode(ctx, func(c *redis.Client) error {
			if c.Options().Addr == target {
				moving = s.node(c)
			}
			return nil
		})
		return moving, err
	default:
		return nil, refused
	}
	pause := time.NewTimer(tryAgain)
	defer pause.Stop()
	select {
	case <-pause.C:
		return nil, nil //nolint:nilnil // the usual node
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
