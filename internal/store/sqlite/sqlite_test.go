package sqlite_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

func TestSmoke(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := vault.New(s, vault.Options{Key: s.Key()})
	for _, n := range []int{0, 1, 256, 64 << 10, 64<<10 + 1, 3 << 20} {
		var id vault.ID
		rand.Read(id[:])
		data := make([]byte, n)
		rand.Read(data)
		d := vault.Draft{ID: id, Link: vault.HashOf([]byte("l")), Manage: vault.HashOf([]byte("m")), TTL: time.Hour}
		sec, created, err := v.Create(t.Context(), d, bytes.NewReader(data))
		if err != nil || !created {
			t.Fatal(n, err)
		}
		_, created, err = v.Create(t.Context(), d, bytes.NewReader(data))
		if err != nil || created {
			t.Fatal("repeat", n, err)
		}
		_, _, err = v.Create(t.Context(), d, strings.NewReader("other"))
		if err == nil {
			t.Fatal("conflict expected")
		}
		ref, _ := v.Ref(sec.Alias.String())
		r := vault.HashOf([]byte("r"))
		for range 2 {
			_, p, err := v.Open(t.Context(), ref, d.Link, r, vault.Hash{})
			if err != nil {
				t.Fatal(n, err)
			}
			got, err := io.ReadAll(p)
			p.Close()
			if err != nil || !bytes.Equal(got, data) {
				t.Fatal(n, "differs", err)
			}
		}
		if err := v.Ack(t.Context(), ref, d.Link, r); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Open(t.Context(), ref, d.Link, r, vault.Hash{}); err == nil {
			t.Fatal("open after ack")
		} else {
			t.Log(err)
		}
	}
}
func BenchmarkCycle(b *testing.B) {
	s, err := sqlite.Open(b.Context(), b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	v := vault.New(s, vault.Options{Key: s.Key()})
	data := make([]byte, 256)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			var id vault.ID
			rand.Read(id[:])
			d := vault.Draft{ID: id, Link: vault.HashOf([]byte("l")), Manage: vault.HashOf([]byte("m")), TTL: time.Hour}
			sec, _, err := v.Create(b.Context(), d, bytes.NewReader(data))
			if err != nil {
				b.Fatal(err)
			}
			ref, _ := v.Ref(sec.Alias.String())
			r := vault.HashOf([]byte("r"))
			_, _, err = v.Open(b.Context(), ref, d.Link, r, vault.Hash{})
			if err != nil {
				b.Fatal(err)
			}
			if err := v.Ack(b.Context(), ref, d.Link, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
