package httpd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/wire"
)

type decoder func(http.ResponseWriter, *http.Request, int64, any) error

func jsonBody(body io.Reader, contentType ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", body)
	r.ContentLength = -1 // as when it comes in chunks; the limit must hold all the same
	r.Header["Content-Type"] = contentType
	return r
}

// refusal gives the status and the sentence of err.
func refusal(t *testing.T, err error) (int, string) {
	t.Helper()
	if err == nil {
		return 0, ""
	}
	bad, ok := errors.AsType[*httpd.BodyError](err)
	if !ok {
		t.Fatalf("decoding gives a %T: %v", err, err)
	}
	return bad.Status(), bad.Error()
}

func TestDecode(t *testing.T) {
	const ok = `{"reader":"r","passphrase_token":"p"}`
	deep := strings.Repeat(`[`, 12_000)
	for _, c := range []struct {
		name, body      string
		status, lenient int // 0 is accepted
		says            string
	}{
		{"good", ok, 0, 0, ""},
		{"with room around it", " \r\n\t" + ok + "\n ", 0, 0, ""},
		{"optional member left out", `{"reader":"r"}`, 0, 0, ""},
		{"empty object", `{}`, 0, 0, ""},
		{"escapes", `{"\u0072eader":"\u0072"}`, 0, 0, ""},
		{"empty", ``, 400, 400, "ends before"},
		{"only space", `  `, 400, 400, "ends before"},
		{"cut short", ok[:20], 400, 400, "ends before"},
		{"null", `null`, 400, 400, "must be a JSON object"},
		{"array", `[` + ok + `]`, 400, 400, "must be a JSON object"},
		{"string", `"SECRET"`, 400, 400, "must be a JSON object"},
		{"not JSON", `reader=SECRET`, 400, 400, "not JSON"},
		{"byte order mark", "\ufeff" + ok, 400, 400, "not JSON"},
		{"comment", `{"reader":"r" /* SECRET */}`, 400, 400, "not JSON"},
		{"trailing comma", `{"reader":"r",}`, 400, 400, "not JSON"},
		{"single quotes", `{'SECRET':'r'}`, 400, 400, "not JSON"},
		{"two of a name", `{"reader":"r","reader":"SECRET"}`, 400, 400, "two members"},
		{"two of a name, once escaped", `{"reader":"r","\u0072eader":"SECRET"}`, 400, 400, "two members"},
		{"two of an unknown name", `{"SECRET":1,"SECRET":2}`, 422, 400, ""},
		{"unknown member", `{"reader":"r","SECRET":1}`, 422, 0, "not known"},
		{"wrong case", `{"Reader":"SECRET"}`, 422, 0, "not known"},
		{"wrong type", `{"reader":17}`, 422, 422, `"reader"`},
		{"wrong type, nested", `{"reader":{"SECRET":1}}`, 422, 422, `"reader"`},
		{"data after it", ok + `SECRET`, 400, 400, "goes on after"},
		{"a second object after it", ok + ok, 400, 400, "goes on after"},
		{"a bracket after it", ok + `}`, 400, 400, "goes on after"},
		{"invalid UTF-8 in a value", "{\"reader\":\"SECRET\xff\"}", 400, 400, "not JSON in UTF-8"},
		{"invalid UTF-8 in a name", "{\"SECRET\xff\":1}", 400, 400, "not JSON in UTF-8"},
		{"half a surrogate", `{"reader":"SECRET\ud800"}`, 400, 400, "not JSON in UTF-8"},
		{"very deep", `{"reader":` + deep, 400, 400, "not JSON"},
		{"very deep under an unknown name", `{"SECRET":` + deep, 422, 400, ""},
		{"a byte too long", `{"reader":"` + strings.Repeat("x", 20_000-12) + `"}`, 413, 413, "20000"},
		{"too long by space after it", ok + strings.Repeat(" ", 20_000), 413, 413, "20000"},
		{"too long and unknown", `{"SECRET":"` + strings.Repeat("x", 20_000) + `"}`, 422, 413, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for mode, d := range map[string]decoder{"strict": httpd.Decode, "lenient": httpd.DecodeLenient} {
				want := c.status
				if mode == "lenient" {
					want = c.lenient
				}
				for pieces, body := range map[string]io.Reader{
					"at once":      strings.NewReader(c.body),
					"byte by byte": iotest.OneByteReader(strings.NewReader(c.body)),
				} {
					var v wire.OpenRequest
					err := d(httptest.NewRecorder(), jsonBody(body, "application/json"), 20_000, &v)
					status, says := refusal(t, err)
					if status != want || want != 0 && !strings.Contains(says, c.says) {
						t.Errorf("%s, %s: %d %q; want %d and %q", mode, pieces, status, says, want, c.says)
					}
					if strings.Contains(says, "SECRET") {
						t.Errorf("%s: the refusal repeats the body: %q", mode, says)
					}
				}
			}
		})
	}
	var v wire.OpenRequest
	if err := httpd.Decode(httptest.NewRecorder(), jsonBody(strings.NewReader(ok), "application/json"), 100, &v); err != nil {
		t.Fatal(err)
	}
	if (v != wire.OpenRequest{Reader: "r", PassphraseToken: "p"}) {
		t.Errorf("decoded %+v", v)
	}
}

func TestDecodeLimitIsExact(t *testing.T) {
	const body = `{"reader":"r"}`
	for _, known := range []bool{true, false} {
		for limit, want := range map[int64]int{int64(len(body)): 0, int64(len(body)) - 1: 413} {
			r := jsonBody(strings.NewReader(body), "application/json")
			if known {
				r.ContentLength = int64(len(body))
			}
			var v wire.OpenRequest
			if status, says := refusal(t, httpd.Decode(httptest.NewRecorder(), r, limit, &v)); status != want {
				t.Errorf("%d bytes under a limit of %d: %d %q, want %d", len(body), limit, status, says, want)
			}
		}
	}
}

func TestDecodeRefusesALargeBodyUnread(t *testing.T) {
	r := jsonBody(iotest.ErrReader(errors.New("was read")), "application/json")
	r.ContentLength = 101
	var v wire.OpenRequest
	if status, says := refusal(t, httpd.Decode(httptest.NewRecorder(), r, 100, &v)); status != 413 {
		t.Errorf("%d %q, want 413", status, says)
	}
}

func TestDecodeContentType(t *testing.T) {
	for _, c := range []struct {
		types []string
		want  int
	}{
		{[]string{"application/json"}, 0},
		{[]string{"Application/JSON; charset=utf-8"}, 0},
		{nil, 415},
		{[]string{""}, 415},
		{[]string{"text/plain"}, 415},
		{[]string{"application/x-www-form-urlencoded"}, 415},
		{[]string{"application/jsonp"}, 415},
		{[]string{"application/json-patch+json"}, 415},
		{[]string{"text/plain; application/json"}, 415},
		{[]string{"application/json, text/plain"}, 415},
		{[]string{"application/json", "text/plain"}, 415},
	} {
		for _, d := range []decoder{httpd.Decode, httpd.DecodeLenient} {
			var v wire.AckRequest
			err := d(httptest.NewRecorder(), jsonBody(strings.NewReader(`{"reader":"r"}`), c.types...), 100, &v)
			if status, says := refusal(t, err); status != c.want {
				t.Errorf("Content-Type %q: %d %q, want %d", c.types, status, says, c.want)
			}
		}
	}
}

func TestDecodeOfABrokenConnection(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"slow":    {httpd.ErrSlow, 408},
		"reset":   {errors.New("connection SECRET reset"), 400},
		"cut off": {io.ErrUnexpectedEOF, 400},
	} {
		for _, before := range []string{``, `{"reader":`, `{"reader":"r"}`} {
			body := io.MultiReader(strings.NewReader(before), iotest.ErrReader(c.err))
			var v wire.AckRequest
			status, says := refusal(t, httpd.Decode(httptest.NewRecorder(), jsonBody(body, "application/json"), 100, &v))
			if status != c.want || strings.Contains(says, "SECRET") {
				t.Errorf("%s after %q: %d %q, want %d", name, before, status, says, c.want)
			}
		}
	}
}

func TestDecodeNamesTheMember(t *testing.T) {
	var v wire.CompatCreate
	err := httpd.DecodeLenient(httptest.NewRecorder(), jsonBody(strings.NewReader(`{"ciphertext":"c","ttl_hours":"soon"}`), "application/json"), 100, &v)
	if bad, ok := errors.AsType[*httpd.BodyError](err); !ok || bad.Member() != "ttl_hours" {
		t.Errorf("the member at fault is not ttl_hours: %v", err)
	}
}

// FuzzDecode holds strict decoding against encoding/json: what we accept, it reads the same; a
// refusal is a BodyError in few words that quotes nothing; and both modes agree on what both accept.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"reader":"r","passphrase_token":"p"}`, `{"reader":1}`, `{"reader":"\ud800"}`, `{"a":{"b":[1,2]}}`, `{} {}`,
		`{"reader":"a","reader":"b"}`, "\xff", `{"reader":"é"}`, `[[[[`, `{"reader":null}`, `{"reader":"r"}` + "\x00",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		const limit = 512
		var strict, lenient, std wire.OpenRequest
		err := httpd.Decode(httptest.NewRecorder(), jsonBody(bytes.NewReader(body), "application/json"), limit, &strict)
		lerr := httpd.DecodeLenient(httptest.NewRecorder(), jsonBody(bytes.NewReader(body), "application/json"), limit, &lenient)
		if err != nil {
			status, says := refusal(t, err)
			if status < 400 || len(says) > 100 {
				t.Errorf("refused with %d %q", status, says)
			}
			if len(body) <= limit && json.Unmarshal(body, &std) == nil && status == 413 {
				t.Error("called too large, and is not")
			}
			return
		}
		if len(body) > limit {
			t.Errorf("accepted %d bytes", len(body))
		}
		if lerr != nil || strict != lenient {
			t.Errorf("lenient reads %+v, %v; strict %+v", lenient, lerr, strict)
		}
		if err := json.Unmarshal(body, &std); err != nil || std != strict {
			t.Errorf("encoding/json reads %+v, %v; we read %+v", std, err, strict)
		}
	})
}
