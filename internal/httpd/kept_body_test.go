package httpd_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// SECRET stands for what no refusal may repeat.
var (
	goodMessage = b64([]byte("SECRETSECRET"))
	goodIV      = b64(make([]byte, 12))
	goodSalt    = b64(make([]byte, 16))
	goodView    = strings.Repeat("A", 25)
	goodHash    = testenv.HashOf([]byte("SECRET"))
)

// goodBodies has, by route, every member with a good value.
var goodBodies = map[string]map[string]any{
	"create": {
		"encrypted_message": goodMessage, "iv": goodIV, "salt": goodSalt, "creator_uid": "SECRET", "ttl": 30,
		"custom_name": "SECRET", "idempotency_key": "SECRET", "claim_hash": goodHash,
	},
	"view": {"view": goodView, "uid": "SECRET"},
	"update": {
		"view": goodView, "uid": "SECRET", "encrypted_message": goodMessage, "iv": goodIV, "salt": goodSalt, "claim_token": goodHash, "if_rev": 0,
	},
	"undo-claim":           {"view": goodView, "uid": "SECRET"},
	"list-secrets":         {"uid": "SECRET", "page": 1, "per_page": 10},
	"list-pending-secrets": {"uid": "SECRET", "page": 1, "per_page": 10},
	"update-custom-name":   {"view": goodView, "uid": "SECRET", "custom_name": "SECRET"},
	"delete-secret":        {"view": goodView, "uid": "SECRET"},
}

// optional are the members that may be left out, or null.
var optional = []string{"ttl", "idempotency_key", "claim_hash", "claim_token", "if_rev", "page", "per_page"}

func isOptional(route, name string) bool {
	return slices.Contains(optional, name) || name == "custom_name" && route == "create"
}

// badValues has, by member, values and the type of their fault.
var badValues = map[string]map[string]string{
	"encrypted_message": {
		`""`: "string_too_short", `"SECRET!!"`: "value_error", `"QUI"`: "value_error", `"QQ="`: "value_error", `"===="`: "value_error",
		`"QQ==QUJD"`: "value_error", `"QUJD\n"`: "value_error", `"QUJD\nQUJ"`: "value_error", `"QUJDQU\n\n"`: "value_error", `"QR=="`: "value_error", `"QUF="`: "value_error",
		`"_-_-"`: "value_error", `"QUJD "`: "value_error", `"Ωμέγ"`: "value_error", `"` + strings.Repeat("A", 2<<20+4) + `"`: "string_too_long",
	},
	"iv": {
		`""`: "value_error", `"AAAA\nAAAAAAAAAAA"`: "value_error", `"AAAAAAAAAAAAAA"`: "value_error", `"AAAAAAAAAAAAAB=="`: "value_error",
		`"AAAAAAAAAAAAAAA!"`: "value_error", `"` + strings.Repeat("A", 68) + `"`: "string_too_long",
	},
	"salt": {
		`""`: "value_error", `"AAAAAAAAAAAAAAAAAAAAAB=="`: "value_error", `"AAAAAAAAAAAAAAAAAAAAAA"`: "value_error", `"` + strings.Repeat("A", 132) + `"`: "string_too_long",
	},
	"ttl": {
		`-1`: "greater_than_equal", `366`: "less_than_equal", `9999`: "less_than_equal", `1.5`: "int_from_float", `"30"`: "int_type", `true`: "int_type",
		`[]`: "int_type", `1e400`: "less_than_equal", `-1e400`: "greater_than_equal", `123456789012345678901234567890`: "less_than_equal",
	},
	"page":     {`0`: "greater_than_equal", `-1`: "greater_than_equal", `1000001`: "less_than_equal", `9223372036854775808`: "less_than_equal", `1.1`: "int_from_float", `"1"`: "int_type"},
	"per_page": {`0`: "greater_than_equal", `101`: "less_than_equal", `-1`: "greater_than_equal", `{}`: "int_type"},
	"if_rev":   {`-1`: "greater_than_equal", `0.5`: "int_from_float", `2147483648`: "less_than_equal", `"0"`: "int_type"},
	"uid": {
		`""`: "string_pattern_mismatch", `"SECRET uid"`: "string_pattern_mismatch", `"SECRET\n"`: "string_pattern_mismatch", `"a.b"`: "string_pattern_mismatch",
		`"ä"`: "string_pattern_mismatch", `"` + strings.Repeat("a", 129) + `"`: "string_pattern_mismatch", `12`: "string_type", `null`: "string_type", `["SECRET"]`: "string_type",
	},
	"view": {
		`""`: "string_pattern_mismatch", `"` + strings.Repeat("A", 51) + `"`: "string_pattern_mismatch", `"AAAAAAAAAAAAAAAAAAAAAAAA\n"`: "string_pattern_mismatch",
		`"../../etc"`: "string_pattern_mismatch", `{"SECRET":1}`: "string_type",
	},
	"custom_name":     {`7`: "string_type", `["SECRET"]`: "string_type", `false`: "string_type"},
	"idempotency_key": {`""`: "string_pattern_mismatch", `"` + strings.Repeat("k", 129) + `"`: "string_pattern_mismatch", `"a\u0000b"`: "string_pattern_mismatch", `"ä"`: "string_pattern_mismatch", `7`: "string_type"},
	"claim_hash":      {`""`: "value_error", `"SECRET"`: "value_error", `"` + strings.Repeat("A", 43) + `"`: "value_error", `"` + goodHash + `="`: "value_error", `1`: "string_type"},
	"claim_token":     {`""`: "value_error", `"SECRET"`: "value_error", `"` + strings.Repeat("A", 44) + `"`: "value_error", `"` + strings.Repeat("A", 42) + `B"`: "value_error", `1`: "string_type"},
}

// with is a good body of route in which member has this value, as JSON.
func with(route, member, value string) string {
	body := maps.Clone(goodBodies[route])
	body[member] = json.RawMessage(value)
	return asJSON(body)
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// faulty asks what must be refused, and gives its faults as "member type".
func (w *world) faulty(route, body string) (all []string) {
	w.t.Helper()
	a := w.post(route, body)
	if a.Status != http.StatusUnprocessableEntity {
		w.t.Errorf("%s %.200s: %d %s", route, body, a.Status, a.Body)
		return nil
	}
	if strings.Contains(string(a.Body), "SECRET") {
		w.t.Errorf("%s: the refusal repeats the body: %s", route, a.Body)
	}
	for _, f := range testenv.JSON[wire.KeptInvalid](w.t, a).Detail {
		where := make([]string, len(f.Loc))
		for i, l := range f.Loc {
			where[i] = fmt.Sprint(l)
		}
		if f.Msg == "" {
			w.t.Errorf("%s: a fault without words: %+v", route, f)
		}
		all = append(all, strings.TrimPrefix(strings.Join(where, "."), "body.")+" "+f.Type)
	}
	return all
}

// TestKeptValidation gives every member of every route every bad value.
func TestKeptValidation(t *testing.T) {
	w := newWorld(t)
	for route, good := range goodBodies {
		if a := w.post(route, asJSON(good)); a.Status != http.StatusOK && a.Status != http.StatusNotFound {
			t.Fatalf("%s: the good body: %d %s", route, a.Status, a.Body)
		}
		for name := range good {
			kind := name
			if name == "creator_uid" {
				kind = "uid"
			}
			values := badValues[kind]
			if values == nil {
				t.Fatalf("%s has no bad values", name)
			}
			for value, fault := range values {
				if got := w.faulty(route, with(route, name, value)); len(got) != 1 || got[0] != name+" "+fault {
					t.Errorf("%s, %s %.80s: %v, want %s", route, name, value, got, fault)
				}
			}
			w.absent(route, name)
		}
	}
	if l := w.pending("SECRET"); l.Total != 1 {
		t.Errorf("%d messages are kept, want that of the good body", l.Total)
	}
}

// absent leaves a member out, or says null.
func (w *world) absent(route, name string) {
	w.t.Helper()
	body := maps.Clone(goodBodies[route])
	delete(body, name)
	if name != "idempotency_key" {
		delete(body, "idempotency_key") // or it is another body under the same key
	}
	left := asJSON(body)
	body[name] = nil
	for text, fault := range map[string]string{left: "missing", asJSON(body): "string_type"} {
		if isOptional(route, name) {
			a := w.post(route, text)
			if a.Status != http.StatusOK && a.Status != http.StatusNotFound {
				w.t.Errorf("%s without %s: %d %s", route, name, a.Status, a.Body)
			}
			if route == "create" {
				w.does("delete-secret", wire.ViewRequest{View: testenv.JSON[wire.KeptCreated](w.t, a).View, UID: "SECRET"})
			}
		} else if got := w.faulty(route, text); len(got) != 1 || got[0] != name+" "+fault {
			w.t.Errorf("%s, %s absent: %v, want %s", route, name, got, fault)
		}
	}
}

// TestKeptFaultsAreAllTold: one answer names all that is wrong.
func TestKeptFaultsAreAllTold(t *testing.T) {
	w := newWorld(t)
	for route, want := range map[string][]string{
		"create":             {"creator_uid missing", "encrypted_message missing", "iv missing", "salt missing"},
		"view":               {"uid missing", "view missing"},
		"update":             {"encrypted_message missing", "iv missing", "salt missing", "uid missing", "view missing"},
		"list-secrets":       {"uid missing"},
		"update-custom-name": {"custom_name missing", "uid missing", "view missing"},
	} {
		if got := slices.Sorted(slices.Values(w.faulty(route, `{"unknown":["SECRET"]}`))); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", route, got, want)
		}
	}
	got := w.faulty("create", `{"encrypted_message":"SECRET!","iv":7,"salt":"SECRET","creator_uid":"SECRET uid","ttl":"SECRET","custom_name":{},"idempotency_key":"","claim_hash":true}`)
	want := []string{
		"claim_hash string_type", "creator_uid string_pattern_mismatch", "custom_name string_type", "encrypted_message value_error",
		"idempotency_key string_pattern_mismatch", "iv string_type", "salt value_error", "ttl int_type",
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// TestKeptBodies: what is wrong with a body as a whole.
func TestKeptBodies(t *testing.T) {
	w := newWorld(t)
	for route := range goodBodies {
		for body, want := range map[string]string{
			"": "body missing", "{": "body json_invalid", `[]`: "body json_invalid", `"SECRET"`: "body json_invalid", "null": "body json_invalid", "7": "body json_invalid",
			`{}{}`: "body json_invalid", `{"uid":"a","uid":"SECRET"}`: "body json_invalid", "{\"uid\":\"SECRET\xff\"}": "body json_invalid", `{"uid":"\ud800"}`: "body json_invalid",
			`{"unknown":1,"unknown":2}`: "body json_invalid", `{"uid":NaN}`: "body json_invalid",
		} {
			if got := w.faulty(route, body); len(got) != 1 || got[0] != want {
				t.Errorf("%s %s: %v", route, body, got)
			}
		}
		if a := w.do("POST", "/api/"+route, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, `{}`); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: with a charset: %d", route, a.Status)
		}
	}
	view := w.keep(asking())
	for _, text := range []string{
		`{"view":"` + view + `","uid":"a","more":{"deep":[1]},"View":7}`,
		`{"\u0076iew":"` + view + `","uid":"\u0061"}`,
	} {
		if a := w.post("view", text); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", text, a.Status, a.Body)
		}
	}
	for _, days := range []string{`7`, `7.0`, `70e-1`, `0.7e1`} {
		view := testenv.JSON[wire.KeptCreated](t, w.post("create", `{"ttl":`+days+`,`+asJSON(asking())[1:])).View
		if l := w.pending(creator); l.Secrets[0].ID != view || l.Secrets[0].Days != 7 {
			t.Errorf("%s: %+v", days, l)
		}
		w.does("delete-secret", wire.ViewRequest{View: view, UID: creator})
	}
}

// TestIsBase64: some bytes have one spelling, and nothing else is one.
func TestIsBase64(t *testing.T) {
	const letters = "AQw/+=\n\r -"
	yes := 0
	for range 200_000 {
		text := testenv.Random(rand.IntN(13))
		for i, c := range text {
			text[i] = letters[int(c)%len(letters)]
			if i < len(text)-2 && c < 200 { // mostly good ones
				text[i] = 'A'
			}
		}
		b, err := base64.StdEncoding.DecodeString(string(text))
		want := err == nil && len(b) > 0 && b64(b) == string(text)
		if got := httpd.IsBase64(text); got != want {
			t.Fatalf("%q: %v", text, got)
		}
		if want {
			yes++
		}
	}
	if yes < 1000 {
		t.Errorf("only %d were base64", yes)
	}
}

// TestKeptLifetimes: an operator may narrow them, and with them the default.
func TestKeptLifetimes(t *testing.T) {
	w := newWorld(t)
	w.options.MaxTTL = 72 * time.Hour
	w.serve(w.store)
	for _, days := range []int{0, 4, 30, 365} {
		d := expect[wire.KeptInvalid](w, http.StatusUnprocessableEntity, "create", asking(forDays(days)))
		if len(d.Detail) != 1 || d.Detail[0].Loc[1] != "ttl" {
			t.Errorf("%d days: %+v", days, d)
		}
	}
	for _, change := range []func(*wire.KeepRequest){forDays(3), func(*wire.KeepRequest) {}} {
		view := w.keep(asking(change))
		if l := w.pending(creator); l.Secrets[0].Days != 3 {
			t.Errorf("%+v", l)
		}
		w.does("delete-secret", wire.ViewRequest{View: view, UID: creator})
	}
}
