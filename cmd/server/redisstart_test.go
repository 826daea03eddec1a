package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// refuses starts a server that is to end by itself, and gives all that it says.
func refuses(t *testing.T, code int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, testenv.Binary(t), append([]string{"--listen=127.0.0.1:0", "--data=" + t.TempDir()}, args...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() != code {
		t.Errorf("exit code %d, want %d; %v: %s", cmd.ProcessState.ExitCode(), code, err, out)
	}
	return string(out)
}

// says checks that all words are in a text, and none of what it must not give away.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("it does not say %q: %s", word, text)
		}
	}
	for _, secret := range []string{password, "redis://", "%21"} {
		if strings.Contains(text, secret) {
			t.Errorf("it says %q: %s", secret, text)
		}
	}
}

// password is one that must be escaped in a URL, so that it can be recognized in both forms.
const password = "dont-tell-me!"

func config(t *testing.T, r *redisserver.Server, args ...string) {
	t.Helper()
	if _, err := r.Do(args...); err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
}

// TestRefusesRedisThatForgets: settings that break a promise are named, with the reason and the remedy (PROTOCOL 4.7). Who
// insists gets a server that says so wherever it is asked.
func TestRefusesRedisThatForgets(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings []string
		says     []string
	}{
		"snapshots only": {[]string{"--appendonly", "no", "--save", "60 1"}, []string{"append-only", "Set appendonly yes"}},
		"eviction":       {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"}, []string{"maxmemory-policy is allkeys-lru", "Set it to noeviction"}},
		"no sync":        {[]string{"--appendfsync", "no"}, []string{"appendfsync is no", "Set it to always"}},
		"all of it": {
			[]string{"--appendonly", "no", "--maxmemory-policy", "volatile-ttl"},
			[]string{"maxmemory-policy is volatile-ttl", "Set appendonly yes"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := redisserver.Start(t, test.settings...)
			says(t, refuses(t, 1, "--store="+r.URL()), append(test.says, "--redis-unsafe=on")...)
			if reply, err := r.Do("KEYS", "*"); err != nil || reply != "" {
				t.Errorf("it has written %q, %v", reply, err)
			}
			server := testenv.StartServer(t, "--store="+r.URL(), "--redis-unsafe=on")
			says(t, server.Log(), append(test.says, "level=WARN", "UNSAFE REDIS")...)
			c := &cage{Client: server.Client(), t: t}
			says(t, string(c.do("GET", "/api/health?verbose", nil, "").Body), `"status":"ok"`, `"promise":"none`, `"warning":"`)
			c.must(http.StatusCreated, c.Create, testenv.NewSecret(256))
		})
	}
}

// TestRedisPromises: what good settings promise is in the report, and there is no warning.
func TestRedisPromises(t *testing.T) {
	t.Parallel()
	for sync, promise := range map[string]string{"always": "strict", "everysec": "standard"} {
		server := testenv.StartServer(t, "--store="+redisserver.Start(t, "--appendfsync", sync).URL())
		c := &cage{Client: server.Client(), t: t}
		text := string(c.do("GET", "/api/health?verbose", nil, "").Body)
		says(t, text, `"engine":"redis `, `"promise":"`+promise)
		if strings.Contains(text, "warning") || strings.Contains(server.Log(), "WARN") {
			t.Errorf("a warning: %s %s", text, server.Log())
		}
	}
}

// TestServerKeys: servers on one Redis have one key, or do not start: with another they would find nothing.
func TestServerKeys(t *testing.T) {
	t.Parallel()
	one, two := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(one+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("brought", func(t *testing.T) {
		r := redisserver.Start(t)
		here := testenv.StartServer(t, "--store="+r.URL(), "--server-key="+one)
		text := refuses(t, 1, "--store="+r.URL(), "--server-key="+two)
		says(t, text, "another key", "--server-key")
		without := refuses(t, 1, "--store="+r.URL())
		says(t, without, "kept elsewhere", "--server-key")
		there := testenv.StartServer(t, "--store="+r.URL(), "--server-key=@"+file)
		c, d := &cage{Client: here.Client(), t: t}, &cage{Client: there.Client(), t: t}
		creator := keeping("c0ffee000001", 300)
		view := posts[struct{ View string }](c, "create", creator).View
		if a := d.post("view", map[string]string{"view": view, "uid": "anonymous"}); a.Status != http.StatusOK {
			t.Errorf("at the other: %d", a.Status)
		}
		var canary testenv.Canary
		canary.Add("the key", []byte(strings.Repeat("\xa1", 32)))
		logs := text + without + here.Log() + there.Log()
		if found := canary.Search(append(dump(t, r), logs...)); found != nil {
			t.Errorf("in Redis or in a log: %v", found)
		}
	})
	t.Run("kept in Redis", func(t *testing.T) {
		r := redisserver.Start(t)
		server := testenv.StartServer(t, "--store="+r.URL())
		s := testenv.NewSecret(256)
		c := &cage{Client: server.Client(), t: t}
		c.must(http.StatusCreated, c.Create, s)
		says(t, refuses(t, 1, "--store="+r.URL(), "--server-key="+one), "keeps the key", "leave --server-key out")
		c.must(http.StatusOK, c.Open, s) // the attempt has changed nothing
	})
	says(t, refuses(t, 1, "--server-key="+one), "--server-key is for Redis")
}

// TestRedisOutOfReach: what is wrong is said in words, once, and without the address, which may have a password in it.
func TestRedisOutOfReach(t *testing.T) {
	t.Parallel()
	open, closed := redisserver.Start(t), redisserver.Start(t)
	config(t, open, "ACL", "SETUSER", "app", "on", ">"+password, "~*", "&*", "+@all")
	config(t, closed, "CONFIG", "SET", "requirepass", "another")
	escaped := strings.ReplaceAll(password, "!", "%21")
	for _, test := range []struct{ name, at, word string }{
		{"wrong password", "app:" + escaped + "x@" + open.Addr(), "WRONGPASS"},
		{"unknown user", "nobody:" + escaped + "@" + open.Addr(), "WRONGPASS"},
		{"no password", closed.Addr(), "NOAUTH"},
		{"nothing listens", "app:" + escaped + "@127.0.0.1:1", "refused"},
	} {
		for _, more := range []string{"--log-level=debug", "--load-scripts"} {
			t.Run(test.name+" "+more, func(t *testing.T) {
				t.Parallel()
				start := time.Now()
				text := refuses(t, 1, "--store=redis://"+test.at+"/0", more)
				says(t, text, "connecting to Redis", test.word)
				waiting := func(line string) bool { return strings.Contains(line, "waiting for Redis") }
				text = strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), waiting), "")
				if n := strings.Count(text, "\n"); n != 1 {
					t.Errorf("%d lines: %s", n, text)
				}
				if took := time.Since(start); took > 25*time.Second {
					t.Errorf("it took %v to say so", took)
				}
			})
		}
	}
	t.Run("later", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "store")
		if err := os.WriteFile(file, fmt.Appendf(nil, "redis://app:%s@%s/0\n", escaped, open.Addr()), 0o600); err != nil {
			t.Fatal(err)
		}
		server := testenv.StartServer(t, "--store=@"+file, "--log-level=debug")
		c := &cage{Client: server.Client(), t: t}
		c.must(http.StatusCreated, c.Create, testenv.NewSecret(256))
		config(t, open, "ACL", "SETUSER", "app", "resetpass", ">another")
		config(t, open, "CLIENT", "KILL", "USER", "app")
		c.must(http.StatusServiceUnavailable, c.Create, testenv.NewSecret(256))
		config(t, open, "ACL", "SETUSER", "app", ">"+password)
		c.must(http.StatusCreated, c.Create, testenv.NewSecret(256))
		server.AwaitLog("WRONGPASS")
		says(t, server.Log(), "msg=trouble")
	})
}

// TestLoadScripts: a user who may not load scripts can run what another has loaded, and is told what to do until then;
// Redis forgets them when it starts anew.
func TestLoadScripts(t *testing.T) {
	t.Parallel()
	says(t, refuses(t, 1, "--load-scripts"), "--load-scripts needs the address of a Redis")
	r := redisserver.Start(t)
	user := []string{"ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-script|load", "-eval", "-@admin"}
	config(t, r, user...)
	limited := "--store=redis://app:pw@" + r.Addr()
	says(t, refuses(t, 1, limited), "--load-scripts")
	load := func() {
		t.Helper()
		if text := refuses(t, 0, "--store="+r.URL(), "--load-scripts"); text != "" {
			t.Errorf("loading: %s", text)
		}
	}
	load()
	server := testenv.StartServer(t, limited)
	c := &cage{Client: server.Client(), t: t}
	s := testenv.NewSecret(256)
	c.must(http.StatusCreated, c.Create, s)
	// CONFIG is closed to this user, so that nobody knows how often Redis syncs: the weaker promise is reported.
	says(t, string(c.do("GET", "/api/health?verbose", nil, "").Body), `"promise":"standard`)
	r.Stop()
	r.Restart()
	config(t, r, user...) // which was in no file
	if a := c.must(http.StatusServiceUnavailable, c.Open, s); a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	server.AwaitLog("--load-scripts")
	load()
	c.must(http.StatusOK, c.Open, s)
}
