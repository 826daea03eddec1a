package httpd_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
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

// TestMessagesShareTheMemory: while one large body is under way, the next is refused, and let through afterwards.
func TestMessagesShareTheMemory(t *testing.T) {
	w := newWorld(t)
	handler, err := httpd.NewWithMemory(httpd.Options{Vault: w.vault, Log: slog.New(slog.DiscardHandler), MaxPayload: 1 << 10}, 1)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.Client = testenv.NewClient(server.URL)
	large := with("create", "unknown", `"`+strings.Repeat("a", 40<<10)+`"`)
	first := w.peer()
	first.say(fmt.Sprintf("POST /api/create HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(large), large[:len(large)-1]))
	tick, late := time.NewTicker(time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	refused := w.post("create", large)
	for refused.Status == http.StatusOK { // the server has not read the first yet
		select {
		case <-tick.C:
			refused = w.post("create", large)
		case <-late:
			t.Fatal("two large bodies are held at once")
		}
	}
	if refused.Status != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") != "5" {
		t.Errorf("%d, Retry-After %q: %s", refused.Status, refused.Header.Get("Retry-After"), refused.Body)
	}
	if a := w.post("view", `{"view":"x","uid":"a"}`); a.Status != http.StatusNotFound {
		t.Errorf("a small body: %d", a.Status)
	}
	first.say(large[len(large)-1:])
	if status, body := first.answer(); status != http.StatusOK {
		t.Errorf("the first: %d %s", status, body)
	}
	if a := w.post("create", large); a.Status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.Status, a.Body)
	}
}
