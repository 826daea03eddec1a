package storetest_test

import (
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/storetest"
)

func openMemory(_ *testing.T, clock *storetest.Clock) storetest.Store { return newMemory(clock.Now) }

func TestMemory(t *testing.T) { storetest.Run(t, openMemory) }

func TestMemoryIsLinearizable(t *testing.T) { storetest.Linearizable(t, openMemory) }

// TestOwnClock: a store whose clock no test can move passes as well, with the tests that need days skipped.
func TestOwnClock(t *testing.T) {
	storetest.Run(t, func(_ *testing.T, clock *storetest.Clock) storetest.Store {
		m := newMemory(time.Now)
		m.late = 200 * time.Millisecond
		clock.Own(m.late)
		return m
	})
}
