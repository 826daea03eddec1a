package httpd_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// Of a kept secret, a testenv.Secret has the view as its Alias. Its creator is creatorOf it, and ownerOf it claims it.
func creatorOf(s *testenv.Secret) wire.Token { return wire.Token("creator-" + s.ID + s.ID) }
func ownerOf(s *testenv.Secret) wire.Token   { return wire.Token("owner-" + s.ID + s.ID) }

var keptOperations = map[string]operation{
	"POST /api/create": keptOp("create", func(s *testenv.Secret) any { return keepRequest(s) }),
	"POST /api/view": keptOp("view", func(s *testenv.Secret) any {
		return wire.ViewRequest{View: s.Alias, UID: ownerOf(s)}
	}),
	"POST /api/update": keptOp("update", func(s *testenv.Secret) any {
		r := keepRequest(s)
		return wire.ClaimRequest{View: s.Alias, UID: ownerOf(s), Message: r.Message, IV: r.IV, Salt: r.Salt}
	}),
	"POST /api/undo-claim": keptOp("undo-claim", func(s *testenv.Secret) any {
		return wire.ViewRequest{View: s.Alias, UID: creatorOf(s)}
	}),
	"POST /api/list-secrets": keptOp("list-secrets", func(s *testenv.Secret) any {
		return wire.ListRequest{UID: ownerOf(s), Page: 1, PerPage: 10}
	}),
	"POST /api/list-pending-secrets": keptOp("list-pending-secrets", func(s *testenv.Secret) any {
		return wire.ListRequest{UID: creatorOf(s), Page: 1, PerPage: 10}
	}),
	"POST /api/update-custom-name": keptOp("update-custom-name", func(s *testenv.Secret) any {
		return wire.RelabelRequest{View: s.Alias, UID: ownerOf(s), CustomName: "a name"}
	}),
	"POST /api/delete-secret": keptOp("delete-secret", func(s *testenv.Secret) any {
		return wire.ViewRequest{View: s.Alias, UID: creatorOf(s)}
	}),
	"GET /health": fixed("GET", "/health", ""),
}

func keptOp(route string, right func(*testenv.Secret) any) operation {
	return func(w *world, s *testenv.Secret, extra http.Header, body io.Reader) *http.Request {
		w.t.Helper()
		about := *s
		if about.Alias == "" {
			about.Alias = "nonexistent_id_12345"
		}
		text, err := json.Marshal(right(&about))
		if err != nil {
			w.t.Fatal(err)
		}
		return w.request("POST", "/api/"+route, and(typeJSON, extra), body, string(text))
	}
}

// keepRequest asks for s to be kept. The IV and the salt follow from s.
func keepRequest(s *testenv.Secret) wire.KeepRequest {
	b64 := base64.StdEncoding.EncodeToString
	return wire.KeepRequest{Message: b64(s.Payload), IV: b64([]byte(s.ID)[:12]), Salt: b64([]byte(s.ID)[:16]), CreatorUID: creatorOf(s)}
}

// keptState makes a kept secret of s: "message" waits, "claimed" is its owner's, "lapsed" has expired, "deleted" too is gone.
func (w *world) keptState(s *testenv.Secret, name string) {
	w.t.Helper()
	do := func(op string) testenv.Answer {
		a := w.send(keptOperations[op](w, s, nil, nil))
		if a.Status != http.StatusOK {
			w.t.Fatalf("%s: %d %s", op, a.Status, a.Body)
		}
		return a
	}
	s.Alias = testenv.JSON[wire.KeptCreated](w.t, do("POST /api/create")).View
	switch name {
	case "claimed":
		do("POST /api/update")
	case "lapsed":
		w.clock.Pass(30 * vault.DefaultTTL)
	case "deleted":
		do("POST /api/delete-secret")
	}
}

var (
	tooLargeBody = `{"unknown":"` + strings.Repeat("a", 64<<10) + `"}`
	textPlain    = http.Header{"Content-Type": {"text/plain"}}
)

// swapped makes creator and owner somebody else.
func swapped(s *testenv.Secret) { s.ID = testenv.NewSecret(1).ID }

var keptExamples = []example{
	{"POST /api/create", 200, "", "", nil, nil, ""},
	{"POST /api/create", 403, "", "", nil, foreign, ""},
	{"POST /api/create", 413, "", "", nil, nil, `{"encrypted_message":"` + strings.Repeat("QUFB", (maxPayload+64<<10)/3) + `"}`},
	{"POST /api/create", 413, "", "", func(s *testenv.Secret) { s.Payload = make([]byte, maxPayload+1) }, nil, ""},
	{"POST /api/create", 415, "", "", nil, textPlain, ""},
	{"POST /api/create", 422, "", "", nil, nil, `{}`},

	{"POST /api/view", 200, "", "message", nil, nil, ""},
	{"POST /api/view", 200, "", "claimed", nil, nil, ""},
	{"POST /api/view", 403, "", "claimed", swapped, nil, ""},
	{"POST /api/view", 403, "", "message", nil, foreign, ""},
	{"POST /api/view", 404, "", "", nil, nil, ""},
	{"POST /api/view", 404, "", "deleted", nil, nil, ""},
	{"POST /api/view", 410, "", "lapsed", nil, nil, ""},
	{"POST /api/view", 413, "", "message", nil, nil, tooLargeBody},
	{"POST /api/view", 415, "", "message", nil, textPlain, ""},
	{"POST /api/view", 422, "", "message", nil, nil, `{}`},

	{"POST /api/update", 200, "", "message", nil, nil, ""},
	{"POST /api/update", 403, "", "message", nil, foreign, ""},
	{"POST /api/update", 404, "", "", nil, nil, ""},
	{"POST /api/update", 404, "", "lapsed", nil, nil, ""},
	{"POST /api/update", 409, "", "claimed", nil, nil, ""},
	{"POST /api/update", 413, "", "message", func(s *testenv.Secret) { s.Payload = make([]byte, maxPayload+1) }, nil, ""},
	{"POST /api/update", 415, "", "message", nil, textPlain, ""},
	{"POST /api/update", 422, "", "message", nil, nil, `{}`},

	{"POST /api/undo-claim", 200, "", "claimed", nil, nil, ""},
	{"POST /api/undo-claim", 403, "", "claimed", nil, foreign, ""},
	{"POST /api/undo-claim", 404, "", "message", nil, nil, ""},
	{"POST /api/undo-claim", 404, "", "claimed", swapped, nil, ""},
	{"POST /api/undo-claim", 413, "", "claimed", nil, nil, tooLargeBody},
	{"POST /api/undo-claim", 415, "", "claimed", nil, textPlain, ""},
	{"POST /api/undo-claim", 422, "", "claimed", nil, nil, `{}`},

	{"POST /api/list-secrets", 200, "", "claimed", nil, nil, ""},
	{"POST /api/list-secrets", 200, "", "", nil, nil, ""},
	{"POST /api/list-secrets", 403, "", "", nil, foreign, ""},
	{"POST /api/list-secrets", 413, "", "", nil, nil, tooLargeBody},
	{"POST /api/list-secrets", 415, "", "", nil, textPlain, ""},
	{"POST /api/list-secrets", 422, "", "", nil, nil, `{}`},

	{"POST /api/list-pending-secrets", 200, "", "message", nil, nil, ""},
	{"POST /api/list-pending-secrets", 403, "", "", nil, foreign, ""},
	{"POST /api/list-pending-secrets", 413, "", "", nil, nil, tooLargeBody},
	{"POST /api/list-pending-secrets", 415, "", "", nil, textPlain, ""},
	{"POST /api/list-pending-secrets", 422, "", "", nil, nil, `{}`},

	{"POST /api/update-custom-name", 200, "", "claimed", nil, nil, ""},
	{"POST /api/update-custom-name", 403, "", "claimed", nil, foreign, ""},
	{"POST /api/update-custom-name", 404, "", "message", nil, nil, ""},
	{"POST /api/update-custom-name", 413, "", "claimed", nil, nil, tooLargeBody},
	{"POST /api/update-custom-name", 415, "", "claimed", nil, textPlain, ""},
	{"POST /api/update-custom-name", 422, "", "claimed", nil, nil, `{}`},

	{"POST /api/delete-secret", 200, "", "message", nil, nil, ""},
	{"POST /api/delete-secret", 403, "", "message", nil, foreign, ""},
	{"POST /api/delete-secret", 404, "", "claimed", nil, nil, ""},
	{"POST /api/delete-secret", 413, "", "message", nil, nil, tooLargeBody},
	{"POST /api/delete-secret", 415, "", "message", nil, textPlain, ""},
	{"POST /api/delete-secret", 422, "", "message", nil, nil, `{}`},

	{"GET /health", 200, "", "", nil, nil, ""},
}
