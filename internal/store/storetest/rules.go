package storetest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var ruleTests = []test{
	{"unknown", rulesUnknown},
	{"Get keeps nothing", rulesGet},
	{"Update keeps everything", rulesUpdate},
	{"a refusal is handed on and its changes kept", rulesRefusal},
	{"the store's time", rulesTime},
	{"no update is lost", rulesLostUpdate},
	{"Forgotten is dropped", rulesForgotten},
}

var errRule = errors.New("the rule's own")

func rulesUnknown(k *kit) {
	k.put(k.draft(time.Hour), nil)
	unknown, ran := k.draft(time.Hour), false
	a := unknown.Alias()
	rule := func(vault.Time, *vault.Secret) error { ran = true; return nil }
	_, get := k.store.Get(k.Context(), a, rule)
	_, update := k.store.Update(k.Context(), a, rule)
	_, payload, take := k.store.Take(k.Context(), a, rule)
	for verb, err := range map[string]error{"Get": get, "Update": update, "Take": take} {
		if !errors.Is(err, vault.ErrNotFound) {
			k.Errorf("%s: %v, want ErrNotFound", verb, err)
		}
	}
	if payload != nil || ran {
		k.Errorf("payload %v, rule ran: %t", payload, ran)
	}
}

// everything changes each field that a rule may change.
func everything(now vault.Time, s *vault.Secret) error {
	s.State, s.Reader, s.Wrong, s.Refused = vault.Leased, vault.HashOf([]byte("reader")), 3, 70_000
	s.Opened, s.LeaseEnds = now, now.Add(2*time.Minute)
	return nil
}

func rulesGet(k *kit) {
	d := k.draft(time.Hour)
	made := k.put(d, nil)
	want := made
	k.clock.Pass(k.T, time.Millisecond)
	got, err := k.store.Get(k.Context(), d.Alias(), func(now vault.Time, s *vault.Secret) error {
		_ = everything(now, s)
		want = *s
		return errRule
	})
	if got != want || err != errRule { //nolint:errorlint // vault tells its refusals apart by value
		k.Errorf("Get gives %+v, %v, want the rule's %+v, %v", got, err, want, errRule)
	}
	if got := k.get(d.Alias()); got != made {
		k.Errorf("Get kept %+v, want %+v", got, made)
	}
}

func rulesUpdate(k *kit) {
	for _, size := range []int{0, 256, 200_000} {
		d, payload := k.draft(time.Hour), noise(size)
		want := k.put(d, payload)
		for _, rule := range []vault.Rule{
			everything,
			func(now vault.Time, s *vault.Secret) error { s.State, s.Ended = vault.Unconfirmed, now; return nil },
			func(_ vault.Time, s *vault.Secret) error { s.Refused++; return nil },
		} {
			if want.Held() && !bytes.Equal(k.take(d.Alias()), payload) {
				k.Errorf("size %d: a change of the record changed the payload", size)
			}
			k.clock.Pass(k.T, 7*time.Millisecond)
			got, err := k.store.Update(k.Context(), d.Alias(), func(now vault.Time, s *vault.Secret) error {
				if *s != want {
					k.Errorf("size %d: the rule got %+v, want %+v", size, *s, want)
				}
				defer func() { want = *s }()
				return rule(now, s)
			})
			if got != want || err != nil {
				k.Errorf("size %d: Update gives %+v, %v, want %+v", size, got, err, want)
			}
			if got := k.get(d.Alias()); got != want {
				k.Errorf("size %d: kept %+v, want %+v", size, got, want)
			}
		}
	}
}

func rulesRefusal(k *kit) {
	take := func(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
		s, payload, err := k.store.Take(ctx, a, rule)
		if payload != nil {
			k.Error("Take hands out a payload beside a refusal")
		}
		return s, err
	}
	for verb, call := range map[string]func(context.Context, vault.Alias, vault.Rule) (vault.Secret, error){
		"Update": k.store.Update, "Take": take,
	} {
		for _, ends := range []bool{false, true} {
			d := k.draft(time.Hour)
			k.put(d, noise(200_000))
			got, err := call(k.Context(), d.Alias(), func(now vault.Time, s *vault.Secret) error {
				s.Wrong++
				if ends {
					_ = end(now, s)
				}
				return errRule
			})
			if err != errRule { //nolint:errorlint // vault tells its refusals apart by value
				k.Errorf("%s: %v, want the rule's own error, bare", verb, err)
			}
			if kept := k.get(d.Alias()); got.Wrong != 1 || got != kept || kept.Held() == ends {
				k.Errorf("%s: answered %+v, kept %+v", verb, got, kept)
			}
		}
	}
}

func rulesTime(k *kit) {
	const pass = 20 * time.Millisecond
	least := pass
	if k.clock.own {
		least -= lag
	}
	d := k.draft(time.Hour)
	last := k.put(d, nil).Created
	for range 3 {
		k.clock.Pass(k.T, pass)
		rule := func(now vault.Time, _ *vault.Secret) error {
			if now < last.Add(least) || now > last.Add(time.Minute) {
				k.Errorf("the time is %d, want %v more than %d", now, pass, last)
			}
			last = now
			return nil
		}
		if _, err := k.store.Get(k.Context(), d.Alias(), rule); err != nil {
			k.Error(err)
		}
		k.clock.Pass(k.T, pass)
		if _, err := k.store.Update(k.Context(), d.Alias(), rule); err != nil {
			k.Error(err)
		}
	}
}

// rulesLostUpdate: a store may run a rule again, each time on the record as it then is; only the last run counts.
func rulesLostUpdate(k *kit) {
	const calls, each = 16, 10
	d := k.draft(time.Hour)
	k.put(d, nil)
	var group sync.WaitGroup
	for range calls {
		group.Go(func() {
			for range each {
				before := 0
				rule := func(_ vault.Time, s *vault.Secret) error { before = s.Wrong; s.Wrong++; return nil }
				got, err := k.store.Update(k.Context(), d.Alias(), rule)
				if err != nil || got.Wrong != before+1 {
					k.Errorf("Update gives %d after %d, %v", got.Wrong, before, err)
				}
			}
		})
	}
	group.Wait()
	if got := k.get(d.Alias()).Wrong; got != calls*each {
		k.Errorf("%d updates are kept of %d", got, calls*each)
	}
}

func rulesForgotten(k *kit) {
	for _, size := range []int{0, 256, 200_000} {
		d, payload := k.draft(time.Hour), noise(size)
		k.put(d, payload)
		rule := func(_ vault.Time, s *vault.Secret) error { _ = forget(0, s); return errRule }
		if _, err := k.store.Update(k.Context(), d.Alias(), rule); !errors.Is(err, errRule) {
			k.Error(err)
		}
		if _, err := k.store.Get(k.Context(), d.Alias(), keep); !errors.Is(err, vault.ErrNotFound) {
			k.Errorf("size %d: forgotten, but Get gives %v", size, err)
		}
		k.put(d, payload) // the name is free again
	}
}
