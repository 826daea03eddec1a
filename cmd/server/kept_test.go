package main_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestStrict: with --strict a claim that proves nothing is refused, and without it a claim is made; and in neither case is
// a uid or a claim token in the log or in a file (PROTOCOL 5.1, 5.2).
func TestStrict(t *testing.T) {
	t.Parallel()
	for setting, status := range map[string]int{"on": http.StatusConflict, "off": http.StatusOK} {
		server := testenv.StartServer(t, "--strict="+setting, "--log-level=debug")
		client := server.Client()
		var canary testenv.Canary
		b64 := func(n int) string { return base64.StdEncoding.EncodeToString(testenv.Random(n)) }
		uid := func(name string) wire.Token {
			text := testenv.B64u(testenv.Random(9)) // as long as inigma's
			canary.Add(name, []byte(text))
			return wire.Token(text)
		}
		post := func(want int, route string, body any) testenv.Answer {
			t.Helper()
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			c := cage{Client: client, t: t}
			a := c.do("POST", "/api/"+route, http.Header{"Content-Type": {"application/json"}}, string(text))
			if a.Status != want {
				t.Fatalf("%s: %d, want %d: %s", route, a.Status, want, a.Body)
			}
			return a
		}
		owner, token := uid("owner"), testenv.Random(32)
		canary.Add("claim token", token)
		for hash, want := range map[string]int{"": status, testenv.HashOf(token): http.StatusOK} {
			made := testenv.JSON[wire.KeptCreated](t, post(http.StatusOK, "create", wire.KeepRequest{
				Message: b64(300), IV: b64(12), Salt: b64(16), CreatorUID: uid("creator"), ClaimHash: hash,
			}))
			canary.Add("view", []byte(made.View))
			post(http.StatusOK, "view", wire.ViewRequest{View: made.View, UID: owner})
			claim := wire.ClaimRequest{View: made.View, UID: owner, Message: b64(300), IV: b64(12), Salt: b64(16)}
			if hash != "" {
				claim.ClaimToken = wire.Token(testenv.B64u(token))
			}
			post(want, "update", claim)
		}
		post(http.StatusOK, "list-secrets", wire.ListRequest{UID: owner, Page: 1, PerPage: 10})
		found, err := canary.SearchFolder(server.Dir)
		if found = append(found, canary.Search([]byte(server.Log()))...); found != nil || err != nil {
			t.Errorf("strict %s: %v %v", setting, found, err)
		}
	}
}
