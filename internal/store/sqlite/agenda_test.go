package sqlite_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestSweepMissesNothing: what is on its way to the disk while the agenda's horizon moves is swept in its time as well.
func TestSweepMissesNothing(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), sqlite.Options{Now: clock.Now})
	const clients, each = 16, 150
	var made atomic.Int64
	var group sync.WaitGroup
	for range clients {
		group.Go(func() {
			for range each {
				if err := s.tryCreate(nil); err != nil {
					t.Error(err)
				}
				made.Add(1)
			}
		})
	}
	swept := 0
	sweep := func() {
		clock.Pass(t, 31*time.Minute) // past the middle of the hour that the agenda knows
		n, err := s.store.Sweep(t.Context(), 1<<20, vault.Settle)
		if swept += n; err != nil {
			t.Error(err)
		}
	}
	for sweeps := 0; sweeps < 200 && made.Load() < clients*each; sweeps++ { // within a week, or tombstones count too
		for before := made.Load(); made.Load() == before && before < clients*each; {
			runtime.Gosched()
		}
		sweep()
	}
	group.Wait()
	for range 4 { // everything was made for an hour
		sweep()
	}
	if swept != clients*each {
		t.Errorf("of %d secrets that expired %d were swept", clients*each, swept)
	}
}

// TestSweepAfterStart: what fell due while no server ran is swept by the next one, tombstones too.
func TestSweepAfterStart(t *testing.T) {
	clock := storetest.NewClock()
	s := open(t, t.TempDir(), sqlite.Options{Now: clock.Now})
	for range 3 {
		s.create(noise(70_000))
	}
	s.close()
	for _, test := range []struct {
		down time.Duration
		want int
	}{{59 * time.Minute, 0}, {time.Minute, 3}, {7*24*time.Hour - 1*time.Millisecond, 0}, {time.Millisecond, 3}, {time.Hour, 0}} {
		clock.Pass(t, test.down)
		s = open(t, s.dir, sqlite.Options{Now: clock.Now})
		if n, err := s.store.Sweep(t.Context(), 100, vault.Settle); n != test.want || err != nil {
			t.Errorf("after %v more a sweep finds %d, %v, want %d", test.down, n, err, test.want)
		}
		s.close()
	}
}
