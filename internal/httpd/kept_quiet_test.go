package httpd_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestViewPage: whoever opens a link in a browser, a scanner too, touches nothing. No store stands behind this one.
func TestViewPage(t *testing.T) {
	w := newWorld(t)
	view := w.keep(asking())
	w.serve(struct{ vault.Store }{})
	for _, path := range []string{"/view?view=" + view, "/view", "/view?view=" + view + "&key=abc", "/view?view=%3Cscript%3E"} {
		everybody := maps.Clone(visitors)
		maps.Copy(everybody, browsers)
		for name, h := range everybody {
			for _, method := range []string{"GET", "HEAD"} {
				a := w.do(method, path, h, "")
				if a.Status != http.StatusOK || a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || strings.Contains(string(a.Body), "script") ||
					strings.Contains(string(a.Body), view) {
					t.Errorf("%s: %s %s: %d %s", name, method, path, a.Status, a.Body)
				}
			}
		}
	}
	for _, path := range []string{"/view/" + view, "/view%3Fview=" + view, "/view%23" + view} {
		if a := w.do("GET", path, nil, ""); a.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		if a := w.do(method, "/api/view?view="+view, nil, ""); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s /api/view: %d, Allow: %s", method, a.Status, a.Header.Get("Allow"))
		}
	}
	if found := keptCanary(view).Search([]byte(w.log.String())); found != nil {
		t.Errorf("in the log: %v", found)
	}
}

func keptCanary(texts ...string) *testenv.Canary {
	c := new(testenv.Canary)
	for _, text := range texts {
		c.Add(text, []byte(text))
	}
	return c
}

// TestKeptLog finds no uid, view, name, message or token in the log, whatever is asked.
func TestKeptLog(t *testing.T) {
	w := newWorld(t)
	w.serve(w.store, logged(w))
	token := testenv.B64u(testenv.Random(32))
	canary := keptCanary(token)
	good := asking(func(r *wire.KeepRequest) { r.CustomName, r.IdempotencyKey = "a revealing name", "a revealing key" })
	canary.Add("message", []byte(good.Message))
	view := w.keep(good)
	claimed := w.keep(asking())
	canary.Add("view", []byte(view))
	canary.Add("view", []byte(claimed))
	claim := w.claims(claiming(claimed, recipient))
	canary.Add("claim", []byte(claim.Message))
	for _, text := range []string{creator, recipient, stranger, good.IV, good.Salt, good.CustomName, good.IdempotencyKey} {
		canary.Add(text, []byte(text))
	}
	ask := func() {
		for route := range goodBodies {
			for _, name := range []string{view, claimed, "nonexistent_id_12345"} {
				for _, uid := range []string{creator, recipient, stranger, stranger + " !"} {
					body := `{"view":"` + name + `","uid":"` + uid + `","creator_uid":"` + uid + `","custom_name":"a revealing name","claim_token":"` + token +
						`","encrypted_message":"` + good.Message + `","iv":"` + good.IV + `","salt":"` + good.Salt + `","idempotency_key":"` + uid + `"}`
					w.post(route, body)
					w.post(route, body[:len(body)-1])
				}
			}
		}
	}
	ask()
	w.serve(brittle{w.store, "Take"}, logged(w))
	ask()
	w.store.Close()
	ask()
	log := w.log.String()
	if strings.Count(log, "\n") < 400 || !strings.Contains(log, "trouble") {
		t.Errorf("only %d lines, or no trouble", strings.Count(log, "\n"))
	}
	if found := canary.Search([]byte(log)); found != nil {
		t.Errorf("in the log: %v", found)
	}
}

// TestGuessingUIDs: a short one costs misses where a wrong guess would cost them; a long one does not (PROTOCOL 5.2).
func TestGuessingUIDs(t *testing.T) {
	long := wire.Token(strings.Repeat("l", 43))
	for _, c := range []struct {
		name  string
		ask   func(w *world, uid wire.Token) testenv.Answer
		short int // misses
		long  int
	}{
		{"an empty list", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("list-secrets", wire.ListRequest{UID: uid, Page: 1, PerPage: 1})
		}, 1, 0},
		{"no pending", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("list-pending-secrets", wire.ListRequest{UID: uid, Page: 1, PerPage: 1})
		}, 1, 0},
		{"an unknown view", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("view", wire.ViewRequest{View: "x", UID: uid})
		}, 4, 1},
		{"somebody else's", func(w *world, uid wire.Token) testenv.Answer {
			view := w.keep(asking())
			w.claims(claiming(view, recipient))
			return w.post("view", wire.ViewRequest{View: view, UID: uid})
		}, 4, 0},
		{"renaming", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("update-custom-name", wire.RelabelRequest{View: w.keep(asking()), UID: uid, CustomName: "n"})
		}, 4, 1},
		{"deleting", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("delete-secret", wire.ViewRequest{View: w.keep(asking()), UID: uid})
		}, 4, 1},
		{"reading", func(w *world, uid wire.Token) testenv.Answer {
			return w.post("view", wire.ViewRequest{View: w.keep(asking()), UID: uid})
		}, 0, 0},
		{"a list with something in it", func(w *world, uid wire.Token) testenv.Answer {
			w.keep(asking(func(r *wire.KeepRequest) { r.CreatorUID = uid }))
			return w.post("list-pending-secrets", wire.ListRequest{UID: uid, Page: 9, PerPage: 1})
		}, 0, 0},
		{"a bad request", func(w *world, uid wire.Token) testenv.Answer { return w.post("view", `{}`) }, 0, 0},
	} {
		for uid, want := range map[wire.Token]int{stranger: c.short, long: c.long} {
			b := httpd.DefaultBudgets
			b[httpd.BudgetMiss].Rate, b[httpd.BudgetMiss].Per, b[httpd.BudgetMiss].Burst = 1, time.Hour, 8
			w := newWorld(t, func(o *httpd.Options) { o.Limits = httpd.NewLimits(o.Now, b) })
			if a := c.ask(w, uid); a.Status == http.StatusTooManyRequests {
				t.Fatalf("%s: %d", c.name, a.Status)
			}
			left := 0
			for ; left <= 8 && w.compatGet("Unknown0").Status == http.StatusNotFound; left++ {
			}
			if left != 8-want {
				t.Errorf("%s, with %d characters: %d misses are left of 8, want %d", c.name, len(uid), left, 8-want)
			}
		}
	}
}

// TestClaimsCostAsCreates: what stores something counts its bytes, and against the same budgets.
func TestClaimsCostAsCreates(t *testing.T) {
	b := httpd.DefaultBudgets
	b[httpd.BudgetBytes].Rate, b[httpd.BudgetBytes].Burst = 10_000, 10_000
	w := newWorld(t)
	var views []string
	for range 20 {
		views = append(views, w.keep(asking()))
	}
	w.serve(w.store, func(o *httpd.Options) { o.Limits = httpd.NewLimits(o.Now, b) })
	big := func(c *wire.ClaimRequest) { c.Message = b64(testenv.Random(3000)) }
	done := 0
	for _, view := range views {
		a := w.post("update", claiming(view, recipient, big))
		if a.Status == http.StatusTooManyRequests {
			break
		}
		done++
	}
	if done != 2 { // of some 4 100 bytes
		t.Errorf("%d claims, want 2", done)
	}
	if a := w.post("create", asking(func(r *wire.KeepRequest) { r.Message = b64(testenv.Random(3000)) })); a.Status != http.StatusTooManyRequests {
		t.Errorf("create: %d", a.Status)
	}
	w.view(views[0], recipient) // reading is not held up
	w.does("delete-secret", wire.ViewRequest{View: views[0], UID: recipient})
}
