package httpd_test

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hushpost/hushpost/internal/httpd"
)

// TestHeldBodies: bodies that must be held whole take memory as they come, share a bound, and give it back.
func TestHeldBodies(t *testing.T) {
	var held atomic.Int64
	slow, releaseSlow := httpd.HeldBody(strings.NewReader(strings.Repeat("x", 1000)), &held, 3000)
	if n, err := io.ReadFull(slow, make([]byte, 10)); n != 10 || err != nil || held.Load() > 30 {
		t.Errorf("10 bytes of a body: %d, %v; %d held", n, err, held.Load())
	}
	big, releaseBig := httpd.HeldBody(strings.NewReader(strings.Repeat("x", 1000)), &held, 3000)
	if _, err := io.ReadAll(big); err == nil {
		t.Error("more than the bound is taken")
	}
	releaseBig()
	if rest, err := io.ReadAll(slow); len(rest) != 990 || err != nil {
		t.Errorf("the rest of the body: %d bytes, %v", len(rest), err)
	}
	releaseSlow()
	if n := held.Load(); n != 0 {
		t.Errorf("%d bytes are held after all", n)
	}
}
