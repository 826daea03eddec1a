package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// keptLife is what happens to one kept secret, as a script: see life. Its people are known by names; a name that ends
// in a dot has a UID of seed B's length, all others have one that is a proof (PROTOCOL 5.1).
type keptLife struct {
	name    string
	size    int
	guarded bool          // a claim must bring its token
	strict  bool          // the server's mode
	key     bool          // made with an idempotency key
	ttl     time.Duration // 0: it does not expire
	script  string
}

func runKeptLives(t *testing.T, open Opener) {
	for _, l := range keptLives {
		for _, size := range []int{100, 200_000} {
			for _, swept := range []bool{false, true} {
				l.size = size
				t.Run(fmt.Sprintf("%s/%d/swept=%t", l.name, size, swept), func(t *testing.T) {
					c := newKeptCharacter(newKit(t, open), l)
					for line := range strings.Lines(l.script) {
						call, want, _ := strings.Cut(strings.TrimSpace(line), "=>")
						call, want = strings.TrimSpace(call), strings.TrimSpace(want)
						if call == "" {
							continue
						}
						if got := c.do(strings.Fields(call)); got != want {
							t.Fatalf("%s => %s, want %s", call, got, want)
						}
						if swept {
							c.do([]string{"sweep"})
						}
					}
				})
			}
		}
	}
}

// keptCharacter is the secret of a keptLife.
type keptCharacter struct {
	*kit

	life  keptLife
	vault *vault.Vault
	spy   *spy
	crowd string // tells its people from those of other secrets in the same store
	view  vault.View
	made  []string // views, in the order of their making
}

func newKeptCharacter(k *kit, l keptLife) *keptCharacter {
	k.Helper()
	s := &spy{Store: k.store, copied: make(map[vault.Alias]bool)}
	v := vault.New(s, vault.Options{Key: key, Strict: l.strict})
	return &keptCharacter{kit: k, life: l, vault: v, spy: s, crowd: string(noise(8)), view: v.ViewOf(new(vault.Secret))}
}

func (c *keptCharacter) user(name string) vault.User { return c.vault.User(uid(c.crowd, name)) }

func uid(crowd, name string) string {
	sum := sha256.Sum256([]byte(crowd + name))
	long := hex.EncodeToString(sum[:])
	if strings.HasSuffix(name, ".") {
		return long[:12]
	}
	return long
}

// sealed is a message of somebody's: what it needs to be opened, and the payload.
func sealed(by string, size int) (iv, salt string, payload []byte) {
	return "iv of " + by, "salt of " + by, append(bytes.Repeat([]byte{1}, size), by...)
}

var claimToken = vault.HashOf([]byte("claim token"))

// do runs one line of a script.
func (c *keptCharacter) do(call []string) string {
	c.Helper()
	ctx, v := c.Context(), c.vault
	args := append(call[1:], "", "")
	user := c.user(args[0])
	switch call[0] {
	case "keep":
		return c.keep(args[0], args[1])
	case "read":
		s, r, err := v.Read(ctx, c.view, user)
		return c.message(s, r, err, user)
	case "claim":
		return c.claim(args[0], args[1:])
	case "abort": // a claim whose upload breaks off
		err := v.Claim(ctx, c.view, user, vault.Claim{Revision: -1}, iotest.ErrReader(io.ErrUnexpectedEOF))
		return map[bool]string{true: "trouble", false: outcome(err, "ok")}[strings.HasPrefix(outcome(err, ""), trouble)]
	case "undo":
		return outcome(v.UndoClaim(ctx, c.view, user), "ok")
	case "name":
		return outcome(v.Relabel(ctx, c.view, user, args[1]), "ok")
	case "delete":
		return outcome(v.Delete(ctx, c.view, user), "ok")
	case "owned":
		return listing(v.Owned(ctx, user, 0, 10))
	case "pending":
		return listing(v.Pending(ctx, user, 0, 10))
	case "copies":
		return strconv.Itoa(c.spy.copies(c.kit))
	case "sweep":
		return outcome(c.kit.vault.Sweep(ctx), "")
	case "wait":
		d, err := time.ParseDuration(args[0])
		c.clock.Pass(c.T, d)
		return outcome(err, "")
	}
	c.Fatalf("no such call: %q", call)
	return ""
}

// keep says which of the messages was made, in the order of their making.
func (c *keptCharacter) keep(by, which string) string {
	c.Helper()
	m := vault.Message{Author: c.user(by), TTL: c.life.ttl, Label: "draft"}
	var payload []byte
	m.IV, m.Salt, payload = sealed(by, c.life.size)
	if c.life.guarded {
		m.Claim = claimToken
	}
	if c.life.key {
		m.Key = "idempotency key"
	}
	if which == "other" {
		payload = append(payload, '!')
	}
	m.Body = vault.HashOf(payload)
	view, err := c.vault.Keep(c.Context(), m, bytes.NewReader(payload))
	if err != nil {
		return outcome(err, "")
	}
	if !slices.Contains(c.made, view.String()) {
		c.made = append(c.made, view.String())
		c.view = view
	}
	return fmt.Sprint("message ", slices.Index(c.made, view.String())+1)
}

// claim brings the token, or the number of the revision that was read, if it is told to.
func (c *keptCharacter) claim(by string, with []string) string {
	c.Helper()
	claim := vault.Claim{Revision: -1}
	var payload []byte
	claim.IV, claim.Salt, payload = sealed(by, 200_100-c.life.size) // small in the place of large, and large of small
	switch n, err := strconv.Atoi(with[0]); {
	case err == nil:
		claim.Revision = n
	case with[0] == "token":
		claim.Token = claimToken
	case with[0] == "guess":
		claim.Token = vault.HashOf([]byte("another token"))
	}
	return outcome(c.vault.Claim(c.Context(), c.view, c.user(by), claim, bytes.NewReader(payload)), "ok")
}

// message says whose message was read, and whether its reader owns it.
func (c *keptCharacter) message(s vault.Secret, r io.ReadCloser, err error, reader vault.User) string {
	c.Helper()
	if err != nil {
		if r != nil {
			c.Errorf("a payload beside %v", err)
		}
		return outcome(err, "")
	}
	b := c.read(r)
	by := string(bytes.TrimLeft(b, "\x01"))
	iv, salt, _ := sealed(by, 0)
	if s.IV != iv || s.Salt != salt || s.Size != int64(len(b)) {
		c.Errorf("the payload of %q beside %+v", by, s)
	}
	if reader.Owns(&s) {
		by += ", own"
	}
	return "by " + by
}

// listing gives the names of what is in a list.
func listing(page []vault.Secret, total int, err error) string {
	var names []string
	for _, s := range page {
		names = append(names, s.Label)
	}
	if len(names) != total {
		return fmt.Sprintf("%d of %d", len(names), total)
	}
	return outcome(err, strings.Join(append(names, "end"), ", "))
}

// spy remembers what was put under names that nobody is told.
type spy struct {
	vault.Store

	mu     sync.Mutex
	copied map[vault.Alias]bool
}

func (s *spy) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	if d.Type == vault.Kept && d.Author.IsZero() {
		s.mu.Lock()
		s.copied[d.Alias()] = true
		s.mu.Unlock()
	}
	return s.Store.Put(ctx, d, payload)
}

// copies counts what is kept of messages beside the messages themselves: what claims have replaced.
func (s *spy) copies(k *kit) int {
	k.Helper()
	n := 0
	for a := range s.copied {
		got, err := k.store.Get(k.Context(), a, keep)
		switch {
		case errors.Is(err, vault.ErrNotFound):
		case err != nil:
			k.Error(err)
		case got.Held():
			n++
		default:
			k.empty(a)
		}
	}
	return n
}
