package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestErasedByReplace: what a claim puts in a message's place leaves nothing of it; nor does who takes a name that is
// free again.
func TestErasedByReplace(t *testing.T) {
	for _, size := range []int{1000, 64 << 10, 64<<10 + 1} {
		for _, to := range []int{0, 1000, 64<<10 + 1} {
			t.Run(fmt.Sprintf("%d by %d", size, to), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					clock := storetest.NewClock()
					s, old, fresh := open(t, t.TempDir(), sqlite.Options{Now: clock.Now}), noise(size), noise(to)
					token := vault.HashOf([]byte("token"))
					view, err := s.vault.Keep(t.Context(), vault.Message{Author: s.vault.User(uid("ann")), TTL: time.Hour, Claim: token}, bytes.NewReader(old))
					if err != nil {
						t.Fatal(err)
					}
					d := draft()
					if _, _, err := s.vault.Create(t.Context(), d, bytes.NewReader(old)); err != nil {
						t.Fatal(err)
					}
					settle(erased) // some of it is in the database by now
					claim := vault.Claim{Revision: -1, Token: token}
					if err := s.vault.Claim(t.Context(), view, s.vault.User(uid("bob")), claim, bytes.NewReader(fresh)); err != nil {
						t.Fatal(err)
					}
					s.has("bob", view, fresh)
					clock.Pass(t, 8*24*time.Hour)
					if _, created, err := s.vault.Create(t.Context(), d, bytes.NewReader(fresh)); !created || err != nil {
						t.Fatalf("under a name that is free again: created %t, %v", created, err)
					}
					settle(erased)
					s.nowhere(old)
					if left := files(t, s.dir); len(left) != 2*(to/(64<<10)) {
						t.Errorf("%d files", len(left))
					}
					s.close()
					s.nowhere(old)
				})
			})
		}
	}
}

// TestReplaceLeavesNoFile: what comes for nothing leaves no file, and what is replaced by it keeps its own.
func TestReplaceLeavesNoFile(t *testing.T) {
	s := open(t, t.TempDir(), sqlite.Options{})
	waiting, ended := s.keep(noise(100_000)), s.keep(noise(100_000))
	refused := errors.New("refused")
	aliases := map[vault.View]vault.Alias{waiting: s.aliasOf(waiting), ended: s.aliasOf(ended)}
	for _, test := range []struct {
		name string
		a    vault.Alias
		rule vault.Rule
		want error
		left int
	}{
		{"refused", aliases[waiting], func(vault.Time, *vault.Secret) error { return refused }, refused, 2},
		{"unknown", -1, func(vault.Time, *vault.Secret) error { return nil }, vault.ErrNotFound, 2},
		{"replaced", aliases[waiting], func(vault.Time, *vault.Secret) error { return nil }, nil, 2},
		{"ended by it", aliases[ended], func(now vault.Time, m *vault.Secret) error { m.State, m.Ended = vault.Revoked, now; return nil }, nil, 1},
		{"ended before", aliases[ended], func(vault.Time, *vault.Secret) error { return nil }, nil, 1},
	} {
		_, err := s.store.Replace(t.Context(), test.a, test.rule, bytes.NewReader(noise(200_000)))
		if left := len(files(t, s.dir)); !errors.Is(err, test.want) || left != test.left {
			t.Errorf("%s: %v, and %d files, want %v and %d", test.name, err, left, test.want, test.left)
		}
	}
}
