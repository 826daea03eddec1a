package bench_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/testenv/redisserver"
)

var serverBinary string

func TestMain(m *testing.M) {
	if kind := os.Getenv("BENCH_FLOOR"); kind != "" {
		fmt.Fprintln(os.Stderr, serveFloor(kind))
		os.Exit(1)
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "bench")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		serverBinary = filepath.Join(dir, "server")
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", serverBinary, "../../cmd/server")
		if out, err := build.CombinedOutput(); err != nil {
			panic(string(out))
		}
		return m.Run()
	}())
}

// process is a server or a floor under test.
type process struct {
	cmd  *exec.Cmd
	addr string
}

var addressOf = regexp.MustCompile(`address=(\S+)`)

func start(b *testing.B, kind string, args ...string) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BENCH_FLOOR="+kind)
	if kind == "server" {
		cmd = exec.Command(serverBinary, append([]string{"--listen=127.0.0.1:0", "--limits=off", "--data=" + b.TempDir()}, args...)...)
	}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: cmd}
	lines := bufio.NewReader(stderr)
	for p.addr == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatal("the process ended: ", line)
		}
		if m := addressOf.FindStringSubmatch(line); m != nil {
			p.addr = m[1]
		}
	}
	log, err := os.Create(filepath.Join(b.TempDir(), "log")) // as an operator would have it
	if err != nil {
		b.Fatal(err)
	}
	var copying sync.WaitGroup
	copying.Go(func() { _, _ = lines.WriteTo(log) })
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		copying.Wait()
		_ = cmd.Wait()
		_ = log.Close()
	})
	return p
}

// cpu gives the processor time used so far, user and system.
func (p *process) cpu(b *testing.B) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("processor time is read from /proc: ", err)
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	ticks := 0
	for _, s := range f[11:13] {
		n, _ := strconv.Atoi(s)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// memory gives a line of /proc/PID/status in MiB: VmRSS or VmHWM (the peak).
func (p *process) memory(b *testing.B, line string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("memory is read from /proc: ", err)
	}
	m := regexp.MustCompile(line + `:\s+(\d+) kB`).FindStringSubmatch(string(status))
	n, _ := strconv.Atoi(m[1])
	return float64(n) / 1024
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

const (
	turns = 3
	turn  = 2 * time.Second
)

// BenchmarkThroughput creates, opens and acks secrets at the server and at both floors in turn.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{256, 16 << 10} {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%dB/%dclients", size, clients), func(b *testing.B) {
				server, sqlite, bare := start(b, "server"), start(b, "sqlite"), start(b, "map")
				for _, p := range []*process{server, sqlite, bare} {
					load(b, p.addr, clients, size, turn/4) // warm
				}
				var rate, p99, toSQLite, toMap, cpu []float64
				for b.Loop() {
					for range turns {
						before := server.cpu(b)
						r := load(b, server.addr, clients, size, turn)
						used := server.cpu(b) - before
						s := load(b, sqlite.addr, clients, size, turn)
						m := load(b, bare.addr, clients, size, turn)
						rate = append(rate, r.secrets)
						p99 = append(p99, float64(r.p99)/1e6)
						toSQLite = append(toSQLite, r.secrets/s.secrets)
						toMap = append(toMap, r.secrets/m.secrets)
						cpu = append(cpu, used.Seconds()/(r.secrets*turn.Seconds())*1000)
					}
				}
				b.ReportMetric(median(rate), "secrets/s")
				b.ReportMetric(median(p99), "p99-ms")
				b.ReportMetric(median(toSQLite), "of-sqlite-floor")
				b.ReportMetric(median(toMap), "of-map-floor")
				b.ReportMetric(median(cpu), "cpu-s/1000")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkLarge is about files: throughput, and memory that does not grow with the payload.
func BenchmarkLarge(b *testing.B) {
	for _, c := range []struct{ mib, clients int }{{1, 16}, {13, 16}, {16, 1}, {16, 16}} {
		b.Run(fmt.Sprintf("%dMiB/%dclients", c.mib, c.clients), func(b *testing.B) {
			server := start(b, "server")
			load(b, server.addr, 1, 256, turn/10)
			idle := server.memory(b, "VmRSS")
			var rate []float64
			for b.Loop() {
				for range turns {
					rate = append(rate, load(b, server.addr, c.clients, c.mib<<20, turn).secrets)
				}
			}
			b.ReportMetric(median(rate), "secrets/s")
			b.ReportMetric(server.memory(b, "VmHWM")-idle, "MiB-over-idle")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkWaiting asks what secrets that wait cost those that come and go.
func BenchmarkWaiting(b *testing.B) {
	const waiting, clients = 100_000, 16
	server, other := start(b, "server"), start(b, "server")
	var ratio []float64
	for b.Loop() {
		fill(b, server.addr, waiting, time.Hour)
		time.Sleep(3 * time.Second) // until the log is back in the database
		for range turns {
			full := load(b, server.addr, clients, 256, turn)
			empty := load(b, other.addr, clients, 256, turn)
			ratio = append(ratio, full.secrets/empty.secrets)
		}
	}
	b.ReportMetric(median(ratio), "of-empty")
	b.ReportMetric(0, "ns/op")
}

// stores gives a server on each engine, and how many bytes its data takes.
var stores = []struct {
	name  string
	start func(b *testing.B) (server *process, bytes func() float64)
}{
	{"sqlite", func(b *testing.B) (*process, func() float64) {
		dir := b.TempDir()
		return start(b, "server", "--data="+dir), func() float64 {
			time.Sleep(3 * time.Second) // until the log is back in the database
			info, err := os.Stat(filepath.Join(dir, "hushpost.db"))
			if err != nil {
				b.Fatal(err)
			}
			return float64(info.Size())
		}
	}},
	{"redis", func(b *testing.B) (*process, func() float64) {
		r := redisserver.Start(b, "--appendfsync", "everysec")
		empty := r.Memory()
		return start(b, "server", "--store="+r.URL()), func() float64 { return float64(r.Memory() - empty) }
	}},
}

// BenchmarkMillion is what a secret of 256 bytes takes while it waits, when there are a million of them.
func BenchmarkMillion(b *testing.B) {
	for _, store := range stores {
		b.Run(store.name, func(b *testing.B) {
			const waiting = 1_000_000
			server, bytes := store.start(b)
			for b.Loop() {
				fill(b, server.addr, waiting, time.Hour)
			}
			b.ReportMetric(bytes()/waiting, "bytes/secret")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkSweep lets many secrets expire while others are made, and tells the slowest create from the time when nothing
// expires to the one when all has been swept.
func BenchmarkSweep(b *testing.B) {
	for _, store := range stores {
		b.Run(store.name, func(b *testing.B) {
			const expiring = 100_000
			server, _ := store.start(b)
			var slowest time.Duration
			for b.Loop() {
				began := time.Now()
				fill(b, server.addr, expiring, time.Minute)
				filled := time.Now()
				time.Sleep(time.Until(began.Add(time.Minute - 2*time.Second)))
				slowest = max(slowest, creating(b, server.addr, 4, time.Until(filled.Add(time.Minute+30*time.Second))))
			}
			b.ReportMetric(float64(slowest)/1e6, "slowest-create-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// creating makes secrets for a while, at a pace that leaves the machine idle most of the time, and gives the slowest answer.
func creating(b *testing.B, addr string, clients int, d time.Duration) time.Duration {
	slowest := make([]time.Duration, clients)
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i := range clients {
		c := dial(b, addr, 256)
		wg.Go(func() {
			for time.Now().Before(end) {
				t := time.Now()
				if err := c.create(newID()); err != nil {
					b.Error(err)
					return
				}
				slowest[i] = max(slowest[i], time.Since(t))
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	return slices.Max(slowest)
}

func fill(b *testing.B, addr string, n int, ttl time.Duration) {
	var wg sync.WaitGroup
	for range 64 {
		c := dial(b, addr, 256)
		c.ttl = ttl
		wg.Go(func() {
			for range n / 64 {
				if err := c.create(newID()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkStart is the time from exec to the first answer, in a new folder, and what an idle server weighs.
func BenchmarkStart(b *testing.B) {
	var first, idle []float64
	for b.Loop() {
		for range turns {
			t := time.Now()
			p := start(b, "server")
			c := dial(b, p.addr, 0)
			if err := c.do([]byte("GET /api/health HTTP/1.1\r\nHost: bench\r\n\r\n"), nil, 200, -1); err != nil {
				b.Fatal(err)
			}
			first = append(first, float64(time.Since(t))/1e6)
			time.Sleep(time.Second) // idle means that nothing is going on
			idle = append(idle, p.memory(b, "VmRSS"))
		}
	}
	info, err := os.Stat(serverBinary)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(median(first), "ms-to-first-answer")
	b.ReportMetric(median(idle), "MiB-idle")
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB-binary")
	b.ReportMetric(0, "ns/op")
}
