package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/vault"
)

var errNoScripts = errors.New("--load-scripts needs the address of a Redis as --store")

// config is what the operator chose.
type config struct {
	listen string
	data   string
	store  string

	redisUnsafe bool
	serverKey   []byte
	loadScripts bool

	publicURL  *url.URL
	apiKeys    httpd.APIKeys
	limits     bool
	strict     bool
	maxPayload int64
	maxTTL     time.Duration
	proxies    []netip.Prefix
	origins    []string
	log        *slog.Logger
	logFormat  string
	logLevel   slog.Level
}

// setting is one line of the table that --help prints. Every flag has an environment variable of the same
// meaning, HUSHPOST_ and its name in capitals; the flag wins.
type setting struct {
	flag  string
	value string // default
	help  string
	want  string // what is accepted, for the error
	set   func(c *config, v string) error

	secret bool // its value is in no message
}

func (s setting) env() string {
	return "HUSHPOST_" + strings.ToUpper(strings.ReplaceAll(s.flag, "-", "_"))
}

var settings = []setting{
	{"listen", ":8080", "address to listen on", "host:port or :port", func(c *config, v string) error {
		c.listen = v
		_, port, err := net.SplitHostPort(v)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		return err
	}, false},
	{"data", "./data", "folder for the database and large payloads", "a folder", func(c *config, v string) error {
		c.data = v
		return nonEmpty(v)
	}, false},
	{"store", storeSQLite, "where secrets are kept", "sqlite, or a URL of Redis (see below), or @file", setStore, true},
	{"redis-unsafe", "off", "start though Redis breaks promises", "on or off", func(c *config, v string) error {
		c.redisUnsafe = v == "on"
		return oneOf(v, "on", "off")
	}, false},
	{"server-key", "", "the key of all servers, if not kept in Redis", "64 hexadecimal digits, or @file, or nothing", setServerKey, true},
	{"public-url", "", "address that people reach this server by", "https://host[:port][/prefix], or nothing", setPublicURL, true},
	{"api-keys", "", "programs that get events and no limits", "name:sha256hex of the whole key, separated by commas, or @file", setAPIKeys, true},
	{"limits", "on", "limits a source: requests, bytes, misses", "on, or off for load tests", func(c *config, v string) error {
		c.limits = v == "on"
		return oneOf(v, "on", "off")
	}, false},
	{"strict", "off", "refuse claims of kept secrets that prove nothing", "on or off", func(c *config, v string) error {
		c.strict = v == "on"
		return oneOf(v, "on", "off")
	}, false},
	{"max-payload", "64MiB", "largest sealed secret", "a size such as 512KiB or 64MiB, at least 1KiB", func(c *config, v string) (err error) {
		c.maxPayload, err = parseSize(v)
		return err
	}, false},
	{"max-ttl", "365d", "longest lifetime a sender may choose", "a time such as 72h or 30d, from 1m to 365d", func(c *config, v string) (err error) {
		c.maxTTL, err = parseTTL(v)
		return err
	}, false},
	{"trusted-proxies", "", "proxies whose X-Forwarded-For is believed", "addresses and CIDR ranges, separated by commas", func(c *config, v string) (err error) {
		c.proxies, err = httpd.ParseProxies(v)
		return err
	}, false},
	{"cors-origins", "", "other sites whose pages may use the API", "origins such as https://example.org, separated by commas", setOrigins, false},
	{"log-format", "text", "form of the log", "text or json", func(c *config, v string) error {
		c.logFormat = v
		return oneOf(v, "text", "json")
	}, false},
	{"log-level", "info", "least important lines to log", "debug, info, warn or error", func(c *config, v string) error {
		return c.logLevel.UnmarshalText([]byte(v))
	}, false},
}

// configure reads flags and environment. An error names the setting and what is expected; flag.ErrHelp and
// errVersion ask for something else.
func configure(args []string, getenv func(string) string, logged io.Writer) (*config, error) {
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	values := make([]*string, len(settings))
	for i, s := range settings {
		values[i] = set.String(s.flag, "", s.help)
	}
	version := set.Bool("version", false, "print the version")
	scripts := set.Bool("load-scripts", false, "load the scripts into Redis and exit")
	switch err := set.Parse(args); {
	case err != nil:
		return nil, err
	case *version:
		return nil, errVersion
	case set.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q: settings are given as --name=value", set.Arg(0))
	}
	given := make(map[string]bool)
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c := &config{loadScripts: *scripts}
	for i, s := range settings {
		v, from := s.value, "--"+s.flag
		if env := getenv(s.env()); given[s.flag] {
			v = *values[i]
		} else if env != "" {
			v, from = env, s.env()
		}
		if err := s.set(c, v); err != nil {
			if s.secret {
				return nil, fmt.Errorf("%s: expected %s (%w)", from, s.want, err)
			}
			return nil, fmt.Errorf("%s is %q: expected %s (%w)", from, v, s.want, err)
		}
	}
	options := &slog.HandlerOptions{Level: c.logLevel}
	c.log = slog.New(slog.NewTextHandler(logged, options))
	if c.logFormat == "json" {
		c.log = slog.New(slog.NewJSONHandler(logged, options))
	}
	return c, nil
}

var errVersion = errors.New("version asked for")

func usage(w io.Writer) {
	_, _ = fmt.Fprint(w, "Hushpost server: keeps sealed secrets and hands each to one reader.\n\nUsage: server [--setting=value …]\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "SETTING\tENVIRONMENT\tDEFAULT\tMEANING\tEXPECTED")
	for _, s := range settings {
		value := s.value
		if value == "" {
			value = "-"
		}
		_, _ = fmt.Fprintf(t, "--%s\t%s\t%s\t%s\t%s\n", s.flag, s.env(), value, s.help, s.want)
	}
	_ = t.Flush()
	_, _ = fmt.Fprintf(w, "\nAddresses of Redis, for --store:\n%s\n", redis.Address)
	_, _ = fmt.Fprintln(w, "\n--version prints the version. --load-scripts loads the scripts into Redis, for servers whose user may not, and exits.\n"+
		"A flag wins over its environment variable.")
}

func nonEmpty(v string) error {
	if v == "" {
		return errors.New("empty")
	}
	return nil
}

func oneOf(v string, choices ...string) error {
	if !slices.Contains(choices, v) {
		return errors.New("not one of these")
	}
	return nil
}

// setStore checks what can be checked without connecting. The address may hold a password: that belongs into the
// environment or a file, for arguments are seen by everybody on the machine.
func setStore(c *config, v string) (err error) {
	if c.store, err = secretOf(v); err != nil {
		return errors.New("the file cannot be read")
	}
	if c.store == storeSQLite {
		return nil
	}
	return redis.CheckAddress(c.store)
}

func setServerKey(c *config, v string) error {
	v, err := secretOf(v)
	if err != nil {
		return errors.New("the file cannot be read")
	}
	if v == "" {
		return nil
	}
	if c.serverKey, err = hex.DecodeString(v); err != nil || len(c.serverKey) != 32 {
		return errors.New("not 64 hexadecimal digits")
	}
	return nil
}

func setPublicURL(c *config, v string) error {
	if v == "" {
		return nil
	}
	u, err := url.Parse(v)
	switch {
	case err != nil:
		return errors.New("not a URL")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return errors.New("scheme or host is missing")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return errors.New("it has a query, a fragment or a user")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	c.publicURL = u
	return nil
}

func setOrigins(c *config, v string) error {
	for o := range strings.SplitSeq(v, ",") {
		if o = strings.TrimSpace(o); o == "" {
			continue
		}
		u, err := url.Parse(o)
		// As browsers write it, or it would never match.
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || o != u.Scheme+"://"+strings.ToLower(u.Host) {
			return errors.New("one of them is not an origin in lower case, without a path")
		}
		if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
			return errors.New("leave out the port that is usual for the scheme")
		}
		c.origins = append(c.origins, o)
	}
	return nil
}

func setAPIKeys(c *config, v string) error {
	v, err := secretOf(v)
	if err != nil {
		return errors.New("the file cannot be read")
	}
	c.apiKeys = make(httpd.APIKeys)
	for entry := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ',' || r == '\n' }) {
		name, digest, _ := strings.Cut(strings.TrimSpace(entry), ":")
		sum, err := hex.DecodeString(digest)
		if name == "" || err != nil || len(sum) != sha256.Size {
			return errors.New("one of them is not of this form")
		}
		c.apiKeys[[sha256.Size]byte(sum)] = name
	}
	return nil
}

func parseSize(v string) (int64, error) {
	unit := int64(1)
	for suffix, n := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if number, ok := strings.CutSuffix(v, suffix); ok {
			v, unit = number, n
		}
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return 0, errors.New("not a size")
	}
	if n *= unit; n < 1<<10 || n > 1<<40 {
		return 0, errors.New("out of range")
	}
	return n, nil
}

func parseTTL(v string) (time.Duration, error) {
	d, err := time.ParseDuration(v)
	if days, ok := strings.CutSuffix(v, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 16)
		d = time.Duration(n) * 24 * time.Hour
	}
	if err != nil {
		return 0, errors.New("not a time")
	}
	if d < vault.MinTTL || d > vault.MaxTTL {
		return 0, errors.New("out of range")
	}
	return d, nil
}

// secretOf reads a setting that may name a file that holds it: @file.
func secretOf(v string) (string, error) {
	path, ok := strings.CutPrefix(v, "@")
	if !ok {
		return v, nil
	}
	b, err := os.ReadFile(path) //nolint:gosec // G304: the operator names it
	return strings.TrimSpace(string(b)), err
}
