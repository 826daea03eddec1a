package main_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	main "github.com/hushpost/hushpost/cmd/server"
)

var digest = strings.Repeat("ab", 32)

// settingTests has each setting: what its default, a value in the environment and another by flag come to, and what is
// refused. A value in clear must not be in the refusal of a secret one.
var settingTests = map[string]struct {
	byDefault, env, fromEnv, flag, fromFlag string
	bad                                     []string
}{
	"listen":          {":8080", "127.0.0.1:1234", "127.0.0.1:1234", "[::1]:0", "[::1]:0", []string{"8080", "localhost", "localhost:http", ":65536", ":-1", ":"}},
	"data":            {"./data", "/srv/a", "/srv/a", "/srv/b", "/srv/b", []string{""}},
	"store":           {"sqlite", "rediss+cluster://u:p@a,b:1", "rediss+cluster://u:p@a,b:1", "sqlite", "sqlite", []string{"", "redis", "SQLite", "redis://", "redis://u:SECRET@a,b", "http://SECRET", "redis://:SECRET@a/x", "redis://a?SECRET=1", "@/nowhere/SECRET"}},
	"redis-unsafe":    {"false", "on", "true", "off", "false", []string{"", "yes", "true", "ON"}},
	"server-key":      {"", digest, digest, strings.ToUpper(digest), digest, []string{digest[1:], digest + "00", strings.Repeat("SECRET", 11), "@/nowhere/SECRET"}},
	"public-url":      {"", "https://a.example/", "https://a.example", "http://b.example:81/p/", "http://b.example:81/p", []string{"a.example", "ftp://a.example", "https://", "https://a.example/?q", "https://a.example/#f", "https://u@a.example", "://"}},
	"api-keys":        {"", "bot:" + digest, "bot abab", " mail:" + strings.ToUpper(digest) + ",", "mail abab", []string{"bot", "bot:", ":" + digest, "bot:" + digest[1:], "bot:" + digest + "00", "hp_SECRETSECRET", "@/nowhere/at/all"}},
	"limits":          {"true", "off", "false", "on", "true", []string{"", "yes", "true", "OFF"}},
	"strict":          {"false", "on", "true", "off", "false", []string{"", "yes", "true", "ON"}},
	"max-payload":     {"67108864", "512KiB", "524288", "1MiB", "1048576", []string{"", "64", "64MB", "1023", "-1MiB", "1.5MiB", "MiB", "2000GiB", "99999999999999999999"}},
	"max-ttl":         {"8760h0m0s", "72h", "72h0m0s", "30d", "720h0m0s", []string{"", "59s", "366d", "1y", "-1d", "d", "1.5d", "99999999d", "1000000h"}},
	"trusted-proxies": {"[]", "10.0.0.0/8, 192.0.2.1", "[10.0.0.0/8 192.0.2.1/32]", "fd00::/8", "[fd00::/8]", []string{"10.0.0.1/8", "0.0.0.0/0", "::/0", "proxy", "10.0.0.0/33", ","}},
	"cors-origins":    {"", "https://a.example", "https://a.example", "https://a.example, http://b.example:81", "https://a.example http://b.example:81", []string{"*", "a.example", "https://a.example/", "https://a.example/p", "null"}},
	"log-format":      {"text", "json", "json", "text", "text", []string{"", "xml"}},
	"log-level":       {"INFO", "debug", "DEBUG", "error", "ERROR", []string{"", "loud"}},
}

func environment(name, value string) func(string) string {
	return func(asked string) string {
		if asked == name {
			return value
		}
		return ""
	}
}

func TestSettings(t *testing.T) {
	if len(settingTests) != len(main.Settings()) {
		t.Errorf("%d settings are tested, there are %d", len(settingTests), len(main.Settings()))
	}
	for _, s := range main.Settings() {
		t.Run(s.Flag, func(t *testing.T) {
			c, ok := settingTests[s.Flag]
			if !ok {
				t.Fatal("this setting is not tested")
			}
			for _, way := range []struct {
				name string
				args []string
				env  string
				want string
			}{
				{"default", nil, "", c.byDefault},
				{"environment", nil, c.env, c.fromEnv},
				{"flag", []string{"--" + s.Flag + "=" + c.flag}, "", c.fromFlag},
				{"flag wins", []string{"--" + s.Flag, c.flag}, c.env, c.fromFlag},
			} {
				got, err := main.Configured(way.args, environment(s.Env, way.env))
				if err != nil || got[s.Flag] != way.want {
					t.Errorf("%s: %q, want %q (%v)", way.name, got[s.Flag], way.want, err)
				}
			}
			for _, bad := range c.bad {
				refusedAtStart(t, s, bad)
			}
		})
	}
}

// refusedAtStart gives a bad value by both ways: the exit code is 2, and the message names the setting and what it takes.
func refusedAtStart(t *testing.T, s main.Setting, bad string) {
	t.Helper()
	for name, way := range map[string]struct {
		args []string
		env  string
	}{"--" + s.Flag: {[]string{"--" + s.Flag + "=" + bad}, ""}, s.Env: {nil, bad}} {
		if way.args == nil && way.env == "" {
			continue // an empty variable is one that is not set
		}
		var stdout, stderr bytes.Buffer
		code := main.Run(t.Context(), way.args, environment(s.Env, way.env), &stdout, &stderr)
		if code != 2 || stdout.Len() > 0 || !strings.Contains(stderr.String(), name) || !strings.Contains(stderr.String(), s.Want) {
			t.Errorf("%s %q: exit %d: %s", name, bad, code, stderr.String())
		}
		if strings.Contains(stderr.String(), "SECRET") {
			t.Errorf("the value is shown: %s", stderr.String())
		}
	}
}

func TestAPIKeysFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("bot:"+digest+"\nmail:"+strings.Repeat("cd", 32)+"\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := main.Configured([]string{"--api-keys=@" + path}, environment("", ""))
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(got["api-keys"])
	slices.Sort(names)
	if want := []string{"abab", "bot", "cdcd", "mail"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestUsage(t *testing.T) {
	for _, ask := range []string{"--help", "-h"} {
		var stdout, stderr bytes.Buffer
		if code := main.Run(t.Context(), []string{ask}, environment("", ""), &stdout, &stderr); code != 0 || stderr.Len() > 0 {
			t.Fatalf("exit %d: %s", code, stderr.String())
		}
		lines := strings.Split(stdout.String(), "\n")
		for _, s := range main.Settings() {
			value := s.Default
			if value == "" {
				value = "-"
			}
			i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "--"+s.Flag+" ") })
			if i < 0 {
				t.Errorf("--%s is not in the table", s.Flag)
				continue
			}
			fields := strings.Fields(lines[i])
			if fields[1] != s.Env || fields[2] != value || !strings.Contains(lines[i], s.Help) || !strings.HasSuffix(lines[i], s.Want) {
				t.Errorf("%s", lines[i])
			}
		}
		if !strings.Contains(stdout.String(), "--version") {
			t.Error("--version is not mentioned")
		}
	}
}

func TestCommandLine(t *testing.T) {
	for _, c := range []struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		{[]string{"--version"}, 0, "hushpost server ", ""},
		{[]string{"--nonsense"}, 2, "", "nonsense"},
		{[]string{"serve"}, 2, "", "--name=value"},
		{[]string{"--data"}, 2, "", "data"},
		{[]string{"--data=/dev/null/x", "--listen=127.0.0.1:0"}, 1, "", "making the data folder"},
	} {
		var stdout, stderr bytes.Buffer
		code := main.Run(t.Context(), c.args, environment("GOGC", "100"), &stdout, &stderr)
		if code != c.code || !strings.Contains(stdout.String(), c.stdout) || !strings.Contains(stderr.String(), c.stderr) || (c.stdout == "") != (stdout.Len() == 0) {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, stdout.String(), stderr.String())
		}
	}
}
