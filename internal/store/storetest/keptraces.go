package storetest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// raceClaims: of 12 who claim at once one wins, and what they brought is what is there (PROTOCOL 5).
func raceClaims(k *kit) {
	for _, size := range raceSizes {
		for round := range 6 {
			c := k.keeps(keptLife{size: size, guarded: round%2 == 1})
			with := []string{"", "token"}[round%2]
			winner := make(chan string, 12)
			got := together(12, func(i int) string {
				who := fmt.Sprint("reader ", i)
				o := c.do([]string{"claim", who, with})
				if o == "ok" {
					winner <- who
				}
				return o
			})
			if got["ok"] != 1 || got["owned"] != 11 {
				k.Errorf("size %d: %v", size, got)
				continue
			}
			who := <-winner
			if got := c.do([]string{"read", who}); got != "by "+who+", own" {
				k.Errorf("size %d: the winner reads %s", size, got)
			}
			if got := c.do([]string{"owned", who}); got != "draft, end" {
				k.Errorf("size %d: the winner has %s", size, got)
			}
			if want := map[bool]string{false: "1", true: "0"}[c.life.guarded]; c.do([]string{"copies"}) != want {
				k.Errorf("size %d: %s copies of what was replaced, want %s", size, c.do([]string{"copies"}), want)
			}
			if want := map[bool]string{false: "ok", true: "unknown"}[c.life.guarded]; c.do([]string{"undo", "ann"}) != want {
				k.Errorf("size %d: undo, want %s", size, want)
			} else if got := c.do([]string{"read", "ann"}); want == "ok" && got != "by ann" {
				k.Errorf("size %d: after the undo the author reads %s", size, got)
			}
		}
	}
}

func raceKeeps(k *kit) {
	ann := k.vault.User("ann")
	for _, size := range raceSizes {
		iv, salt, payload := sealed("ann", size)
		got := together(12, func(i int) string {
			m := vault.Message{Author: ann, TTL: time.Hour, IV: iv, Salt: salt, Key: fmt.Sprint(size), Body: vault.HashOf(payload)}
			if i%4 == 3 {
				m.Body = vault.HashOf([]byte("another"))
			}
			view, err := k.vault.Keep(k.Context(), m, bytes.NewReader(payload))
			return outcome(err, view.String())
		})
		if len(got) != 2 || got["reused"] != 3 && got["reused"] != 9 {
			k.Errorf("size %d: %v", size, got)
		}
	}
	if list, total, err := k.vault.Pending(k.Context(), ann, 0, 10); len(list) != 2 || total != 2 || err != nil {
		k.Errorf("%d requests kept %d secrets, %v", 2, total, err)
	}
}

// raceClaimDelete: the author's deletion comes before every claim, or after one.
func raceClaimDelete(k *kit) {
	for i := range 20 {
		c := k.keeps(keptLife{size: raceSizes[i%2]})
		got := together(6, func(i int) string {
			if i == 3 {
				return "delete " + c.do([]string{"delete", "ann"})
			}
			return c.do([]string{"claim", fmt.Sprint("reader ", i)})
		})
		deleted := got["delete ok"] == 1 && got["unknown"]+got["owned"] == 5
		claimed := got["delete unknown"] == 1 && got["ok"] == 1 && got["owned"] == 4
		if deleted == claimed || deleted && c.do([]string{"read", "ann"}) != "unknown" || claimed && c.do([]string{"read", "ann"}) != "not owner" {
			k.Errorf("size %d: %v, and then %s", c.life.size, got, c.do([]string{"read", "ann"}))
		}
	}
}

// raceReadClaim: who reads beside a claim gets the old message whole, with what it needs to be opened, until it is too
// late, and the claimer from then on the new one.
func raceReadClaim(k *kit) {
	for i := range 20 {
		c := k.keeps(keptLife{size: raceSizes[i%2]})
		got := together(9, func(i int) string {
			if i == 4 {
				return "claim " + c.do([]string{"claim", "bob"})
			}
			for {
				if o := c.do([]string{"read", []string{"eve", "ann", "bob"}[i%3]}); o != "by ann" {
					return o
				}
			}
		})
		if got["claim ok"] != 1 || got["not owner"] != 5 || got["by bob, own"] != 3 {
			k.Errorf("size %d: %v", c.life.size, got)
		}
	}
}
