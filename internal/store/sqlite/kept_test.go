package sqlite_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// uid is one that nobody can guess.
func uid(name string) string { return strings.Repeat(name, 64/len(name)) }

// keep keeps a message of ann's that anybody may claim.
func (s *server) keep(payload []byte) vault.View {
	s.Helper()
	view, err := s.vault.Keep(s.Context(), vault.Message{Author: s.vault.User(uid("ann")), TTL: 30 * 24 * time.Hour, Label: "label"}, bytes.NewReader(payload))
	if err != nil {
		s.Fatal(err)
	}
	return view
}

// claims is bob's claim.
func (s *server) claims(view vault.View, payload []byte) error {
	s.Helper()
	return s.vault.Claim(s.Context(), view, s.vault.User(uid("bob")), vault.Claim{Revision: -1}, bytes.NewReader(payload))
}

// has checks what name reads.
func (s *server) has(name string, view vault.View, want []byte) {
	s.Helper()
	m, r, err := s.vault.Read(s.Context(), view, s.vault.User(uid(name)))
	if err != nil {
		s.Errorf("reading a message: %v", err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) || m.Size != int64(len(want)) {
		s.Errorf("a message has %d other bytes, %v, want %d", len(got), err, len(want))
	}
}

// aliasOf gives the alias of an unclaimed message.
func (s *server) aliasOf(view vault.View) vault.Alias {
	s.Helper()
	m, r, err := s.vault.Read(s.Context(), view, vault.User{})
	if err != nil {
		s.Fatal(err)
	}
	r.Close()
	return m.Alias
}

// TestKeptAfterStart: messages, lists and idempotency keys are as they were before (PROTOCOL 5).
func TestKeptAfterStart(t *testing.T) {
	clock := storetest.NewClock()
	options := sqlite.Options{Now: clock.Now}
	s, small, large := open(t, t.TempDir(), options), noise(256), noise(100_000)
	again := func() {
		t.Helper()
		s.close()
		listed(t, s.dir)
		s = open(t, s.dir, options)
	}
	request := func(body byte) (string, error) {
		t.Helper()
		m := vault.Message{Author: s.vault.User(uid("eve")), TTL: 24 * time.Hour, Key: "key", Body: vault.Hash{body}}
		view, err := s.vault.Keep(t.Context(), m, bytes.NewReader(small))
		return view.String(), err
	}
	first, err := request(1)
	if err != nil {
		t.Fatal(err)
	}
	views := []vault.View{s.keep(small), s.keep(large), s.keep(small), s.keep(large)}
	again()
	for i, view := range views[:2] {
		s.has("eve", view, [][]byte{small, large}[i])
		if err := s.claims(view, [][]byte{large, small}[i]); err != nil {
			t.Error(err)
		}
	}
	again()
	s.has("bob", views[0], large)
	s.has("bob", views[1], small)
	s.has("bob", views[2], small)
	s.has("bob", views[3], large)
	for name, list := range map[string]func() ([]vault.Secret, int, error){
		"owned": func() ([]vault.Secret, int, error) {
			return s.vault.Owned(t.Context(), s.vault.User(uid("bob")), 0, 10)
		},
		"pending": func() ([]vault.Secret, int, error) {
			return s.vault.Pending(t.Context(), s.vault.User(uid("ann")), 0, 10)
		},
	} {
		if page, total, err := list(); len(page) != 2 || total != 2 || err != nil {
			t.Errorf("%s: %d of %d, %v, want 2", name, len(page), total, err)
		}
	}
	if view, err := request(1); view != first || err != nil {
		t.Errorf("the same request after a restart gives another view, %v", err)
	}
	if _, err := request(2); kind(err) != vault.KindReused {
		t.Errorf("another request with its key: %v", err)
	}
	clock.Pass(t, 24*time.Hour)
	again()
	if view, err := request(2); view == first || err != nil {
		t.Errorf("a day later the key gives the old view (%t), %v", view == first, err)
	}
	for _, view := range views[:2] {
		if err := s.vault.Delete(t.Context(), view, s.vault.User(uid("bob"))); err != nil {
			t.Error(err)
		}
	}
	clock.Pass(t, 60*24*time.Hour)
	if err := s.vault.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("after all has ended there are %d files", len(left))
	}
	s.close()
	if rows := listed(t, s.dir); rows > 0 {
		t.Errorf("after all has ended there are %d rows of lists", rows)
	}
}
