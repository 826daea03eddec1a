package main_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/store/storetest"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/testenv/redisserver"
	"github.com/hushpost/hushpost/internal/wire"
)

// TestPairIsLinearizable: what clients of two servers are told could have been told by one vault that does one thing after
// the other.
func TestPairIsLinearizable(t *testing.T) {
	t.Parallel()
	p := startPair(t)
	for round := range uint64(40) {
		lost, err := storetest.CheckWorld(t.Context(), newWorld(p), round)
		if err == nil && lost > 0 {
			err = fmt.Errorf("%d times 503 without a reason", lost)
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

// TestPairIsLinearizableThoughAnswersAreLost: a 503 says that nobody knows, and everything else is true.
func TestPairIsLinearizableThoughAnswersAreLost(t *testing.T) {
	t.Parallel()
	r := redisserver.Start(t)
	line := redisserver.Lossy(t, r.Addr(), 0)
	p := pairAt(t, r, line.URL())
	line.Lose(12)
	total := int64(0)
	for round := range uint64(40) {
		lost, err := storetest.CheckWorld(t.Context(), newWorld(p), round)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		total += lost
	}
	line.Lose(0)
	if total < 100 {
		t.Errorf("only %d calls were told of trouble", total)
	}
}

// world is the secrets of a round behind two servers.
type world struct {
	p     *pair
	crowd string // tells its users from those of other rounds
	once  [8]*testenv.Secret
	views [8]string
	claim []byte // token
}

func newWorld(p *pair) *world {
	w := &world{p: p, crowd: testenv.B64u(testenv.Random(9)), claim: testenv.Random(32)}
	for i := range w.once {
		w.once[i] = testenv.NewSecret(0)
	}
	return w
}

// Do implements storetest.World.
func (w *world) Do(ctx context.Context, c storetest.Call) string {
	client := w.p.at(rand.IntN(2)).Client
	do := w.doOnce
	if c.Kept() {
		do = w.doKept
	}
	a, err := do(ctx, client, c)
	switch {
	case err != nil:
		return err.Error()
	case a.Status != http.StatusServiceUnavailable:
		return w.outcome(c, a)
	case a.Header.Get("Retry-After") == "":
		return "503 without Retry-After"
	}
	return storetest.Lost
}

func (w *world) doOnce(ctx context.Context, client *testenv.Client, c storetest.Call) (testenv.Answer, error) {
	s := *w.once[c.Secret]
	s.Payload = c.Payload()
	reader := sha256.Sum256(fmt.Append(nil, c.User))
	s.Reader = reader[:16]
	if c.Guarded() {
		right := sha256.Sum256([]byte(w.crowd))
		s.Passphrase = right[:]
		if c.Wrong {
			s.Passphrase = testenv.Random(32)
		}
	}
	return map[string]call{
		"create": client.Create, "open": client.Open, "ack": client.Ack, "decline": client.Decline, "revoke": client.Revoke,
		"meta": client.Meta, "status": client.Status,
	}[c.Verb](ctx, &s)
}

func (w *world) doKept(ctx context.Context, client *testenv.Client, c storetest.Call) (testenv.Answer, error) {
	std := base64.StdEncoding.EncodeToString
	sum := sha256.Sum256([]byte(w.crowd + fmt.Sprint(c.User)))
	uid, view := wire.Token(hex.EncodeToString(sum[:])), w.views[c.Secret]
	message := std(c.Payload())
	iv, salt := c.Params()
	iv, salt = std([]byte(iv)), std([]byte(salt))
	var route string
	var body any = wire.ViewRequest{View: view, UID: uid}
	switch c.Verb {
	case "keep":
		keep := wire.KeepRequest{Message: message, IV: iv, Salt: salt, CreatorUID: uid, IdempotencyKey: fmt.Sprint("secret ", c.Secret)}
		if c.Guarded() {
			keep.ClaimHash = testenv.HashOf(w.claim)
		}
		route, body = "create", keep
	case "claim":
		claim := wire.ClaimRequest{View: view, UID: uid, Message: message, IV: iv, Salt: salt}
		if c.Guarded() && !c.Wrong {
			claim.ClaimToken = wire.Token(testenv.B64u(w.claim))
		}
		route, body = "update", claim
	default:
		route = map[string]string{"read": "view", "undo": "undo-claim", "delete": "delete-secret"}[c.Verb]
	}
	text, err := json.Marshal(body)
	if err != nil {
		return testenv.Answer{}, err
	}
	return client.Do(ctx, "POST", "/api/"+route, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(string(text)))
}

// outcome puts an answer into the words of the model.
func (w *world) outcome(c storetest.Call, a testenv.Answer) string {
	var e wire.Error
	if a.Status >= 400 {
		_ = json.Unmarshal(a.Body, &e) // of a kept secret, the refusal has no code
	}
	switch word := fmt.Sprintf("%s %d %s", c.Verb, a.Status, e.Code); word {
	case "create 201 ":
		return "created"
	case "create 200 ":
		return "same"
	case "create 409 conflict":
		return "conflict"
	case "open 200 ":
		return storetest.Payload(a.Body)
	case "open 403 passphrase_wrong":
		return fmt.Sprintf("wrong, %d left", *e.AttemptsLeft)
	case "meta 200 ", "status 200 ":
		var s wire.Status
		_ = json.Unmarshal(a.Body, &s) // then its state is none
		return s.State
	case "ack 409 not_opened":
		return "not opened"
	case "revoke 409 read":
		return "was opened"
	case "keep 200 ":
		var made wire.KeptCreated
		_ = json.Unmarshal(a.Body, &made) // then nothing is found under its view
		w.views[c.Secret] = made.View
		return "ok"
	case "read 200 ":
		return message(a.Body)
	case "read 403 ":
		return "not owner"
	case "claim 409 ":
		return "owned"
	case "ack 204 ", "decline 204 ", "revoke 204 ", "claim 200 ", "undo 200 ", "delete 200 ":
		return "ok"
	default:
		switch {
		case a.Status == http.StatusNotFound:
			return "unknown"
		case a.Status == http.StatusLocked && e.Code == wire.StateLeased:
			return "leased"
		case a.Status == http.StatusGone:
			return "ended " + e.Code
		}
		return word + " " + string(a.Body)
	}
}

func message(body []byte) string {
	var s wire.KeptSecret
	if err := json.Unmarshal(body, &s); err != nil {
		return err.Error()
	}
	var parts [3]string
	for i, text := range []string{s.Message, s.IV, s.Salt} {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return err.Error()
		}
		parts[i] = string(b)
	}
	return storetest.Message(parts[1], parts[2], []byte(parts[0]))
}
