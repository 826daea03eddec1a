package redis_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/store/redis"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/vault"
)

// TestFailovers: when a primary dies, and when it only seemed so and comes back from a world in which it was still the
// primary, what was acknowledged stays, and nobody reads after somebody else.
func TestFailovers(t *testing.T) {
	for _, test := range []struct {
		name       string
		gone, back func(*redisserver.Server)
	}{
		{"kill -9", (*redisserver.Server).Kill9, (*redisserver.Server).Restart},
		{"split brain", (*redisserver.Server).Pause, (*redisserver.Server).Resume},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			pair := redisserver.StartSentinel(t)
			people := unleash(t, &both{stores: [2]*redis.Store{open(t, pair.URL()), open(t, pair.URL())}}, 12)
			for range 2 {
				people.awaitLives(30)
				old := pair.Primary()
				test.gone(old)
				people.awaitTroubles(1)
				pair.AwaitFailover(old)
				people.awaitTroubles(20) // the new primary has no replica: nothing counts
				test.back(old)
				pair.Await()
			}
			people.awaitLives(30)
			people.end()
		})
	}
}

// TestWithoutReplicas: as long as no replica has a change, it does not count, and nothing is released. In particular the
// second try of an open finds its own lease, and must not take that for one that a failover would spare.
func TestWithoutReplicas(t *testing.T) {
	t.Parallel()
	pair := redisserver.StartSentinel(t)
	for _, size := range []int{200, 100_000} {
		store, other := open(t, pair.URL()), open(t, pair.URL())
		v, w := vault.New(store, vault.Options{Key: key}), vault.New(other, vault.Options{Key: key})
		payload, link := noise(size), vault.HashOf([]byte("link"))
		ann, bob := vault.HashOf([]byte("ann")), vault.HashOf([]byte("bob"))
		create := func(v *vault.Vault, d vault.Draft) string {
			_, _, err := v.Create(t.Context(), d, bytes.NewReader(payload))
			return outcome(err)
		}
		first, second := vault.Draft{ID: vault.NewID(), Link: link, TTL: time.Hour}, vault.Draft{ID: vault.NewID(), Link: link, TTL: time.Hour}
		ref, _ := v.Ref(first.ID.String())
		openBy := func(v *vault.Vault, reader vault.Hash) string {
			_, r, err := v.Open(t.Context(), ref, link, reader, vault.Hash{})
			if (r != nil) != (err == nil) {
				t.Errorf("%d bytes: a payload (%t) beside %v", size, r != nil, err)
			}
			return outcome(err)
		}
		want := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%d bytes: %s => %s, want %s", size, what, got, want)
			}
		}
		want("create", create(v, first), "ok")
		replica := pair.Replica()
		replica.Pause()
		want("open", openBy(v, ann), trouble)
		for range 2 {
			want("open again", openBy(v, ann), trouble)
			want("open again elsewhere", openBy(w, ann), trouble)
		}
		for range 2 {
			want("ack", outcome(v.Ack(t.Context(), ref, link, ann)), trouble)
			want("ack again elsewhere", outcome(w.Ack(t.Context(), ref, link, ann)), trouble)
		}
		want("create another", create(v, second), trouble)
		want("create it again", create(v, second), trouble)
		want("create it again elsewhere", create(w, second), trouble)
		replica.Resume()
		pair.Await()
		want("ack, at last", outcome(v.Ack(t.Context(), ref, link, ann)), "ok")
		want("open after it", openBy(v, bob), "the secret has ended")
		want("create, at last", create(w, second), "ok")
	}
}

// TestRetryAfterReplicas: when the replica is back, the reader whose lease did not count gets the payload, and nobody else.
func TestRetryAfterReplicas(t *testing.T) {
	t.Parallel()
	pair := redisserver.StartSentinel(t)
	for _, size := range []int{0, 200, 5_000, 100_000} {
		store, other := open(t, pair.URL()), open(t, pair.URL())
		d, payload := draft(t, "", time.Hour), noise(size)
		put(t, store, d, payload)
		rule := lease(time.Minute)
		replica := pair.Replica()
		replica.Pause()
		if _, got, err := take(t, store, d.Alias(), rule); err == nil {
			t.Errorf("%d bytes: without a replica, %d are released", size, len(got))
		}
		replica.Resume()
		pair.Await()
		for _, s := range []*redis.Store{other, store} {
			if got, b, err := take(t, s, d.Alias(), keep); err != nil || got.State != vault.Leased || !bytes.Equal(b, payload) {
				t.Errorf("%d bytes: with the replica, %v, %d bytes, %v", size, got.State, len(b), err)
			}
		}
		if got := do(t, pair.Replica(), "EXISTS", "hp:{"+d.Alias().String()+"}"); got != "1" {
			t.Errorf("%d bytes: the replica has no record", size)
		}
	}
}
