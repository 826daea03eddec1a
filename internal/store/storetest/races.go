package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hushpost/hushpost/internal/vault"
)

var raceTests = []test{
	{"64 opens have one winner", raceOpens},
	{"64 unguarded takes have one winner", raceTakes},
	{"creating one id", raceCreates},
	{"creating again beside the end", raceCreateEnd},
	{"opening again beside the ack", raceAck},
	{"closing beside everything", raceClose},
}

// together runs n calls at once and counts their outcomes.
func together(n int, call func(i int) string) map[string]int {
	var mu sync.Mutex
	var group sync.WaitGroup
	start, got := make(chan struct{}), make(map[string]int)
	for i := range n {
		group.Go(func() {
			<-start
			o := call(i)
			mu.Lock()
			defer mu.Unlock()
			got[o]++
		})
	}
	close(start)
	group.Wait()
	return got
}

// raceSizes lie on both sides of what stores keep elsewhere.
var raceSizes = []int{256, 200_000}

func raceOpens(k *kit) {
	for _, size := range raceSizes {
		for range 5 {
			c := k.made(life{size: size})
			got := together(64, func(i int) string { return c.do([]string{"open", fmt.Sprint("reader ", i)}) })
			if got["payload"] != 1 || got["leased"] != 63 {
				k.Errorf("size %d: %v", size, got)
			}
		}
	}
}

func raceTakes(k *kit) {
	for _, size := range raceSizes {
		for range 5 {
			c := k.made(life{size: size, unguarded: true})
			got := together(64, func(int) string { return c.do([]string{"take"}) })
			if got["payload"] != 1 || got["unknown"] != 63 {
				k.Errorf("size %d: %v", size, got)
			}
		}
	}
}

func raceCreates(k *kit) {
	for _, size := range raceSizes {
		for range 3 {
			c := newCharacter(k, life{size: size}, true)
			got := together(24, func(int) string { return c.do([]string{"create"}) })
			if got["created"] != 1 || got["same"] != 23 {
				k.Errorf("size %d, equal requests: %v", size, got)
			}
			c = newCharacter(k, life{size: size}, true)
			got = together(24, func(i int) string {
				which := []string{"same", "other"}[i%2]
				return which + " " + c.do([]string{"create", which})
			})
			winner := "same"
			if got["other created"] == 1 {
				winner = "other"
			}
			loser := map[string]string{"same": "other", "other": "same"}[winner]
			if got[winner+" created"] != 1 || got[winner+" same"] != 11 || got[loser+" conflict"] != 12 {
				k.Errorf("size %d, two payloads: %v", size, got)
			}
		}
	}
}

// raceCreateEnd: a repeated creation that meets the end of its twin has either come before or after it.
func raceCreateEnd(k *kit) {
	for i := range 40 {
		c := k.made(life{size: raceSizes[i%2]})
		got := together(8, func(i int) string {
			if i == 4 {
				return c.do([]string{"revoke"})
			}
			return c.do([]string{"create"})
		})
		if got["ok"] != 1 || got["same"]+got["conflict"] != 7 {
			k.Errorf("size %d: %v", len(c.payload), got)
		}
	}
}

// raceAck: the reader's second try gets the whole payload or is told that it has read it. A payload that goes
// while it is being handed out is neither trouble nor "not found".
func raceAck(k *kit) {
	for i := range 40 {
		c := k.made(life{size: raceSizes[i%2]})
		if got := c.do([]string{"open", "ann"}); got != "payload" {
			k.Fatalf("open => %s", got)
		}
		got := together(8, func(i int) string {
			if i == 4 {
				return c.do([]string{"ack", "ann"})
			}
			return c.do([]string{"open", "ann"})
		})
		if got["ok"] != 1 || got["payload"]+got["ended read"] != 7 {
			k.Errorf("size %d: %v", len(c.payload), got)
		}
	}
}

// raceClose: Close waits for what is under way. Each call is answered, and none with a lie.
func raceClose(k *kit) {
	c := k.made(life{size: 256})
	closing, closed := make(chan struct{}), new(atomic.Bool)
	got := together(9, func(i int) string {
		if i == 8 {
			<-closing
			defer closed.Store(true)
			return "close " + outcome(k.store.Close(), "ok")
		}
		call := strings.Fields([]string{"meta", "status", "create", "open ann"}[i%4])
		for n := 0; ; n++ {
			if n == 10 && i == 0 {
				close(closing)
			}
			late := closed.Load()
			switch o := c.do(call); {
			case strings.HasPrefix(o, trouble):
				return "trouble"
			case late:
				return "after Close " + o
			case !slices.Contains([]string{"waiting", "leased", "same", "payload"}, o):
				return o
			}
		}
	})
	if got["close ok"] != 1 || got["trouble"] != 8 {
		k.Errorf("%v", got)
	}
}

var trouble = (&vault.Error{Kind: vault.KindUnavailable}).Error()
