package redis_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// BenchmarkMemory tells what a waiting secret takes: 256 bytes of payload, with the hashes of both links, as the HTTP API
// creates it.
func BenchmarkMemory(b *testing.B) {
	const secrets, makers, most = 20_000, 32, 540
	s := redisserver.Start(b, "--appendfsync", "everysec")
	store := open(b, s.URL())
	v := vault.New(store, vault.Options{Key: store.Key()})
	payload := bytes.Repeat([]byte{1}, 256)
	fill := func(n int) {
		var group sync.WaitGroup
		for range makers {
			group.Go(func() {
				for range n / makers {
					d := vault.Draft{ID: vault.NewID(), Link: vault.HashOf(noise(16)), Manage: vault.HashOf(noise(16)), TTL: 24 * time.Hour}
					if _, _, err := v.Create(b.Context(), d, bytes.NewReader(payload)); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
	}
	fill(makers) // what connections take is nobody's secret
	var each float64
	for b.Loop() {
		do(b, s, "FLUSHALL")
		before := s.Memory()
		fill(secrets)
		each = float64(s.Memory()-before) / secrets
	}
	b.ReportMetric(each, "bytes/secret")
	b.ReportMetric(0, "ns/op")
	if each > most {
		b.Errorf("a waiting secret takes %.0f bytes, at most %d are promised", each, most)
	}
}
