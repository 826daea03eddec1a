package sqlite_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

func TestContract(t *testing.T) { storetest.Run(t, openContract) }

func TestLinearizable(t *testing.T) { storetest.Linearizable(t, openContract) }

func openContract(t *testing.T, clock *storetest.Clock) storetest.Store {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { listed(t, dir) }) // when the store is closed
	return open(t, dir, sqlite.Options{Now: clock.Now}).store
}

// server is a store with the vault over it, as cmd/server wires them.
type server struct {
	testing.TB

	dir   string
	store *sqlite.Store
	vault *vault.Vault
}

// open opens dir until the test ends, or until the test closes it.
func open(t testing.TB, dir string, o sqlite.Options) *server {
	t.Helper()
	store, err := sqlite.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &server{TB: t, dir: dir, store: store, vault: vault.New(store, vault.Options{Key: store.Key()})}
}

func (s *server) close() {
	s.Helper()
	if err := s.store.Close(); err != nil {
		s.Fatal(err)
	}
}

// killed gives what kill -9 would leave at this moment: a copy of the folder, with the log unwritten. (What was
// written to a file survives a kill in the kernel's memory, so that a copy has it too.)
func (s *server) killed() (dir string) {
	s.Helper()
	dir = s.dir + "-killed"
	if err := os.CopyFS(dir, os.DirFS(s.dir)); err != nil {
		s.Fatal(err)
	}
	s.close()
	return dir
}

var (
	link, manage = vault.HashOf([]byte("link")), vault.HashOf([]byte("manage"))
	ann, bob     = vault.HashOf([]byte("ann")), vault.HashOf([]byte("bob"))
)

func draft() vault.Draft {
	return vault.Draft{ID: vault.ID(noise(16)), Link: link, Manage: manage, TTL: time.Hour}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (s *server) create(payload []byte) vault.Ref {
	s.Helper()
	return s.createFrom(bytes.NewReader(payload))
}

func (s *server) createFrom(payload io.Reader) vault.Ref {
	s.Helper()
	made, _, err := s.vault.Create(s.Context(), draft(), payload)
	if err != nil {
		s.Fatal(err)
	}
	ref, _ := s.vault.Ref(made.ID.String())
	return ref
}

func (s *server) open(ref vault.Ref, reader vault.Hash) ([]byte, error) {
	s.Helper()
	_, r, err := s.vault.Open(s.Context(), ref, link, reader, vault.Hash{})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// read opens and acks.
func (s *server) read(ref vault.Ref, want []byte) {
	s.Helper()
	if got, err := s.open(ref, ann); err != nil || !bytes.Equal(got, want) {
		s.Errorf("opening gives %d bytes, %v, want the %d of the payload", len(got), err, len(want))
	}
	if err := s.vault.Ack(s.Context(), ref, link, ann); err != nil {
		s.Error(err)
	}
}

// settle lets d of synctest's time go by, and the store finish what is due by then.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// holders names the files in dir that contain any of the needles.
func holders(t testing.TB, dir string, needles ...[]byte) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		for i, needle := range needles {
			if bytes.Contains(content, needle) {
				found = append(found, fmt.Sprintf("%s (needle %d)", e.Name(), i))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// kind gives the kind of a refusal, 0 of none.
func kind(err error) vault.Kind {
	if e := new(vault.Error); errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

func (s *server) tryCreate(payload []byte) error {
	_, _, err := s.vault.Create(s.Context(), draft(), bytes.NewReader(payload))
	return err
}

// TestRowSize: what a waiting secret costs on the disk.
func TestRowSize(t *testing.T) {
	const secrets, each = 20_000, 450 // bytes
	s := open(t, t.TempDir(), sqlite.Options{})
	payload := noise(256)
	fill(t, s, secrets, payload)
	s.close() // writes the log back
	info, err := os.Stat(filepath.Join(s.dir, "hushpost.db"))
	if err != nil {
		t.Fatal(err)
	}
	if cost := info.Size() / secrets; cost > each || cost < 256 {
		t.Errorf("a secret of 256 bytes takes %d, want at most %d", cost, each)
	} else {
		t.Logf("a secret of 256 bytes takes %d", cost)
	}
}

// fill makes n secrets by as many clients as share one sync.
func fill(t *testing.T, s *server, n int, payload []byte) {
	t.Helper()
	var next atomic.Int64
	group := make(chan error, 64)
	for range cap(group) {
		go func() {
			for next.Add(1) <= int64(n) {
				if _, _, err := s.vault.Create(t.Context(), draft(), bytes.NewReader(payload)); err != nil {
					group <- err
					return
				}
			}
			group <- nil
		}()
	}
	for range cap(group) {
		if err := <-group; err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkCycle is a secret's life, create, open and ack, with 16 clients at once.
func BenchmarkCycle(b *testing.B) {
	for _, size := range []int{256, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, payload := open(b, b.TempDir(), sqlite.Options{}), noise(size)
			b.SetBytes(int64(size))
			b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					s.read(s.create(payload), payload)
				}
			})
		})
	}
}
