package storetest

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"testing/iotest"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// slowly reads a payload in many steps.
func slowly(payload []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(payload)) }

// listRace: beside changes, a page is of records that are in the list, none twice, and never fewer in all than it
// shows; what does not change is on it.
func listRace(k *kit) {
	const changers, listers, looks = 6, 3, 12
	stays := k.put(k.keptDraft("author", time.Hour), nil)
	k.clock.Pass(k.T, 10*time.Millisecond)
	pending := k.listOf(stays)
	var drafts [changers]vault.Draft
	for i := range drafts {
		drafts[i] = k.keptDraft("author", time.Hour)
	}
	change := func(d vault.Draft) string {
		if _, created, err := k.store.Put(k.Context(), d, slowly(nil)); !created || err != nil {
			return fmt.Sprint("Put: ", created, err)
		}
		if _, err := k.store.Update(k.Context(), d.Alias(), claimBy(ann)); err != nil {
			return err.Error()
		}
		if _, err := k.store.Update(k.Context(), d.Alias(), forget); err != nil {
			return err.Error()
		}
		return "well"
	}
	look := func() string {
		page, total, err := k.store.List(k.Context(), pending, 0, 100)
		if err != nil {
			return err.Error()
		}
		seen := make(map[vault.Alias]bool)
		for _, s := range page {
			if list, _ := vault.Listed(&s); list != pending {
				return "a record of another list"
			}
			seen[s.Alias] = true
		}
		if len(seen) < len(page) || len(page) > total || !seen[stays.Alias] {
			return fmt.Sprintf("%d of %d, %d of them different", len(page), total, len(seen))
		}
		return "well"
	}
	var looked atomic.Int64
	got := together(changers+listers, func(i int) string {
		if i >= changers {
			for range looks {
				if o := look(); o != "well" {
					looked.Add(looks)
					return o
				}
				looked.Add(1)
			}
			return "well"
		}
		for looked.Load() < listers*looks {
			if o := change(drafts[i]); o != "well" {
				return o
			}
		}
		return "well"
	})
	if got["well"] != changers+listers {
		k.Errorf("%v", got)
	}
	k.lists(pending, stays)
}
