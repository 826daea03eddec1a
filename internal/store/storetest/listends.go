package storetest

import (
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

func listEnds(k *kit) {
	for _, rule := range []vault.Rule{end, forget} {
		waiting, claimed := k.keptDraft("author", time.Hour), k.keptDraft("author", time.Hour)
		pending := k.listOf(k.put(waiting, noise(200_000)))
		k.put(claimed, noise(10))
		owned := k.listOf(k.update(claimed.Alias(), claimBy(ann)))
		k.update(waiting.Alias(), rule)
		k.update(claimed.Alias(), rule)
		k.lists(pending)
		k.lists(owned)
	}
	d := k.keptDraft("author", time.Hour)
	pending := k.listOf(k.put(d, noise(10)))
	if _, err := k.store.Replace(k.Context(), d.Alias(), end, slowly(noise(10))); err != nil {
		k.Error(err)
	}
	k.lists(pending)
}

// listExpires: the end by time needs no sweep to be seen, and a sweep changes nothing that is seen.
func listExpires(k *kit) {
	soon, claimed, later := k.keptDraft("author", 50*time.Millisecond), k.keptDraft("author", 50*time.Millisecond), k.keptDraft("author", time.Hour)
	pending := k.listOf(k.put(soon, noise(10)))
	k.put(claimed, noise(10))
	owned := k.listOf(k.update(claimed.Alias(), claimBy(ann)))
	k.clock.Pass(k.T, time.Millisecond)
	stays := k.put(later, noise(10))
	if !k.clock.own { // else the moment cannot be met
		k.clock.Pass(k.T, 48*time.Millisecond)
		k.lists(pending, stays, k.get(soon.Alias()))
		k.lists(owned, k.get(claimed.Alias()))
		k.clock.Pass(k.T, time.Millisecond)
	} else {
		k.clock.Pass(k.T, 60*time.Millisecond)
	}
	k.lists(pending, stays)
	k.lists(owned)
	if got, total, err := k.store.List(k.Context(), pending, 1, 10); len(got) != 0 || total != 1 || err != nil {
		k.Errorf("beyond the end of what is left: %d of %d, %v", len(got), total, err)
	}
	k.clock.PassDue(k.T, 0)
	k.sweep(10, 2, vault.Settle)
	k.lists(pending, stays)
	k.lists(owned)
}

func listExpiresLate(k *kit) {
	k.needsClock()
	never, year := k.keptDraft("author", 0), k.keptDraft("author", 365*24*time.Hour)
	payload := noise(200_000)
	stays := k.put(never, payload)
	k.clock.Pass(k.T, time.Millisecond)
	pending := k.listOf(k.put(year, noise(10)))
	if stays.Expires != vault.Never {
		k.Errorf("a secret that does not expire: %+v", stays)
	}
	k.clock.Pass(k.T, 365*24*time.Hour-time.Millisecond)
	k.sweep(10, 0, vault.Settle)
	k.lists(pending, k.get(year.Alias()), stays)
	k.clock.Pass(k.T, time.Millisecond)
	k.lists(pending, stays)
	for range 10 {
		k.clock.Pass(k.T, 10*365*24*time.Hour)
		if err := k.vault.Sweep(k.Context()); err != nil {
			k.Error(err)
		}
		k.lists(pending, stays)
	}
	k.holds(stays, payload)
	claimed := k.update(never.Alias(), claimBy(ann))
	k.clock.Pass(k.T, 100*365*24*time.Hour)
	k.lists(pending)
	k.lists(k.listOf(claimed), claimed)
	k.update(never.Alias(), end)
	k.lists(k.listOf(claimed))
	k.clock.Pass(k.T, 7*24*time.Hour)
	k.sweep(10, 1, vault.Settle) // what does not expire can end, and is then swept like others
}
