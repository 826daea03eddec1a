package vault_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// empty is a store that keeps nothing but the last draft.
type empty struct {
	vault.Store

	draft vault.Draft
}

func (e *empty) Put(_ context.Context, d vault.Draft, _ io.Reader) (vault.Secret, bool, error) {
	e.draft = d
	return d.Secret(0, 0), true, nil
}

func (*empty) Get(context.Context, vault.Alias, vault.Rule) (vault.Secret, error) {
	return vault.Secret{}, vault.ErrNotFound
}

// alias asks a vault with this key.
func alias(t *testing.T, key byte, id vault.ID) vault.Alias {
	t.Helper()
	var e empty
	v := vault.New(&e, vault.Options{Key: [32]byte{key}})
	if _, _, err := v.Create(t.Context(), vault.Draft{ID: id, TTL: time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	return e.draft.Alias()
}

func numbered(n int) (id vault.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return id
}

func TestParseID(t *testing.T) {
	const good = "0123abcd-4567-49ef-8123-456789abcdef"
	id, ok := vault.ParseID(good)
	if !ok || id.String() != good || id[0] != 0x01 || id[15] != 0xef {
		t.Errorf("ParseID(%q) = %v, %t", good, id, ok)
	}
	for _, bad := range []string{
		"", strings.ToUpper(good), good[:35], good + "0", " " + good[1:], good[:35] + "\n", "{" + good + "}",
		strings.ReplaceAll(good, "-", ""), strings.ReplaceAll(good, "-", "0"), "urn:uuid:" + good,
		"0123abcd4-567-49ef-8123-456789abcdef", "0123abcd-4567-49ef-8123-45678-abcdef", "0123abcg-4567-49ef-8123-456789abcdef",
		"0123abcD-4567-49ef-8123-456789abcdef", "0123abcd-4567-49ef-8123-456789abcdé",
	} {
		if id, ok := vault.ParseID(bad); ok {
			t.Errorf("ParseID(%q) = %v", bad, id)
		}
	}
}

func TestParseAlias(t *testing.T) {
	for i, s := range []string{"AAAAAAAA", "AAAAAAAB", "AAAAAAAa", "AAAAAAA0", "AAAAAABA", "99999999"} {
		want := vault.Alias([]int64{0, 1, 26, 52, 62, 62*62*62*62*62*62*62*62 - 1}[i])
		if a, ok := vault.ParseAlias(s); !ok || a != want || a.String() != s {
			t.Errorf("ParseAlias(%q) = %d, %t, want %d; its String is %q", s, a, ok, want, a)
		}
	}
	for _, bad := range []string{"", "AAAAAAA", "AAAAAAAAA", "AAAA-AAA", "AAAA AAA", "AAAAAAé", "AAAAAAA\x00"} {
		if a, ok := vault.ParseAlias(bad); ok {
			t.Errorf("ParseAlias(%q) = %d", bad, a)
		}
	}
}

func TestParseHash(t *testing.T) {
	const good = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg" // of "test"
	if h, ok := vault.ParseHash(good); !ok || h != vault.HashOf([]byte("test")) || h.IsZero() {
		t.Errorf("ParseHash(%q) = %x, %t", good, h, ok)
	}
	for _, bad := range []string{
		"", good + "=", good[:42], good + "A", good[:42] + "h" /* two spellings of the last byte */, strings.Replace(good, "-", "+", 1),
		good[:20] + "\n" + good[20:], good[:42] + "\n",
	} {
		if _, ok := vault.ParseHash(bad); ok {
			t.Errorf("ParseHash(%q) is taken", bad)
		}
	}
}

// TestAliasesAreUniform: each letter is as likely as any other in each place. The ids and the key are fixed, and so is
// the result; a range reduced instead of cut would give a third of the letters twice as often.
func TestAliasesAreUniform(t *testing.T) {
	const n, letters = 31_000, 62
	var counts [8]map[byte]int
	for i := range counts {
		counts[i] = make(map[byte]int)
	}
	seen := make(map[vault.Alias]bool)
	for i := range n {
		a := alias(t, 1, numbered(i))
		seen[a] = true
		for place, letter := range []byte(a.String()) {
			counts[place][letter]++
		}
	}
	for place, count := range counts {
		chi := 0.0
		for _, got := range count {
			chi += float64(got-n/letters) * float64(got-n/letters) / (n / letters)
		}
		if len(count) != letters || chi > 117 { // 61 degrees of freedom: p < 0.00002
			t.Errorf("place %d: %d letters, chi-square %.1f", place, len(count), chi)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d aliases differ", len(seen), n)
	}
}

func TestAliasNeedsTheKey(t *testing.T) {
	one := alias(t, 1, numbered(1))
	if alias(t, 1, numbered(1)) != one {
		t.Error("one id has two aliases")
	}
	if alias(t, 2, numbered(1)) == one || alias(t, 1, numbered(2)) == one {
		t.Error("two keys, or two ids, have one alias")
	}
}

// TestDecoys: nothing about a decoy tells it from an id: it is a random UUID that stays (PROTOCOL 4.9).
func TestDecoys(t *testing.T) {
	v, other := vault.New(new(empty), vault.Options{Key: [32]byte{1}}), vault.New(new(empty), vault.Options{Key: [32]byte{2}})
	seen := make(map[vault.ID]bool)
	for i := range 1000 {
		ref, _ := v.Ref(alias(t, 1, numbered(i)).String())
		id, err := v.Resolve(t.Context(), ref)
		again, _ := v.Resolve(t.Context(), ref)
		foreign, _ := other.Resolve(t.Context(), ref)
		if err != nil || id != again || id == foreign || id[6]>>4 != 4 || id[8]>>6 != 2 {
			t.Fatalf("decoy %v, %v, %v, %v", id, again, foreign, err)
		}
		seen[id] = true
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 decoys differ", len(seen))
	}
	ref, _ := v.Ref(numbered(5).String())
	if id, err := v.Resolve(t.Context(), ref); err != nil || id != numbered(5) {
		t.Errorf("an id resolves to %v, %v", id, err)
	}
}

func TestRef(t *testing.T) {
	v := vault.New(new(empty), vault.Options{})
	for s, want := range map[string]bool{"AAAAAAAA": true, numbered(1).String(): true, "": false, "AAAA": false, "AAAAAAA!": false} {
		if _, ok := v.Ref(s); ok != want {
			t.Errorf("Ref(%q): %t", s, ok)
		}
	}
}

// TestLogsKeepNames: neither name gets into a log, by any handler.
func TestLogsKeepNames(t *testing.T) {
	id := numbered(0x1234567890abcdef)
	a := alias(t, 1, id)
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("names", slog.Any("id", id), slog.Any("alias", a), slog.Group("in", slog.Any("id", id), slog.Any("alias", a)))
	}
	for _, secret := range []string{id.String(), a.String(), fmt.Sprint(int64(a)), "12345678", "[18,52", "[18 52"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("a log holds %q:\n%s", secret, &b)
		}
	}
}
