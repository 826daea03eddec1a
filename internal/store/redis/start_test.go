package redis_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// TestSettingsThatBreakPromises are refused with the reason and the remedy, and accepted by whoever insists, with a warning.
func TestSettingsThatBreakPromises(t *testing.T) {
	for name, test := range map[string]struct {
		settings []string
		query    string
		want     []string // in the error and in the warnings, in this order
	}{
		"eviction":     {[]string{"--maxmemory-policy", "allkeys-lru"}, "", []string{"maxmemory-policy is allkeys-lru", "noeviction"}},
		"no log":       {[]string{"--appendonly", "no"}, "", []string{"no append-only file", "appendonly yes"}},
		"no fsync":     {[]string{"--appendfsync", "no"}, "", []string{"appendfsync is no", "always"}},
		"all of them":  {[]string{"--maxmemory-policy", "volatile-ttl", "--appendonly", "no", "--appendfsync", "no"}, "", []string{"volatile-ttl", "no append-only file", "appendfsync is no"}},
		"nothing said": {nil, "?wait=0", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redisserver.Start(t, test.settings...)
			refused(t, s.URL()+test.query, test.want...)
			if len(test.want) > 0 {
				accepted(t, s.URL()+test.query, test.want...)
			}
		})
	}
}

// refused checks that an address is refused with these words, or opened if there are none.
func refused(t *testing.T, url string, want ...string) {
	t.Helper()
	s, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err == nil {
		_ = s.Close()
	}
	if (err != nil) != (len(want) > 0) {
		t.Fatalf("%v, want %q", err, want)
	}
	if err != nil {
		says(t, err.Error(), append(want, "--redis-unsafe=on")...)
	}
}

func says(t *testing.T, text string, want ...string) {
	t.Helper()
	rest := text
	for _, words := range want {
		_, after, found := strings.Cut(rest, words)
		if !found {
			t.Errorf("%s\ndoes not say %q", text, words)
			return
		}
		rest = after
	}
}

// accepted checks that it is opened for one who insists, with a warning and an honest report.
func accepted(t *testing.T, url string, want ...string) {
	t.Helper()
	var log bytes.Buffer
	s, err := redis.Open(t.Context(), redis.Options{URL: url, Unsafe: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	says(t, log.String(), append([]string{"level=WARN"}, want...)...)
	report, err := s.Inspect(t.Context())
	if err != nil || !strings.HasPrefix(report.Promise, "none") || report.Warning == "" {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestReplicas: what a replica, or the lack of one, means for an address.
func TestReplicas(t *testing.T) {
	t.Parallel()
	pair := redisserver.StartSentinel(t)
	primary, replica := pair.Primary(), pair.Replica()
	refused(t, replica.URL(), "this is a replica", "redis+sentinel://")
	refused(t, primary.URL()+"?wait=0", "wait=0", "second reader")
	refused(t, pair.URL()+"?wait=0", "wait=0", "second reader")
	refused(t, primary.URL()+"?wait=2", "fewer replicas connected")
	promises(t, primary.URL(), "redis 7", "strict", "when 1 of the replicas have it")
	promises(t, pair.URL(), "redis 7", "sentinel", "strict", "when 1 of the replicas have it")
	replica.Kill9()
	if !poll(func() bool { return strings.Contains(do(t, primary, "INFO", "replication"), "connected_slaves:0") }) {
		t.Fatal("the replica is still there")
	}
	refused(t, pair.URL(), "fewer replicas connected", "wait=0")
	refused(t, primary.URL()+"?wait=1", "fewer replicas connected", "wait=0")
	promises(t, primary.URL(), "strict")
}

// promises checks what is reported.
func promises(t *testing.T, url string, want ...string) {
	t.Helper()
	s := open(t, url)
	report, err := s.Inspect(t.Context())
	if err != nil || report.Warning != "" {
		t.Errorf("%+v, %v", report, err)
	}
	says(t, report.Engine+": "+report.Promise, want...)
}

func TestPromises(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	promises(t, s.URL(), "redis 7", "strict")
	do(t, s, "CONFIG", "SET", "appendfsync", "everysec")
	promises(t, s.URL(), "redis 7", "standard", "last second")
	do(t, s, "CONFIG", "SET", "appendfsync", "always")
	do(t, s, "ACL", "SETUSER", "u", "on", ">pw", "~*", "+@all", "-config")
	promises(t, strings.Replace(s.URL(), "redis://", "redis://u:pw@", 1), "standard") // it cannot know
	c := redisserver.StartCluster(t, 3)
	promises(t, c.URL(), "cluster", "strict")
	do(t, c.Nodes()[1], "CONFIG", "SET", "appendfsync", "everysec")
	promises(t, c.URL(), "cluster", "standard")
	do(t, c.Nodes()[2], "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	refused(t, c.URL(), "allkeys-random")
	if _, err := redis.Open(t.Context(), redis.Options{URL: c.Nodes()[0].URL(), Unsafe: true}); err == nil || !strings.Contains(err.Error(), "redis+cluster://") {
		t.Errorf("one node of a cluster: %v", err)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		product, version string
		want             string // "" is good
	}{
		{"redis", "7.0.15", ""},
		{"redis", "7.0.14", "7.0.15"},
		{"redis", "7.2.10", "7.2.11"},
		{"redis", "7.2.11", ""},
		{"redis", "7.4.5", "7.4.6"},
		{"redis", "7.4.6", ""},
		{"redis", "8.0.3", "8.0.4"},
		{"redis", "8.0.4", ""},
		{"redis", "8.2.1", "8.2.2"},
		{"redis", "8.2.2", ""},
		{"redis", "8.2.10", ""},
		{"redis", "8.4.0", ""},
		{"redis", "9.0.0", ""},
		{"redis", "10.0.0", ""},
		{"redis", "6.2.20", "lacks"},
		{"redis", "5.0.14", "lacks"},
		{"redis", "255.255.255", ""}, // of the newest source
		{"redis", "", "none that is known"},
		{"redis", "unknown", "none that is known"},
		{"redis", "8", "none that is known"},
		{"valkey", "7.2.10", "7.2.11"},
		{"valkey", "7.2.11", ""},
		{"valkey", "8.0.5", "8.0.6"},
		{"valkey", "8.0.6", ""},
		{"valkey", "8.1.3", "8.1.4"},
		{"valkey", "8.1.4", ""},
		{"valkey", "9.0.0", ""},
	} {
		got := redis.OldVersion(test.product, test.version)
		if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s %q: %q, want %q", test.product, test.version, got, test.want)
		}
	}
}

// TestNobodyThere: an address where nobody answers is given up in a time that an operator will wait.
func TestNobodyThere(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{
		"nobody": func(t *testing.T) string {
			s := redisserver.Start(t)
			s.Stop()
			return s.URL()
		},
		"paused": func(t *testing.T) string {
			s := redisserver.Start(t)
			s.Pause()
			return s.URL()
		},
		"no sentinels": func(t *testing.T) string {
			s := redisserver.Start(t)
			s.Stop()
			return "redis+sentinel://" + s.Addr() + "/name"
		},
		"no cluster": func(t *testing.T) string {
			s := redisserver.Start(t)
			s.Stop()
			return "redis+cluster://" + s.Addr()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := start(t)
			begin := time.Now()
			if _, err := redis.Open(t.Context(), redis.Options{URL: url}); err == nil {
				t.Error("opened")
			}
			if took := time.Since(begin); took < 10*time.Second || took > 25*time.Second {
				t.Errorf("it took %v", took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			begin = time.Now()
			if _, err := redis.Open(ctx, redis.Options{URL: url}); err == nil {
				t.Error("opened")
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("for one who does not wait, it took %v", took)
			}
		})
	}
}

// TestAnswersThatStayTheSame are not asked for again and again.
func TestAnswersThatStayTheSame(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	do(t, s, "ACL", "SETUSER", "u", "on", ">right", "~*", "+@all")
	locked := redisserver.Start(t)
	do(t, locked, "CONFIG", "SET", "requirepass", "right")
	pair := redisserver.StartSentinel(t)
	for url, want := range map[string]string{
		"redis://u:wrong@" + s.Addr():                           "WRONGPASS",
		"redis://nobody:right@" + s.Addr():                      "WRONGPASS",
		"redis://" + locked.Addr():                              "NOAUTH",
		"redis://:wrong@" + locked.Addr():                       "WRONGPASS",
		"redis://:right@" + locked.Addr() + "/99":               "DB index",
		"redis+cluster://" + s.Addr():                           "cluster support disabled",
		strings.Replace(pair.URL(), "/hushpost/", "/other/", 1): "sentinel",
	} {
		begin := time.Now()
		opened, err := redis.Open(t.Context(), redis.Options{URL: url})
		if err == nil {
			_ = opened.Close()
			t.Errorf("%s is opened", url)
			continue
		}
		if took := time.Since(begin); took > 5*time.Second || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v after %v, want %q", url, err, took, want)
		}
		for _, password := range []string{"right", "wrong"} {
			if strings.Contains(err.Error(), password) {
				t.Errorf("%s: the error repeats a password: %v", url, err)
			}
		}
	}
	open(t, "redis://u:right@"+s.Addr())
	open(t, "redis://:right@"+locked.Addr())
	open(t, "redis://:right@"+locked.Addr()+"/3")
}

// TestLoading: a Redis that is still loading its file is waited for.
func TestLoading(t *testing.T) {
	t.Parallel()
	// Redis looks up from loading every kilobyte, and takes its time with each key.
	s := redisserver.Start(t, "--loading-process-events-interval-bytes", "1024", "--key-load-delay", "500", "--aof-use-rdb-preamble", "yes")
	store := open(t, s.URL())
	first := draft(t, "", time.Hour)
	put(t, store, first, []byte("payload"))
	for range 2_000 {
		put(t, store, draft(t, "", time.Hour), noise(100))
	}
	do(t, s, "BGREWRITEAOF") // into the form that loads key by key
	if !poll(func() bool {
		info := do(t, s, "INFO", "persistence")
		return strings.Contains(info, "aof_rewrite_in_progress:0") && strings.Contains(info, "aof_rewrite_scheduled:0")
	}) {
		t.Fatal("the log is not rewritten")
	}
	s.Stop()
	opened := make(chan error, 1)
	met := make(chan bool, 1)
	go func() {
		met <- poll(func() bool {
			_, err := s.Do("PING")
			return err != nil && strings.HasPrefix(err.Error(), "LOADING")
		})
		second, err := redis.Open(context.WithoutCancel(t.Context()), redis.Options{URL: s.URL()})
		if err == nil {
			_, err = second.Get(context.WithoutCancel(t.Context()), first.Alias(), keep)
			_ = second.Close()
		}
		opened <- err
	}()
	s.Restart()
	if !<-met {
		t.Fatal("nobody saw it loading")
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestKeys: all processes on one Redis have one key, be it kept there or brought by all of them.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := redisserver.Start(t)
	own, other := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	with := func(key []byte) (*redis.Store, error) {
		store, err := redis.Open(t.Context(), redis.Options{URL: s.URL(), Key: key})
		if err == nil {
			t.Cleanup(func() { _ = store.Close() })
		}
		return store, err
	}
	refuses := func(key []byte, want string) {
		t.Helper()
		if _, err := with(key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	keys := make(chan [32]byte, 8)
	for range cap(keys) {
		go func() {
			store, err := with(nil)
			if err != nil {
				t.Error(err)
				keys <- [32]byte{}
				return
			}
			keys <- store.Key()
		}()
	}
	first := <-keys
	for range cap(keys) - 1 {
		if <-keys != first {
			t.Error("two processes have two keys")
		}
	}
	if first == [32]byte{} {
		t.Error("it is no key")
	}
	refuses(own, "another key")
	if text := do(t, s, "GET", "hp:key"); !strings.HasPrefix(text, "1 key ") {
		t.Errorf("hp:key is %q", text)
	}
	do(t, s, "SET", "hp:key", "2 key x")
	refuses(nil, "newer server")
	do(t, s, "DEL", "hp:key")
	store, err := with(own)
	if err != nil || store.Key() != [32]byte(own) {
		t.Errorf("%v", err)
	}
	if text := do(t, s, "GET", "hp:key"); strings.Contains(text, string(own)) || !strings.HasPrefix(text, "1 check ") {
		t.Errorf("hp:key is %q", text)
	}
	refuses(other, "another key")
	refuses(nil, "--server-key")
	if store, err = with(own); err != nil || store.Key() != [32]byte(own) {
		t.Errorf("%v", err)
	}
}
