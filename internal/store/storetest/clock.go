package storetest

import (
	"sync/atomic"
	"testing"
	"time"
)

// Clock is the time that a store under test goes by. It stands still until the suite moves it.
type Clock struct {
	millis atomic.Int64
	own    bool
	slack  time.Duration
}

// NewClock gives a Clock, for tests of a store beside this suite.
func NewClock() *Clock {
	c := new(Clock)
	c.millis.Store(time.Date(2026, 11, 22, 4, 5, 6, 0, time.UTC).UnixMilli())
	return c
}

// Now gives the time.
func (c *Clock) Now() time.Time { return time.UnixMilli(c.millis.Load()) }

// Own says that the store has a clock of its own, which no test can move, and how late its sweeps may find what is
// due. Then the suite waits where that takes a moment, and skips the tests that would take days.
func (c *Clock) Own(slack time.Duration) { c.own, c.slack = true, slack }

const (
	// longest is what the suite is ready to wait for a clock that cannot be moved, beside the slack of its sweeps.
	longest = 2 * time.Second
	// lag is how far a store's own clock may be behind ours: an engine that looks at its clock once a turn.
	lag = 5 * time.Millisecond
)

// Pass lets d go by.
func (c *Clock) Pass(t *testing.T, d time.Duration) {
	t.Helper()
	switch {
	case !c.own:
		c.millis.Add(d.Milliseconds())
	case d > longest:
		t.Skipf("the store's clock cannot be moved, and %v is too long to wait", d)
	default:
		<-time.After(d)
	}
}

// PassDue lets d go by, and as much more as a sweep may need to find what was due by then.
func (c *Clock) PassDue(t *testing.T, d time.Duration) {
	t.Helper()
	c.Pass(t, d)
	if c.own {
		<-time.After(c.slack)
	}
}
