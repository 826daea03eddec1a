package httpd_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

const otherKey = "hp_QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI"

func withKeys(o *httpd.Options) {
	withKey(o)
	o.APIKeys[sha256.Sum256([]byte(otherKey))] = "another bot"
}

// watchedSecret is made with the API key and a context.
func (w *world) watchedSecret(context string, change ...func(*testenv.Secret)) *testenv.Secret {
	w.t.Helper()
	s := testenv.NewSecret(64)
	for _, c := range change {
		c(s)
	}
	h := and(testenv.CreateHeader(s), keyHeader, http.Header{wire.HeaderContext: {base64.StdEncoding.EncodeToString([]byte(context))}})
	if a := w.do("PUT", "/api/secrets/"+s.ID, h, string(s.Payload)); a.Status != http.StatusCreated {
		w.t.Fatalf("%d %s", a.Status, a.Body)
	}
	return s
}

// events asks for what has happened, and gives "type context" of each.
func (w *world) events(key string) (all []wire.Event, texts []string) {
	w.t.Helper()
	a := w.do("GET", "/api/events?wait=0", http.Header{"Authorization": {"Bearer " + key}}, "")
	all = testenv.JSON[wire.Events](w.t, a).Events
	for _, e := range all {
		texts = append(texts, e.Type+" "+string(e.Context))
		if e.At.Second() != 0 || e.At.Nanosecond() != 0 {
			w.t.Errorf("%v is not rounded to the minute", e.At)
		}
	}
	return all, texts
}

func TestEvents(t *testing.T) {
	w := newWorld(t, withKeys)
	w.opens(w.created()) // made without a key: nobody's news
	read, declined, revoked, left := w.watchedSecret("a"), w.watchedSecret("b"), w.watchedSecret("c"), w.watchedSecret("d")
	locked := w.watchedSecret("e", func(s *testenv.Secret) { s.Passphrase = testenv.Random(32) })
	w.watchedSecret("f")
	w.opens(read)
	w.must(http.StatusNoContent, w.Ack, read)
	w.must(http.StatusNoContent, w.Ack, read) // once more is no more news
	w.must(http.StatusNoContent, w.Decline, declined)
	w.must(http.StatusNoContent, w.Revoke, revoked)
	w.opens(left)
	wrong := *locked
	wrong.Passphrase = testenv.Random(32)
	for range vault.MaxPassphrases {
		w.must(http.StatusForbidden, w.Open, &wrong)
	}
	w.clock.Pass(vault.DefaultTTL)
	if err := w.vault.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"secret.opened a", "secret.read a", "secret.declined b", "secret.opened d", "secret.locked e", "secret.unconfirmed d", "secret.expired f"}
	if _, got := w.events(otherKey); got != nil {
		t.Errorf("another key sees %v", got)
	}
	all, got := w.events(apiKey)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if all[0].Secret != read.ID || all[2].Secret != declined.ID {
		t.Errorf("the secrets are %v", all)
	}
	if _, got := w.events(apiKey); got != nil {
		t.Errorf("hidden for 60 s, and yet: %v", got)
	}
	ack := func(key string, ids ...string) {
		body := `{"ids":["` + strings.Join(ids, `","`) + `"]}`
		if a := w.do("POST", "/api/events/ack", and(typeJSON, http.Header{"Authorization": {"Bearer " + key}}), body); a.Status != http.StatusNoContent {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	ack(apiKey, all[0].ID, all[1].ID, "unknown", "-1", all[0].ID)
	ack(otherKey, all[2].ID) // not its own
	w.clock.Pass(60 * time.Second)
	if _, got := w.events(apiKey); !slices.Equal(got, want[2:]) {
		t.Errorf("after a minute: %v, want %v", got, want[2:])
	}
	w.clock.Pass(vault.TombstoneTime)
	if err := w.vault.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, got := w.events(apiKey); got != nil {
		t.Errorf("after 7 days: %v", got)
	}
}

// TestEventsWait: a poll that waits hears of what happens meanwhile.
func TestEventsWait(t *testing.T) {
	w := newWorld(t, withKeys)
	s := w.watchedSecret("x")
	heard := make(chan testenv.Answer, 1)
	go func() {
		a, err := w.Do(t.Context(), "GET", "/api/events?wait=60", keyHeader, nil)
		if err != nil {
			t.Error(err)
		}
		heard <- a
	}()
	w.opens(s)
	select {
	case a := <-heard:
		if e := testenv.JSON[wire.Events](t, a).Events; len(e) != 1 || e[0].Type != "secret.opened" {
			t.Errorf("%s", a.Body)
		}
	case <-time.After(10 * time.Second):
		t.Error("nothing in 10 s")
	}
	start := time.Now()
	if a := w.do("GET", "/api/events?wait=1", keyHeader, ""); strings.TrimSpace(string(a.Body)) != `{"events":[]}` || time.Since(start) < time.Second {
		t.Errorf("%s after %v", a.Body, time.Since(start))
	}
}

func TestContexts(t *testing.T) {
	w := newWorld(t, withKeys)
	for name, c := range map[string]struct {
		values []string
		status int
	}{
		"the largest": {[]string{base64.StdEncoding.EncodeToString(make([]byte, vault.MaxContext))}, 201},
		"one more":    {[]string{base64.StdEncoding.EncodeToString(make([]byte, vault.MaxContext+1))}, 400},
		"none":        {nil, 201},
		"empty":       {[]string{""}, 201},
		"not padded":  {[]string{"QQ"}, 400},
		"two":         {[]string{"QUJD", "QUJD"}, 400},
	} {
		s := testenv.NewSecret(1)
		h := and(testenv.CreateHeader(s), keyHeader, http.Header{wire.HeaderContext: c.values})
		if a := w.do("PUT", "/api/secrets/"+s.ID, h, "x"); a.Status != c.status {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}
