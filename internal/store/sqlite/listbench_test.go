package sqlite_test

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// BenchmarkList reads a page of 100 of 10 000 messages that one user owns, among as many of others.
func BenchmarkList(b *testing.B) {
	const each, page = 10_000, 100
	s := open(b, b.TempDir(), sqlite.Options{})
	bob := s.vault.User(uid("bob"))
	s.manyClaimed(bob, s.vault.User(uid("eve")), 2*each)
	for _, skip := range []int{0, each / 2, each - page} {
		b.Run(fmt.Sprintf("after %d", skip), func(b *testing.B) {
			for b.Loop() {
				if got, total, err := s.vault.Owned(b.Context(), bob, skip, page); len(got) != page || total != each || err != nil {
					b.Fatalf("%d of %d, %v", len(got), total, err)
				}
			}
		})
	}
}

// manyClaimed makes n messages that two users own in turn.
func (s *server) manyClaimed(one, other vault.User, n int64) {
	s.Helper()
	var next atomic.Int64
	var group sync.WaitGroup
	token := vault.HashOf([]byte("token"))
	claim := func(i int64) error {
		view, err := s.vault.Keep(s.Context(), vault.Message{TTL: 30 * 24 * time.Hour, Label: "label", Claim: token}, bytes.NewReader(noise(256)))
		if err != nil {
			return err
		}
		owner := []vault.User{one, other}[i%2]
		return s.vault.Claim(s.Context(), view, owner, vault.Claim{Revision: -1, Token: token}, bytes.NewReader(noise(256)))
	}
	for range 64 {
		group.Go(func() {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := claim(i); err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}
