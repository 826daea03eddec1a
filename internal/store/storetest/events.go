package storetest

import (
	"fmt"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var eventTests = []test{
	{"what happens is told", eventsTold},
	{"a secret without a creator tells nothing", eventsOfNobody},
	{"handed out to one at a time", eventsHidden},
	{"an ack is the creator's", eventsAcked},
	{"kept for a week", eventsSwept},
}

// events gives what creator is told now, "read 1" for the end of the first secret that was made, and their ids.
func (k *kit) events(creator string, limit int, hide time.Duration) (told []string, ids []string) {
	k.Helper()
	store, ok := k.store.(vault.EventStore)
	if !ok {
		k.Skip("this store keeps no events")
	}
	events, err := store.Events(k.Context(), creator, limit, hide)
	if err != nil {
		k.Fatalf("Events: %v", err)
	}
	for _, e := range events {
		if e.Creator != creator || len(e.Secret) == 0 || e.At == 0 {
			k.Errorf("an event is not whole: %+v", e)
		}
		told = append(told, fmt.Sprintf("%s %s", e.Type, e.Context))
		ids = append(ids, e.ID)
	}
	return told, ids
}

func (k *kit) told(creator string, want ...string) (ids []string) {
	k.Helper()
	got, ids := k.events(creator, 100, 0)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		k.Errorf("%s is told %q, want %q", creator, got, want)
	}
	return ids
}

// by makes a secret of creator's whose context is note.
func (k *kit) by(creator, note string) vault.Alias {
	k.Helper()
	d := k.draft(time.Hour)
	d.Creator, d.Context = creator, note
	return k.put(d, []byte("payload")).Alias
}

// becomes changes a secret as a rule would.
func (k *kit) becomes(a vault.Alias, state vault.State) {
	k.Helper()
	if _, err := k.store.Update(k.Context(), a, func(now vault.Time, s *vault.Secret) error {
		s.State = state
		if state == vault.Leased {
			s.Opened, s.LeaseEnds = now, now.Add(time.Minute)
		} else {
			s.Ended = now
		}
		return nil
	}); err != nil {
		k.Fatalf("Update: %v", err)
	}
}

func eventsTold(k *kit) {
	k.told("bot")
	read, declined, revoked := k.by("bot", "1"), k.by("bot", "2"), k.by("bot", "3")
	k.by("other", "4")
	k.told("bot")
	k.becomes(read, vault.Leased)
	k.becomes(declined, vault.Declined)
	k.becomes(read, vault.Read)
	k.becomes(revoked, vault.Revoked) // by the creator itself
	k.told("bot", "secret.opened 1", "secret.declined 2", "secret.read 1")
	k.told("other")
}

func eventsOfNobody(k *kit) {
	d := k.draft(time.Hour)
	d.Creator, d.Context = "", ""
	a := k.put(d, []byte("payload")).Alias
	k.becomes(a, vault.Leased)
	k.becomes(a, vault.Read)
	k.told("")
}

func eventsHidden(k *kit) {
	k.needsClock()
	for _, note := range []string{"1", "2", "3"} {
		k.becomes(k.by("bot", note), vault.Declined)
	}
	if got, _ := k.events("bot", 2, time.Minute); fmt.Sprint(got) != "[secret.declined 1 secret.declined 2]" {
		k.Errorf("the first poller gets %q", got)
	}
	if got, _ := k.events("bot", 2, time.Minute); fmt.Sprint(got) != "[secret.declined 3]" {
		k.Errorf("the second poller gets %q", got)
	}
	k.told("bot")
	k.clock.Pass(k.T, time.Minute)
	k.told("bot", "secret.declined 1", "secret.declined 2", "secret.declined 3")
}

func eventsAcked(k *kit) {
	for _, note := range []string{"1", "2"} {
		k.becomes(k.by("bot", note), vault.Declined)
	}
	ids := k.told("bot", "secret.declined 1", "secret.declined 2")
	store := k.store.(vault.EventStore)
	for _, ack := range []struct {
		creator string
		ids     []string
	}{{"other", ids}, {"bot", []string{"", "x", "-1", "9999999"}}, {"bot", nil}} {
		if err := store.AckEvents(k.Context(), ack.creator, ack.ids); err != nil {
			k.Errorf("AckEvents: %v", err)
		}
	}
	k.told("bot", "secret.declined 1", "secret.declined 2")
	for range 2 { // an ack may be repeated
		if err := store.AckEvents(k.Context(), "bot", ids[:1]); err != nil {
			k.Errorf("AckEvents: %v", err)
		}
	}
	k.told("bot", "secret.declined 2")
}

func eventsSwept(k *kit) {
	k.needsClock()
	for range 3 {
		k.becomes(k.by("bot", "1"), vault.Declined)
	}
	k.told("bot", "secret.declined 1", "secret.declined 1", "secret.declined 1")
	store := k.store.(vault.EventStore)
	const week = 7 * 24 * time.Hour
	sweep := func(want int) {
		k.Helper()
		if n, err := store.SweepEvents(k.Context(), 2, week); n != want || err != nil {
			k.Errorf("SweepEvents: %d, %v, want %d", n, err, want)
		}
	}
	k.clock.Pass(k.T, week-time.Millisecond)
	sweep(0)
	k.clock.Pass(k.T, time.Millisecond)
	sweep(2)
	sweep(1)
	sweep(0)
	k.told("bot")
}
