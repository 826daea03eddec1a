package bench_test

import (
	"fmt"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

// redisTurns compares the server on Redis with the floor on the same Redis.
func redisTurns(b *testing.B, size, clients int, settings ...string) {
	r := redisserver.Start(b, settings...)
	server := start(b, "server", "--store="+r.URL())
	floor := start(b, "redis "+r.URL())
	for _, p := range []*process{server, floor} {
		load(b, p.addr, clients, size, turn/4) // warm
	}
	var rate, p99, ratio, cpu []float64
	for b.Loop() {
		for range turns {
			before := server.cpu(b)
			s := load(b, server.addr, clients, size, turn)
			used := server.cpu(b) - before
			f := load(b, floor.addr, clients, size, turn)
			rate = append(rate, s.secrets)
			p99 = append(p99, float64(s.p99)/1e6)
			ratio = append(ratio, s.secrets/f.secrets)
			cpu = append(cpu, used.Seconds()/(s.secrets*turn.Seconds())*1000)
		}
	}
	b.ReportMetric(median(rate), "secrets/s")
	b.ReportMetric(median(p99), "p99-ms")
	b.ReportMetric(median(ratio), "of-redis-floor")
	b.ReportMetric(median(cpu), "cpu-s/1000")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRedis creates, opens and acks secrets on a Redis that syncs each write, and at 1 MiB on one that syncs each
// second: there it is the disk that would be measured.
func BenchmarkRedis(b *testing.B) {
	for _, size := range []int{256, 16 << 10} {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%dB/%dclients", size, clients), func(b *testing.B) { redisTurns(b, size, clients) })
		}
	}
	b.Run("1MiB/16clients", func(b *testing.B) { redisTurns(b, 1<<20, 16, "--appendfsync", "everysec") })
}
