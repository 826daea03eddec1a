package redis_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestTroubleTellsNothing: whatever goes wrong, no error and no log holds a name, a hash, a payload, a note, a key or a
// password; not even in the words of a Redis that repeats what it did not understand.
func TestTroubleTellsNothing(t *testing.T) {
	for word := range strings.FieldsSeq(ACL) {
		command, _, _ := strings.Cut(strings.TrimPrefix(word, "+"), "|")
		switch command {
		case word, "ping", "info", "select", "cluster", "asking", "command": // are told nothing
			continue
		}
		t.Run("without "+command, func(t *testing.T) {
			t.Parallel()
			s := redisserver.Start(t, "--rename-command", command, "")
			w := newWitness(t)
			w.use(s)
			w.check()
		})
	}
	t.Run("other trouble", func(t *testing.T) {
		t.Parallel()
		s := redisserver.Start(t)
		w := newWitness(t)
		store := w.use(s)
		for _, d := range w.drafts {
			do(t, s, "DEL", recordOf(d.Alias()))
			do(t, s, "SADD", recordOf(d.Alias()), "x")
		}
		w.everything(store)
		for _, d := range w.drafts {
			do(t, s, "SET", recordOf(d.Alias()), "nonsense")
		}
		w.everything(store)
		do(t, s, "CONFIG", "SET", "maxmemory", "1")
		w.everything(store)
		do(t, s, "SCRIPT", "FLUSH")
		do(t, s, "ACL", "SETUSER", "hushpost", "-@all", "+ping")
		w.everything(store)
		do(t, s, "ACL", "SETUSER", "hushpost", ">another-password", "<"+w.password)
		do(t, s, "CLIENT", "KILL", "USER", "hushpost")
		w.everything(store)
		s.Kill9()
		w.everything(store)
		if len(w.text) < 50 {
			t.Errorf("only %d errors", len(w.text))
		}
		w.check()
	})
}

// witness uses a store that knows things nobody may hear of, and remembers all that was said.
type witness struct {
	*testing.T

	canary   testenv.Canary
	password string
	key      []byte
	drafts   []vault.Draft
	payloads [][]byte

	mu   sync.Mutex
	text []string
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{T: t, password: fmt.Sprintf("%x", noise(16)), key: noise(32)}
	w.canary.Add("the password", []byte(w.password))
	w.canary.Add("the server's key", w.key)
	for i, size := range []int{100, 5_000, 2 << 20, 100} {
		d, payload := draft(t, fmt.Sprintf("creator %x", noise(8)), time.Hour), noise(size)
		d.Context, d.Link, d.Manage = fmt.Sprintf("note %x", noise(8)), vault.HashOf(noise(8)), vault.HashOf(noise(8))
		if i == 3 {
			d = message(t, fmt.Sprintf("author %x", noise(8)), time.Hour)
		} else {
			w.canary.Add("a creator", []byte(d.Creator))
			w.canary.Add("a note", []byte(d.Context))
			w.canary.Add("a hash", d.Link[:])
			w.canary.Add("a hash", d.Manage[:])
		}
		w.canary.Add("an id", d.ID[:])
		w.canary.Add("an id", []byte(d.ID.String()))
		w.canary.Add("an alias", []byte(d.Alias().String()))
		w.canary.Add("an author", d.Author[:])
		w.canary.Add("a payload", payload[:16])
		w.canary.Add("a payload", payload[len(payload)-16:])
		w.drafts, w.payloads = append(w.drafts, d), append(w.payloads, payload)
	}
	return w
}

// Write takes the logs.
func (w *witness) Write(b []byte) (int, error) {
	w.say(string(b))
	return len(b), nil
}

func (w *witness) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, text)
}

func (w *witness) hear(err error) {
	if err != nil {
		w.say(err.Error() + fmt.Sprintf(" %v %+v", err, err))
	}
}

// use opens a store and uses it, as far as it gets.
func (w *witness) use(s *redisserver.Server) *redis.Store {
	w.Helper()
	do(w, s, "ACL", "SETUSER", "hushpost", "on", ">"+w.password, "~*", "+@all")
	url := strings.Replace(s.URL(), "://", "://hushpost:"+w.password+"@", 1)
	store, err := redis.Open(w.Context(), redis.Options{URL: url, Key: w.key, Log: slog.New(slog.NewTextHandler(w, nil))})
	w.hear(err)
	if err != nil {
		return nil
	}
	w.Cleanup(func() { _ = store.Close() })
	w.everything(store)
	return store
}

// everything hears what each verb has to say.
func (w *witness) everything(s *redis.Store) {
	ctx, reader := w.Context(), vault.HashOf([]byte("reader"))
	for i, d := range w.drafts {
		for range 2 {
			_, _, err := s.Put(ctx, d, bytes.NewReader(w.payloads[i]))
			w.hear(err)
		}
		_, err := s.Get(ctx, d.Alias(), keep)
		w.hear(err)
		_, _, err = s.Take(ctx, d.Alias(), lease(time.Minute))
		w.hear(err)
		if d.Type == vault.Kept {
			_, err = s.Replace(ctx, d.Alias(), claimBy(reader), bytes.NewReader(w.payloads[i]))
			w.hear(err)
		}
		listed := d.Secret(1, 0)
		list, _ := vault.Listed(&listed)
		_, _, err = s.List(ctx, list, 0, 10)
		w.hear(err)
		_, err = s.Sweep(ctx, 10, vault.Settle)
		w.hear(err)
		_, err = s.Update(ctx, d.Alias(), ends(vault.Read))
		w.hear(err)
		events, err := s.Events(ctx, d.Creator, 10, 0)
		w.hear(err)
		for _, e := range events {
			w.hear(s.AckEvents(ctx, d.Creator, []string{e.ID}))
		}
		_, err = s.SweepEvents(ctx, 10, -time.Minute)
		w.hear(err)
		_, err = s.Spend(ctx, d.Alias().String(), []redis.Charge{{Budget: "opens", Cost: time.Second, Ahead: time.Minute}})
		w.hear(err)
	}
	_, err := s.Inspect(ctx)
	w.hear(err)
}

func (w *witness) check() {
	w.Helper()
	for _, text := range w.text {
		if found := w.canary.Search([]byte(text)); len(found) > 0 {
			w.Errorf("%s, in: %.400q", strings.Join(found, ", "), text)
		}
	}
}
