package sqlite_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// erased is the time in which erased bytes leave the files (PROTOCOL 4.7 allows 60 s).
const erased = 15 * time.Second

// ends are all the ways in which a payload ends. Each leaves it erased.
var ends = []struct {
	name string
	end  func(s *server, ref vault.Ref) error
}{
	{"ack", func(s *server, ref vault.Ref) error {
		if _, err := s.open(ref, ann); err != nil {
			return err
		}
		return s.vault.Ack(s.Context(), ref, link, ann)
	}},
	{"decline", func(s *server, ref vault.Ref) error { return s.vault.Decline(s.Context(), ref, link) }},
	{"revoke", func(s *server, ref vault.Ref) error { return s.vault.Revoke(s.Context(), ref, manage) }},
	{"expiry", func(s *server, _ vault.Ref) error {
		settle(time.Hour)
		return s.vault.Sweep(s.Context())
	}},
	{"end of the lease", func(s *server, ref vault.Ref) error {
		if _, err := s.open(ref, ann); err != nil {
			return err
		}
		settle(2 * time.Minute)
		return s.vault.Sweep(s.Context())
	}},
	{"a look after the end of the lease", func(s *server, ref vault.Ref) error {
		if _, err := s.open(ref, ann); err != nil {
			return err
		}
		settle(2 * time.Minute)
		if _, err := s.open(ref, bob); kind(err) != vault.KindEnded {
			return err
		}
		return nil
	}},
}

// TestErased: the bytes of an ended payload are in no file soon after, and those of a large one never were.
func TestErased(t *testing.T) {
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, t.TempDir(), sqlite.Options{})
				inline, large := noise(64<<10), noise(64<<10+1)
				refs := []vault.Ref{s.createFrom(bytes.NewReader(inline)), s.createFrom(iotest.DataErrReader(bytes.NewReader(large)))}
				if found := holders(t, s.dir, inline[:64]); len(found) == 0 {
					t.Error("the search does not find a payload that waits")
				}
				if found := holders(t, s.dir, large[:64], large[len(large)-64:]); len(found) > 0 {
					t.Errorf("a large payload is legible in %v", found)
				}
				settle(erased) // some of it is in the database by now
				for _, ref := range refs {
					if err := end.end(s, ref); err != nil {
						t.Fatal(err)
					}
				}
				settle(erased)
				s.nowhere(inline, large)
				s.close()
				s.nowhere(inline, large)
			})
		})
	}
}

// nowhere checks that no part of the payloads is in a file.
func (s *server) nowhere(payloads ...[]byte) {
	s.Helper()
	for _, p := range payloads {
		var parts [][]byte
		for part := p; len(part) >= 32; part = part[min(len(part), 4000):] { // one on each page at least
			parts = append(parts, part[:32])
		}
		if found := holders(s, s.dir, parts...); len(found) > 0 {
			s.Errorf("an ended payload of %d bytes is still in %v", len(p), found)
		}
	}
}

// TestErasedUpload: a large payload is not even legible while it comes in, and a cut one leaves nothing.
func TestErasedUpload(t *testing.T) {
	s, payload := open(t, t.TempDir(), sqlite.Options{}), noise(1<<20)
	seen := 0
	probe := readerFunc(func([]byte) (int, error) {
		if found := holders(t, s.dir, payload[:64]); len(found) > 0 {
			t.Errorf("a payload on its way is legible in %v", found)
		}
		if seen = len(files(t, s.dir)); seen != 1 {
			t.Errorf("%d files of one upload", seen)
		}
		return 0, iotest.ErrTimeout
	})
	_, _, err := s.vault.Create(t.Context(), draft(), io.MultiReader(bytes.NewReader(payload), probe))
	if kind(err) != vault.KindUnavailable || seen != 1 {
		t.Errorf("a cut upload: %v", err)
	}
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("a cut upload leaves %d files", len(left))
	}
}

// TestErasedOnBusyServer: what was erased leaves the log also if other secrets fill it meanwhile, and if the traffic
// stops then.
func TestErasedOnBusyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, payload := open(t, t.TempDir(), sqlite.Options{}), noise(1000)
		settle(time.Second)
		s.read(s.create(payload), payload)
		for range 300 {
			s.create(noise(60_000))
		}
		settle(erased)
		s.nowhere(payload)
		s.close()
	})
}

// TestErasedAmongOthers: neighbours stay, rows move between pages, and still no scrap of the ended is left.
func TestErasedAmongOthers(t *testing.T) {
	for _, size := range []int{256, 1500} {
		s := open(t, t.TempDir(), sqlite.Options{})
		var refs []vault.Ref
		var gone [][]byte
		for i := range 600 {
			p := noise(size + i%7*30)
			ref := s.create(p)
			if i%3 > 0 {
				refs, gone = append(refs, ref), append(gone, p[:24], p[len(p)-24:])
			}
		}
		for i := range refs {
			if err := s.vault.Revoke(t.Context(), refs[i*389%len(refs)], manage); err != nil { // in no order
				t.Fatal(err)
			}
		}
		s.close()
		if found := holders(t, s.dir, gone...); len(found) > 0 {
			t.Errorf("scraps of %d payloads of %d bytes are left", len(found), size)
		}
	}
}

// TestErasedByStart: what a killed server had erased leaves the log when the next one starts.
func TestErasedByStart(t *testing.T) {
	s, payload := open(t, t.TempDir(), sqlite.Options{}), noise(1000)
	s.read(s.create(payload), payload)
	dir := s.killed()
	if found := holders(t, dir, payload[:64]); len(found) == 0 {
		t.Error("the kill came too late: the log was empty already")
	}
	s = open(t, dir, sqlite.Options{})
	s.nowhere(payload)
}
