package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// info is what a server says of itself.
type info map[string]string

func infoOf(ctx context.Context, c *redis.Client) (info, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, fmt.Errorf("asking Redis about its settings: %w", err)
	}
	in := make(info)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			in[name] = value
		}
	}
	// INFO does not tell how often the log is synced. The ACL that the README recommends keeps CONFIG closed, because it
	// gives away passwords as well; then the weaker promise is what is reported.
	if settings, err := c.ConfigGet(ctx, "appendfsync").Result(); err == nil {
		in["appendfsync"] = settings["appendfsync"]
	}
	return in, nil
}

// fault is a setting that breaks a promise of PROTOCOL 4.7, with its reason and its remedy.
type fault string

// faults looks for all that would lose secrets, or bring back what was erased.
func (in info) faults() []fault {
	var out []fault
	if reason := oldVersion(in); reason != "" {
		out = append(out, fault(reason))
	}
	if policy := in["maxmemory_policy"]; policy != "noeviction" {
		out = append(out, fault("maxmemory-policy is "+policy+": when memory is short, Redis drops secrets that wait and tombstones that must stay. "+
			"Set it to noeviction: then new secrets are refused instead"))
	}
	if in["aof_enabled"] != "1" {
		out = append(out, "there is no append-only file: after a crash the last snapshot is loaded, which has lost the newest secrets "+
			"and brings back erased ones, so that a second reader gets them. Set appendonly yes, and appendfsync always")
	}
	if in["appendfsync"] == "no" {
		out = append(out, "appendfsync is no: a crash of the machine undoes half a minute of creating and erasing. Set it to always")
	}
	if in["role"] == "slave" {
		out = append(out, "this is a replica: it cannot be written to. Give the primary's address, or redis+sentinel://")
	}
	return out
}

// patched are the first versions of each line without the holes in Lua of 2025: CVE-2025-49844, -46817, -46818 and -46819.
// 7.0 ended without a cure, but Debian's 7.0.15 has it (7.0.15-1~deb12u6), under the same number.
var patched = map[string]map[string]int{
	"redis":  {"7.0": 15, "7.2": 11, "7.4": 6, "8.0": 4, "8.2": 2},
	"valkey": {"7.2": 11, "8.0": 6, "8.1": 4},
}

// oldVersion says why a version is not good enough, or nothing. Lines that came after the table are.
func oldVersion(in info) string {
	product, version := "redis", in["redis_version"]
	if v := in["valkey_version"]; v != "" {
		product, version = "valkey", v
	}
	var major, minor, patch int
	if n, _ := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); n < 2 {
		return "its version " + strconv.Quote(version) + " is none that is known"
	}
	first, listed := patched[product][fmt.Sprintf("%d.%d", major, minor)]
	switch {
	case major < 7:
		return product + " " + version + " lacks what is needed here. Use 7.0.15 of Debian, or 7.2 and newer"
	case listed && patch < first:
		return fmt.Sprintf("%s %s has holes in Lua that let a client run code in the server (CVE-2025-49844 and others). Use %d.%d.%d or newer",
			product, version, major, minor, first)
	}
	return ""
}

// check looks at every server that is written to, and refuses what breaks promises.
func (s *Store) check(ctx context.Context, at *address, unsafe bool) error {
	var all []info
	if err := s.eachNode(ctx, func(c *redis.Client) error {
		in, err := infoOf(ctx, c)
		if err == nil && in["cluster_enabled"] == "1" && !at.cluster {
			return errors.New("this server is one of a cluster: its address must begin with redis+cluster://")
		}
		all = append(all, in)
		return err
	}); err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("the cluster has no server that can be written to")
	}
	faults := s.chooseWait(at, all)
	for _, in := range all {
		for _, f := range in.faults() {
			if !slices.Contains(faults, f) {
				faults = append(faults, f)
			}
		}
	}
	s.report = s.promise(at, all, len(faults) > 0)
	if len(faults) == 0 {
		return nil
	}
	if !unsafe {
		text := make([]string, len(faults))
		for i, f := range faults {
			text[i] = "- " + string(f)
		}
		return fmt.Errorf("this Redis would break promises that people rely on:\n%s\n--redis-unsafe=on starts nevertheless", strings.Join(text, "\n"))
	}
	for _, f := range faults {
		s.log.Warn("UNSAFE REDIS: secrets may be lost, or read twice", slog.String("reason", string(f)))
	}
	return nil
}

// chooseWait says how many replicas must have a change before it counts: none where there are none, and one where there
// is any, unless the address says otherwise.
func (s *Store) chooseWait(at *address, all []info) []fault {
	replicas := func(in info) int { n, _ := strconv.Atoi(in["connected_slaves"]); return n }
	some := slices.ContainsFunc(all, func(in info) bool { return replicas(in) > 0 })
	switch {
	case at.wait >= 0:
		s.wait = at.wait
	case some || at.master != "": // whoever has sentinels expects failovers
		s.wait = 1
	default:
		s.wait = 0
	}
	switch {
	case s.wait == 0 && (some || at.master != ""):
		return []fault{"wait=0 while there are replicas: a failover may bring back what was erased, and let a second reader in. Leave wait out of the address"}
	case slices.ContainsFunc(all, func(in info) bool { return replicas(in) < s.wait }):
		return []fault{"a server has fewer replicas connected than a change is to be on before it counts: nothing could be written. " +
			"Connect them, or say wait=0 if there are none on purpose"}
	}
	return nil
}

// promise names what the settings give (PROTOCOL 4.7).
func (s *Store) promise(at *address, all []info, faulty bool) vault.Inspection {
	in := all[0]
	r := vault.Inspection{Engine: "redis " + in["redis_version"]}
	if v := in["valkey_version"]; v != "" {
		r.Engine = "valkey " + v
	}
	switch {
	case at.cluster:
		r.Engine += ", cluster"
	case at.master != "":
		r.Engine += ", sentinel"
	}
	always := true
	for _, in := range all {
		always = always && in["appendfsync"] == "always"
	}
	switch {
	case faulty:
		r.Promise = "none: see the warning"
		r.Warning = "settings of Redis were accepted by --redis-unsafe that lose secrets or let them be read twice"
	case always:
		r.Promise = "strict: what was acknowledged survives kill -9 and a power cut, and nothing is read twice"
	default:
		r.Promise = "standard: what was acknowledged survives kill -9; a power cut may undo the last second, of creating and of erasing"
	}
	if s.wait > 0 && !faulty {
		r.Promise += fmt.Sprintf("; a change counts when %d of the replicas have it, so a failover to one of those undoes nothing", s.wait)
	}
	return r
}

// Inspect implements vault.Inspector.
func (s *Store) Inspect(ctx context.Context) (vault.Inspection, error) {
	err := s.eachNode(ctx, func(c *redis.Client) error { return c.Ping(ctx).Err() })
	return s.report, err
}

const (
	keyName   = "hp:key"
	keyHere   = "1 key "   // format of what is stored, and the key itself
	keyBeside = "1 check " // or a hash of a key that is kept elsewhere
)

// agreeOnKey gives every process the same key: the first one makes it. A key that the operator brings stays out of
// Redis, so that a stolen Redis is no list of people; a check of it makes sure that all processes were given the same.
func (s *Store) agreeOnKey(ctx context.Context, own []byte) error {
	_, _ = rand.Read(s.key[:]) // never fails
	mine := keyHere + base64.RawURLEncoding.EncodeToString(s.key[:])
	if own != nil {
		copy(s.key[:], own)
		sum := sha256.Sum256(append([]byte("hushpost-key-check:"), own...))
		mine = keyBeside + base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if _, err := s.call(ctx, keyName, true, func(b *batch) *redis.Cmd {
		return b.anyway(ctx, keyName, "SET", keyName, mine, "NX")
	}); err != nil {
		return fmt.Errorf("agreeing on the server's key: %w", err)
	}
	theirs, _, err := s.look(ctx, keyName)
	switch {
	case err != nil:
		return fmt.Errorf("agreeing on the server's key: %w", err)
	case theirs == nil:
		return errors.New("agreeing on the server's key: it has gone")
	case subtle.ConstantTimeCompare([]byte(*theirs), []byte(mine)) == 1:
		return nil
	case own != nil && strings.HasPrefix(*theirs, keyHere):
		return errors.New("this Redis keeps the key of its servers itself: leave --server-key out, for with another key nothing would be found")
	case own != nil:
		return errors.New("this Redis belongs to servers with another key: give the same --server-key to all of them")
	case strings.HasPrefix(*theirs, keyBeside):
		return errors.New("this Redis belongs to servers whose key is kept elsewhere: give it as --server-key")
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(*theirs, keyHere))
	if err != nil || len(key) != len(s.key) || !strings.HasPrefix(*theirs, keyHere) {
		return errors.New("the data in this Redis was made by a newer server")
	}
	copy(s.key[:], key)
	return nil
}
