package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hushpost/hushpost/internal/vault"
)

func withKey(store vault.Store, key byte) *vault.Vault {
	return vault.New(store, vault.Options{Key: [32]byte{key}})
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// TestView: the server knows the names it gave again, and no others (PROTOCOL 5). The key and the ids are fixed, and so
// is the result: of names that are made up one in 2^22 would pass.
func TestView(t *testing.T) {
	v, other := withKey(nil, 1), withKey(nil, 2)
	for i := range 40 {
		s := vault.Secret{ID: numbered(i * 1_000_003)}
		view := v.ViewOf(&s)
		name := view.String()
		if len(name) != 25 || strings.Trim(name, base64url) != "" {
			t.Errorf("a view is %q", name)
		}
		if got, ok := v.View(name); !ok || got != view {
			t.Errorf("View(%q) = %v, %t", name, got, ok)
		}
		if _, ok := other.View(name); ok || other.ViewOf(&s) == view {
			t.Errorf("%q is a view under another key", name)
		}
		for at := range len(name) {
			for _, letter := range []byte(base64url + "+/=. \n\r\x00%é") {
				made := []byte(name)
				made[at] = letter
				if _, ok := v.View(string(made)); ok && letter != name[at] {
					t.Errorf("%q passes for %q", made, name)
				}
			}
		}
		for cut := range len(name) {
			for _, made := range []string{name[:cut], name[cut+1:], name[:cut] + name[cut+1:], name[:cut] + "\n" + name[cut:], name[:cut] + "A" + name[cut:]} {
				if _, ok := v.View(made); ok {
					t.Errorf("%q passes for %q", made, name)
				}
			}
		}
	}
	for _, made := range []string{"", strings.Repeat("A", 25), strings.Repeat("\n", 25), strings.Repeat("A", 24) + "\n", strings.Repeat("é", 12) + "A", numbered(1).String()} {
		if _, ok := v.View(made); ok {
			t.Errorf("%q passes", made)
		}
	}
}

// TestViewsAreMany: of names that only have the form of one, about one in 2^22 passes.
func TestViewsAreMany(t *testing.T) {
	v, dice, passed := withKey(nil, 1), rand.New(rand.NewPCG(3, 4)), 0
	for range 200_000 {
		made := make([]byte, 25)
		for i := range made {
			made[i] = base64url[dice.IntN(64)]
		}
		if _, ok := v.View(string(made)); ok {
			passed++
		}
	}
	if passed > 1 {
		t.Errorf("%d of 200 000 names that were made up pass", passed)
	}
}

// TestLogsKeepViews: until a message is claimed, its view is all that reading it takes.
func TestLogsKeepViews(t *testing.T) {
	view := withKey(nil, 1).ViewOf(&vault.Secret{ID: numbered(0x1234567890abcdef)})
	var b bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("names", slog.Any("view", view), slog.Group("in", slog.Any("view", view)))
	}
	if strings.Contains(b.String(), view.String()[:8]) || strings.Contains(b.String(), "12345678") || strings.Contains(b.String(), "[18,52") {
		t.Errorf("a log holds a view:\n%s", &b)
	}
}

// lists is a store that remembers which list it was asked for, and what was put.
type lists struct {
	empty
	asked []vault.Hash
}

func (l *lists) List(_ context.Context, list vault.Hash, _, _ int) ([]vault.Secret, int, error) {
	l.asked = append(l.asked, list)
	return nil, 0, nil
}

// TestUser: who has a UID is that user, on this server; what a store learns of it, and of their lists, is of no use
// without the server's key.
func TestUser(t *testing.T) {
	store := new(lists)
	v, other := withKey(store, 1), withKey(store, 2)
	ann := v.User("ann")
	if ann != v.User("ann") || ann == v.User("Ann") || ann == v.User("ann ") || ann == v.User("") || ann == other.User("ann") {
		t.Error("one UID is two users, or two are one")
	}
	if _, err := v.Keep(t.Context(), vault.Message{Author: ann, TTL: time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	author := store.draft.Author
	if author.IsZero() || author == hash("ann") || author == hash("uid:ann") {
		t.Errorf("the store learns %x of a user", author)
	}
	for _, u := range []vault.User{ann, v.User("bob"), other.User("ann")} {
		_, _, _ = v.Owned(t.Context(), u, 0, 10)   // lists never fails
		_, _, _ = v.Pending(t.Context(), u, 0, 10) // nor here
	}
	for i, a := range store.asked {
		if a.IsZero() || a == author || slices.Contains(store.asked[i+1:], a) {
			t.Errorf("list %d has a name that is no secret, or another's", i)
		}
	}
	pending := store.draft.Secret(start, 0)
	claimed := pending
	claimed.State, claimed.Owner = vault.Claimed, author
	for i, s := range []*vault.Secret{&claimed, &pending} {
		if list, until := vault.Listed(s); list != store.asked[i] || until != s.Expires {
			t.Errorf("a %v secret is in another list than its user is shown, until %d", s.State, until)
		}
	}
}

func TestGuessable(t *testing.T) {
	v := withKey(nil, 1)
	for length, want := range map[int]bool{0: true, 1: true, 12: true, 42: true, 43: false, 64: false, 128: false} {
		if got := v.User(strings.Repeat("f", length)).Guessable(); got != want {
			t.Errorf("a UID of %d characters: guessable %t", length, got)
		}
	}
	if !(vault.User{}).Guessable() {
		t.Error("nobody is a proof")
	}
}

func TestOwns(t *testing.T) {
	store := new(lists)
	v := withKey(store, 1)
	ann, bob := v.User("ann"), v.User("bob")
	if _, err := v.Keep(t.Context(), vault.Message{Author: ann, TTL: time.Hour}, nil); err != nil {
		t.Fatal(err)
	}
	hashOfAnn := store.draft.Author
	for state := range vault.Claimed + 1 {
		s := vault.Secret{Type: vault.Kept, State: state, Keeping: vault.Keeping{Author: hashOfAnn, Owner: hashOfAnn}}
		if got := ann.Owns(&s); got != (state == vault.Claimed) || bob.Owns(&s) || (vault.User{}).Owns(&s) {
			t.Errorf("%v: ann %t, bob %t, nobody %t", state, got, bob.Owns(&s), (vault.User{}).Owns(&s))
		}
		s.Owner = vault.Hash{}
		if ann.Owns(&s) || (vault.User{}).Owns(&s) {
			t.Errorf("%v: nobody's is owned", state)
		}
	}
}

// TestListed: only a kept secret is in a list, only while it is held, and in one at a time.
func TestListed(t *testing.T) {
	seen := make(map[vault.Hash]string)
	for state := range vault.Claimed + 1 {
		for _, kind := range []vault.Type{vault.OneTime, vault.Kept, vault.Answered} {
			s := vault.Secret{Type: kind, State: state, Expires: 7, Keeping: vault.Keeping{Author: hash("a"), Owner: hash("o")}}
			list, until := vault.Listed(&s)
			want := kind == vault.Kept && (state == vault.Waiting || state == vault.Claimed)
			if list.IsZero() == want || want && until != 7 || seen[list] != "" && want {
				t.Errorf("type %d, %v: in %x until %d", kind, state, list, until)
			}
			if want {
				seen[list] = state.String()
			}
		}
	}
	copied := vault.Secret{Type: vault.Kept, State: vault.Waiting, Expires: 7}
	if list, _ := vault.Listed(&copied); !list.IsZero() {
		t.Error("what nobody made is in a list")
	}
}

func TestCleanLabel(t *testing.T) {
	for label, want := range map[string]string{
		"": "", "a label": "a label", " spaces ": "spaces", "\t tabs\n": "tabs", "a\x1b[31m\x7f\u0085b\nc": "a[31mbc", "<b>bold</b>": "bold", "a < b": "a  b", "a > b": "a  b", "a<b>c": "ac",
		"<<b>>": "", "<script>alert('x')</script>": "alert('x')", `"quoted"`: "quoted", `a/b\c`: "abc", "<": "", "<unclosed": "unclosed",
		"<\n>": "", "ünïcödé 日本 🙂": "ünïcödé 日本 🙂", strings.Repeat("ü", 100): strings.Repeat("ü", 100), strings.Repeat("🙂", 101): strings.Repeat("🙂", 100),
		"<i>" + strings.Repeat("x", 150) + "</i>": strings.Repeat("x", 100), "a & b; 'c'": "a & b; 'c'", "<b> </b>": "",
	} {
		if got := vault.CleanLabel(label); got != want {
			t.Errorf("CleanLabel(%q) = %q, want %q", label, got, want)
		}
	}
	dice, letters := rand.New(rand.NewPCG(5, 6)), []string{"<", ">", `"`, "/", `\`, "a", "b>", "<i", "ü", "🙂", "\xff", "\xe2\x82", "\x00", "\n", "\x1b"}
	for range 20_000 {
		var label strings.Builder
		for range dice.IntN(130) {
			label.WriteString(letters[dice.IntN(len(letters))])
		}
		got := vault.CleanLabel(label.String())
		if strings.ContainsAny(got, `<>"/\`) || strings.ContainsFunc(got, unicode.IsControl) || utf8.RuneCountInString(got) > vault.MaxLabel || !utf8.ValidString(got) || vault.CleanLabel(got) != got {
			t.Fatalf("CleanLabel(%q) = %q", label.String(), got)
		}
	}
}

// TestSameKeeping: a repeated creation of a kept secret is the same in everything that it asks for but its lifetime.
func TestSameKeeping(t *testing.T) {
	d := vault.Draft{
		ID: numbered(1), Type: vault.Kept, TTL: time.Hour,
		Keeping: vault.Keeping{Author: hash("a"), Claim: hash("c"), IV: "the iv", Salt: "the salt", Label: "label"},
	}
	kept, again := d.Secret(start, 10), d.Secret(start+1, 10)
	if !vault.SameCreation(&kept, &again) {
		t.Error("the same creation is another")
	}
	for name, change := range map[string]func(*vault.Secret){
		"type": func(s *vault.Secret) { s.Type = vault.OneTime }, "author": func(s *vault.Secret) { s.Author = hash("b") },
		"claim hash": func(s *vault.Secret) { s.Claim = vault.Hash{} }, "iv": func(s *vault.Secret) { s.IV += "x" }, "salt": func(s *vault.Secret) { s.Salt += "x" },
		"label": func(s *vault.Secret) { s.Label = "" }, "copy": func(s *vault.Secret) { s.Copy = numbered(9) }, "revision": func(s *vault.Secret) { s.Revision++ },
		"owner": func(s *vault.Secret) { s.State, s.Owner = vault.Claimed, hash("o") },
		"end":   func(s *vault.Secret) { s.State, s.Ended = vault.Revoked, start },
		"time":  func(s *vault.Secret) { s.Expires = start },
	} {
		s := kept
		change(&s)
		if vault.SameCreation(&s, &again) {
			t.Errorf("another %s is the same creation", name)
		}
	}
}

// TestNever: no lifetime is for ever, but none of a kept secret.
func TestNever(t *testing.T) {
	for kind, want := range map[vault.Type]vault.Time{vault.OneTime: start, vault.Kept: vault.Never, vault.Answered: start} {
		d := vault.Draft{Type: kind}
		if s := d.Secret(start, 0); s.Expires != want {
			t.Errorf("type %d without a lifetime expires at %d, want %d", kind, s.Expires, want)
		}
		d.TTL = time.Millisecond
		if s := d.Secret(start, 0); s.Expires != start+1 {
			t.Errorf("type %d with one expires at %d", kind, s.Expires)
		}
	}
	if vault.Never.Add(vault.TombstoneTime) < vault.Never || float64(vault.Never) != float64(int64(vault.Never)) || vault.Time(float64(vault.Never)) != vault.Never {
		t.Error("Never is no number of every engine's")
	}
}

// TestKeepAsks: what a message asks for is what the store is asked to keep; a label is cleaned on the way.
func TestKeepAsks(t *testing.T) {
	store := new(lists)
	v := withKey(store, 1)
	m := vault.Message{Author: v.User("ann"), TTL: time.Hour, Label: "<b>mine</b>", IV: "the iv", Salt: "the salt", Claim: hash("claim")}
	view, err := v.Keep(t.Context(), m, io.NopCloser(nil))
	if err != nil {
		t.Fatal(err)
	}
	d := store.draft
	want := vault.Keeping{Author: d.Author, Claim: hash("claim"), IV: m.IV, Salt: m.Salt, Label: "mine"}
	if d.Type != vault.Kept || d.TTL != time.Hour || d.Keeping != want || d.Creator != "" || !d.Link.IsZero() || !d.Manage.IsZero() {
		t.Errorf("the draft is %+v", d)
	}
	if s := d.Secret(start, 0); v.ViewOf(&s) != view {
		t.Error("the view is another secret's")
	}
	again, err := v.Keep(t.Context(), m, nil)
	if err != nil || again == view {
		t.Errorf("without a key two messages have one view, %v", err)
	}
	if fmt.Sprint(again) != again.String() {
		t.Error("a view does not print as its name")
	}
}
