package sqlite_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestFullDiskKept: on a full disk nothing is claimed, and what could not be claimed is as it was: it is read, listed
// and deleted all the same. When there is room again, it is claimed.
func TestFullDiskKept(t *testing.T) { onSmallDisk(t, fullDiskKept) }

func fullDiskKept(t *testing.T, dir string) {
	s, token := open(t, dir, sqlite.Options{}), vault.HashOf([]byte("token"))
	settle(time.Second) // until the reserve is made
	payloads := [][]byte{noise(256), noise(64 << 10), noise(1 << 20)}
	user := s.vault.User(uid("ann"))
	var views []vault.View
	for range 2 {
		for _, p := range payloads {
			view, err := s.vault.Keep(t.Context(), vault.Message{Author: user, TTL: time.Hour, Claim: token}, bytes.NewReader(p))
			if err != nil {
				t.Fatal(err)
			}
			views = append(views, view)
		}
	}
	claim := func(view vault.View, payload []byte) error {
		return s.vault.Claim(t.Context(), view, user, vault.Claim{Revision: -1, Token: token}, bytes.NewReader(payload))
	}
	waits := func(when string) {
		t.Helper()
		for i, view := range views {
			s.has("eve", view, payloads[i%3])
		}
		if page, total, err := s.vault.Pending(t.Context(), user, 0, 10); len(page) != len(views) || total != len(views) || err != nil {
			t.Errorf("%s: %d of %d are listed, %v", when, len(page), total, err)
		}
	}
	free := fillDisk(t, dir)
	s.refuses(payloads[0])
	large := noise(1 << 20)
	for _, view := range views {
		if err := claim(view, large); kind(err) != vault.KindFull {
			t.Errorf("claiming on a full disk: %v, want KindFull", err)
		}
	}
	s.refusesReplace(views[1], payloads[1])
	waits("on a full disk")
	for i, view := range views[:3] {
		if err := s.vault.Delete(t.Context(), view, user); err != nil {
			t.Errorf("deleting %d bytes on a full disk: %v", len(payloads[i]), err)
		}
	}
	views = views[3:]
	if left := len(files(t, dir)); left != 1 {
		t.Errorf("%d files of one large payload", left)
	}
	s.usesReserve(views[0])
	if err := claim(views[0], nil); kind(err) != vault.KindFull {
		t.Errorf("claiming while the reserve is in use: %v, want KindFull", err)
	}
	waits("while the reserve is in use")
	free()
	settle(15 * time.Second)
	for i, view := range views {
		if err := claim(view, payloads[2-i]); err != nil {
			t.Errorf("with room again: %v", err)
		}
		s.has("ann", view, payloads[2-i])
	}
	s.close()
	if rows := listed(t, dir); rows != 3 {
		t.Errorf("%d rows of lists, want 3", rows)
	}
}

// refusesReplace puts payload in its own place until there is no room for that: the reserve is not for it.
func (s *server) refusesReplace(view vault.View, payload []byte) {
	s.Helper()
	a := s.aliasOf(view)
	for range 500 {
		_, err := s.store.Replace(s.Context(), a, func(vault.Time, *vault.Secret) error { return nil }, bytes.NewReader(payload))
		if err == nil {
			continue
		}
		if in, other := s.vault.Inspect(s.Context()); !errors.Is(err, vault.ErrFull) || in.Warning != "" || other != nil {
			s.Errorf("replacing on a full disk: %v, want ErrFull, and the reserve untouched: %+v, %v", err, in, other)
		}
		return
	}
	s.Error("a full disk takes 500 payloads")
}

// usesReserve changes a record until there is no room left for its changes but what the reserve has kept.
func (s *server) usesReserve(view vault.View) {
	s.Helper()
	a := s.aliasOf(view)
	for range 5000 {
		if in, err := s.vault.Inspect(s.Context()); err != nil || in.Warning != "" {
			return
		}
		if _, err := s.store.Update(s.Context(), a, func(_ vault.Time, m *vault.Secret) error { m.Refused++; return nil }); err != nil {
			s.Fatal(err)
		}
	}
	s.Fatal("5000 changes find room on a full disk")
}
