package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var listTests = []test{
	{"an unknown list is empty", listUnknown},
	{"the newest first, by pages", listPages},
	{"150 made at once, each seen once", listOnce},
	{"as the records are", listFresh},
	{"from one list to the other", listMoves},
	{"what has ended leaves", listEnds},
	{"what expires leaves, swept or not", listExpires},
	{"what expires leaves, in days", listExpiresLate},
	{"each has a list of their own", listOwn},
	{"one-time secrets and copies are in none", listNone},
	{"a name that is free again", listAgain},
	{"listing beside changes", listRace},
}

// listOf gives the list that s is in.
func (k *kit) listOf(s vault.Secret) vault.Hash {
	k.Helper()
	list, _ := vault.Listed(&s)
	if list.IsZero() {
		k.Fatalf("in no list: %+v", s)
	}
	return list
}

// lists checks that list has these records, in this order.
func (k *kit) lists(list vault.Hash, want ...vault.Secret) {
	k.Helper()
	got, total, err := k.store.List(k.Context(), list, 0, 100)
	if err != nil || total != len(want) || !slices.Equal(got, want) {
		k.Errorf("the list has %d records of %d, %v, want %d:\n%+v\n%+v", len(got), total, err, len(want), got, want)
	}
}

func (k *kit) update(a vault.Alias, rule vault.Rule) vault.Secret {
	k.Helper()
	s, err := k.store.Update(k.Context(), a, rule)
	if err != nil {
		k.Fatalf("Update: %v", err)
	}
	return s
}

func listUnknown(k *kit) {
	k.lists(vault.HashOf([]byte("nobody's")))
	k.put(k.keptDraft("author", time.Hour), nil)
	k.lists(vault.HashOf([]byte("nobody's")))
	if got, total, err := k.store.List(k.Context(), vault.HashOf([]byte("nobody's")), 7, 10); len(got) != 0 || total != 0 || err != nil {
		k.Errorf("its second page: %d of %d, %v", len(got), total, err)
	}
}

func listPages(k *kit) {
	const n = 7
	var all []vault.Secret
	for range n {
		all = slices.Insert(all, 0, k.put(k.keptDraft("author", time.Hour), noise(10)))
		k.clock.Pass(k.T, 10*time.Millisecond)
	}
	list := k.listOf(all[0])
	k.lists(list, all...)
	for skip := range n + 3 {
		for limit := 1; limit < n+3; limit++ {
			got, total, err := k.store.List(k.Context(), list, skip, limit)
			want := all[min(skip, n):min(skip+limit, n)]
			if err != nil || total != n || !slices.Equal(got, want) {
				k.Errorf("%d after %d: %d records of %d, %v, want %d of %d", limit, skip, len(got), total, err, len(want), n)
			}
		}
	}
}

// listOnce: what was made in one millisecond has an order too, or pages would miss some.
func listOnce(k *kit) {
	const n, page = 150, 40
	made, seen := make(map[vault.Alias]bool), make(map[vault.Alias]bool)
	var list vault.Hash
	for range n {
		s := k.put(k.keptDraft("author", time.Hour), nil)
		list, made[s.Alias] = k.listOf(s), true
	}
	for range 2 {
		clear(seen)
		last := vault.Never
		for skip := 0; ; skip += page {
			got, total, err := k.store.List(k.Context(), list, skip, page)
			if err != nil || total != n {
				k.Fatalf("after %d: of %d, %v, want %d", skip, total, err, n)
			}
			for _, s := range got {
				if seen[s.Alias] || !made[s.Alias] || s.Created > last {
					k.Errorf("after %d: seen before %t, unknown %t, of %d after one of %d", skip, seen[s.Alias], !made[s.Alias], s.Created, last)
				}
				seen[s.Alias], last = true, s.Created
			}
			if len(got) < page {
				break
			}
		}
		if len(seen) != n {
			k.Errorf("%d are seen of %d", len(seen), n)
		}
	}
}

// listFresh: a list shows the records as they are, whatever was changed since they came into it.
func listFresh(k *kit) {
	d := k.keptDraft("author", time.Hour)
	list := k.listOf(k.put(d, noise(10)))
	k.lists(list, k.update(d.Alias(), func(_ vault.Time, s *vault.Secret) error { s.Label = "another"; return nil }))
	k.lists(list, k.update(d.Alias(), func(_ vault.Time, s *vault.Secret) error { s.Refused++; return nil }))
	got, err := k.store.Replace(k.Context(), d.Alias(), keep, slowly(noise(200_000)))
	if err != nil {
		k.Fatal(err)
	}
	k.lists(list, got)
	later := k.update(d.Alias(), func(now vault.Time, s *vault.Secret) error { s.Expires = now.Add(2 * time.Hour); return nil })
	k.lists(list, later)
	if !k.clock.own {
		k.clock.Pass(k.T, 90*time.Minute)
		k.lists(list, later)
	}
}

func listMoves(k *kit) {
	k.lists(vault.Hash{})
	first, second := k.keptDraft("author", time.Hour), k.keptDraft("author", time.Hour)
	one := k.put(first, noise(10))
	k.clock.Pass(k.T, 10*time.Millisecond)
	two := k.put(second, noise(10))
	pending := k.listOf(one)
	k.lists(pending, two, one)

	claimed, err := k.store.Replace(k.Context(), first.Alias(), claimBy(ann), slowly(noise(200_000)))
	if err != nil {
		k.Fatal(err)
	}
	owned := k.listOf(claimed)
	k.lists(pending, two)
	k.lists(owned, claimed)

	too, err := k.store.Replace(k.Context(), second.Alias(), claimBy(ann), slowly(nil))
	if err != nil {
		k.Fatal(err)
	}
	k.lists(pending)
	k.lists(owned, too, claimed) // by when they were made, not by when they came

	back := k.update(first.Alias(), func(_ vault.Time, s *vault.Secret) error {
		s.State, s.Owner, s.Opened = vault.Waiting, vault.Hash{}, 0
		return nil
	})
	k.lists(pending, back)
	k.lists(owned, too)

	other := k.update(second.Alias(), func(_ vault.Time, s *vault.Secret) error { s.Owner = bob; return nil })
	k.lists(owned)
	k.lists(k.listOf(other), other)
	k.lists(vault.Hash{})
}

func listOwn(k *kit) {
	var all []vault.Secret
	for i := range 5 {
		all = append(all, k.put(k.keptDraft(fmt.Sprint("author ", i), time.Hour), nil))
	}
	for _, s := range all {
		k.lists(k.listOf(s), s)
	}
}

func listNone(k *kit) {
	k.put(k.draft(time.Hour), noise(10))
	copied := k.keptDraft("author", time.Hour)
	copied.Author = vault.Hash{}
	k.put(copied, noise(10))
	k.put(k.answer("request", ann, time.Hour), nil)
	k.lists(vault.Hash{})
	k.lists(k.listOf(k.update(copied.Alias(), claimBy(ann))), k.get(copied.Alias()))
	k.lists(vault.Hash{})
}

// listAgain: of what had a name before, nothing is in the way of its next bearer, and nothing is seen twice.
func listAgain(k *kit) {
	d := k.keptDraft("author", time.Hour)
	pending := k.listOf(k.put(d, noise(10)))
	for range 3 {
		k.update(d.Alias(), forget)
		k.lists(pending)
		k.clock.Pass(k.T, 10*time.Millisecond)
		k.lists(pending, k.put(d, noise(10)))
	}
}
