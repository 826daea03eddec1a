package redis_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/store/redis"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	single := redis.Parsed{Hosts: []string{"h:6379"}, Wait: -1}
	with := func(p redis.Parsed, change func(*redis.Parsed)) redis.Parsed {
		change(&p)
		return p
	}
	for url, want := range map[string]redis.Parsed{
		"redis://h":             single,
		"redis://h/":            single,
		"redis://h:6379/0":      single,
		"redis://h?db=0":        single,
		"redis://h:1":           {Hosts: []string{"h:1"}, Wait: -1},
		"redis://h/2":           with(single, func(p *redis.Parsed) { p.DB = 2 }),
		"redis://h?db=2":        with(single, func(p *redis.Parsed) { p.DB = 2 }),
		"redis://h/?wait=0":     with(single, func(p *redis.Parsed) { p.Wait = 0 }),
		"redis://h/1?wait=2":    with(single, func(p *redis.Parsed) { p.DB, p.Wait = 1, 2 }),
		"redis://[::1]":         {Hosts: []string{"[::1]:6379"}, Wait: -1},
		"redis://[fe80::1]:7/3": {Hosts: []string{"[fe80::1]:7"}, DB: 3, Wait: -1},
		"redis://::1":           {Hosts: []string{"[::1]:6379"}, Wait: -1},
		"redis://127.0.0.1:7":   {Hosts: []string{"127.0.0.1:7"}, Wait: -1},

		"redis://:pw@h":                     with(single, func(p *redis.Parsed) { p.Password = "pw" }),
		"redis://u:pw@h":                    with(single, func(p *redis.Parsed) { p.User, p.Password = "u", "pw" }),
		"redis://u@h":                       with(single, func(p *redis.Parsed) { p.User = "u" }),
		"redis://u:p%40%3A%2F%25%3F%23w@h":  with(single, func(p *redis.Parsed) { p.User, p.Password = "u", "p@:/%?#w" }),
		"redis://u:p@:w@h":                  with(single, func(p *redis.Parsed) { p.User, p.Password = "u", "p@:w" }),
		"redis://u%40home:p,w@h":            with(single, func(p *redis.Parsed) { p.User, p.Password = "u@home", "p,w" }),
		"redis://u:p%40w@[::1]:7":           {Hosts: []string{"[::1]:7"}, Wait: -1, User: "u", Password: "p@w"},
		"unix:///run/redis.sock":            {Hosts: []string{"/run/redis.sock"}, Wait: -1},
		"unix:///run/redis.sock?db=2":       {Hosts: []string{"/run/redis.sock"}, DB: 2, Wait: -1},
		"unix://u:p%2Fw@/run/a b%20c.sock":  {Hosts: []string{"/run/a b c.sock"}, Wait: -1, User: "u", Password: "p/w"},
		"redis+cluster://a":                 {Hosts: []string{"a:6379"}, Cluster: true, Wait: -1},
		"redis+cluster://u:pw@a,b:1,[::1]":  {Hosts: []string{"a:6379", "b:1", "[::1]:6379"}, Cluster: true, Wait: -1, User: "u", Password: "pw"},
		"redis+cluster://a,b/0?wait=1":      {Hosts: []string{"a:6379", "b:6379"}, Cluster: true, Wait: 1},
		"redis+sentinel://a/name":           {Hosts: []string{"a:26379"}, Master: "name", Wait: -1},
		"redis+sentinel://a,b:1,[::1]/name": {Hosts: []string{"a:26379", "b:1", "[::1]:26379"}, Master: "name", Wait: -1},
		"redis+sentinel://u:p%40w@a/name/2?wait=1&sentinel_user=su&sentinel_password=s%26p": {
			Hosts: []string{"a:26379"}, Master: "name", DB: 2, Wait: 1, User: "u", Password: "p@w", SentinelUser: "su", SentinelPassword: "s&p",
		},
	} {
		for _, encrypted := range []bool{false, true} {
			if encrypted {
				if strings.HasPrefix(url, "unix:") {
					continue
				}
				url = strings.Replace(url, "redis", "rediss", 1)
			}
			got, tls, err := redis.Parse(url)
			if err != nil || !reflect.DeepEqual(got, want) || (tls != nil) != encrypted {
				t.Errorf("%s: %+v, TLS %t, %v, want %+v", url, got, tls != nil, err, want)
			}
			if err := redis.CheckAddress(url); err != nil {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}

// TestWrongAddresses: what is wrong is said, and nothing of the address is: it holds a password.
func TestWrongAddresses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "sesame-empty.pem")
	if err := os.WriteFile(empty, []byte("sesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"", "sesame", "redis", "redis:", "redis:sesame", "redis://", "redis:///sesame", "redis://:sesame@", "redis://:sesame@/0", "http://:sesame@h", "REDIS://sesame",
		"redis+sesame://h", "redis+cluster+sentinel://sesame", "rediss+unix:///sesame", "unixs:///sesame",
		"redis://:sesame@a,b", "redis://:sesame@a,b/0",
		"redis://:sesame@h/x", "redis://:sesame@h/-1", "redis://:sesame@h/1/2", "redis://:sesame@h?db=x", "redis://:sesame@h/9999999999999999999999",
		"redis+cluster://:sesame@h/1", "redis+cluster://:sesame@h?db=1", "redis+cluster://", "redis+cluster://:sesame@",
		"redis+sentinel://:sesame@h", "redis+sentinel://:sesame@h/", "redis+sentinel://:sesame@h//0", "redis+sentinel://:sesame@h/name/x",
		"redis://:sesame@h?wait=x", "redis://:sesame@h?wait=", "redis://:sesame@h?wait=-1", "redis://:sesame@h?wait=101", "redis://:sesame@h?wait=1.5",
		"redis://h?sesame=1", "redis://h?password=sesame", "redis://h?ca=sesame", "redis://h?key=sesame", "redis+cluster://h?cert=sesame",
		"redis://:ses%zzame@h", "redis://:sesame%@h", "redis://:sesame@h/%zz", "redis://:sesame/sesame@h", "redis://:sesame?sesame@h", "redis://:sesame#sesame@h",
		"redis://:sesame\n@h", "redis://:ses ame@h", "redis://:sesame@h\x00",
		"rediss://:sesame@h?ca=/nowhere/sesame", "rediss://:sesame@h?ca=" + empty, "rediss://:sesame@h?cert=/nowhere/sesame", "rediss://:sesame@h?key=/nowhere/sesame",
		"rediss://:sesame@h?cert=" + empty + "&key=" + empty,
		"unix://sesame/run/redis.sock", "unix://u:sesame@h/run/redis.sock", "unix:///run/sesame?db=x", "unix:///run/sesame?ca=x", "unix://", "unix://:sesame@", "unix://?db=1",
		"redis://:sesame@h?wait=%zz", "redis://:sesame@h?wait=1;db=2", "redis+sentinel://h/name?sentinel_password=ses%zzame",
		"redis://:sesame@a,", "redis+cluster://:sesame@a,,b", "redis+cluster://:sesame@,", "redis://:sesame@h:", "redis://:sesame@h:x", "redis://:sesame@h:65536", "redis+cluster://:sesame@a,b:x",
		"redis://sesame#sesame@h",
	} {
		err := redis.CheckAddress(url)
		if err == nil {
			t.Errorf("%q is taken", url)
			continue
		}
		if text := err.Error(); strings.Contains(text, "sesame") || strings.Contains(text, dir) || strings.Contains(text, "nowhere") {
			t.Errorf("%q: the error repeats it: %s", url, text)
		}
		if s, err := redis.Open(t.Context(), redis.Options{URL: url}); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q is opened (%t): %v", url, s != nil, err)
		}
	}
}
