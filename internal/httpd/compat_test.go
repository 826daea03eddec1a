package httpd_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// compatPost makes a secret as only-once-share's clients do.
func (w *world) compatPost(body string) testenv.Answer {
	w.t.Helper()
	return w.do("POST", "/api/secrets", typeJSON, body)
}

func (w *world) compatGet(ref string) testenv.Answer {
	w.t.Helper()
	return w.do("GET", "/api/secrets/"+ref, nil, "")
}

// TestCompatTranscripts are conversations as only-once-share's own server would have them, over every store (PROTOCOL 4.8).
func TestCompatTranscripts(t *testing.T) {
	for _, e := range engines {
		for _, c := range compatTests {
			t.Run(e.name+"/"+c.name, func(t *testing.T) { c.run(newKeptWorld(t, e)) })
		}
	}
}

var compatTests = []transcript{
	{"CreateAndRead", compatConversation},
	{"IDIsUsedOnce", compatIDIsUsedOnce},
	{"OneReader", compatOneReader},
	{"DialectsDoNotMix", dialectsDoNotMix},
}

// compatConversation is one byte by byte where clients look.
func compatConversation(w *keptWorld) {
	const id = "0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b"
	ciphertext := base64.StdEncoding.EncodeToString(testenv.Random(1000))
	for _, byID := range []bool{true, false} {
		a := w.compatPost(fmt.Sprintf(`{"ciphertext":%q,"ttl_hours":24,"id":%q,"unknown":{"is":["fine"]}}`, ciphertext, id))
		if byID && a.Status != http.StatusCreated {
			w.t.Fatalf("%d %s", a.Status, a.Body)
		} else if !byID { // an id is used once while its tombstone lives
			if want := `{"error":"Secret ID already in use"}`; a.Status != http.StatusConflict || strings.TrimSpace(string(a.Body)) != want {
				w.t.Errorf("%d %s", a.Status, a.Body)
			}
			a = w.compatPost(fmt.Sprintf(`{"ciphertext":%q}`, ciphertext))
		}
		made := members(w.t, a, "id", "alias")
		ref := made["alias"].(string)
		if byID {
			ref = id
		}
		got := members(w.t, w.compatGet(ref), "ciphertext", "id")
		if got["ciphertext"] != ciphertext || got["id"] != made["id"] {
			w.t.Errorf("read: %v", got)
		}
		for _, ref := range []string{made["alias"].(string), made["id"].(string), "Unknown0", testenv.NewSecret(1).ID} {
			a := w.compatGet(ref)
			if want := `{"error":"Secret not found or already viewed"}`; a.Status != http.StatusNotFound || strings.TrimSpace(string(a.Body)) != want {
				w.t.Errorf("read again: %d %s", a.Status, a.Body)
			}
		}
	}
	if a := w.do("GET", "/api/health", nil, ""); strings.TrimSpace(string(a.Body)) != `{"status":"ok"}` {
		w.t.Errorf("health: %s", a.Body)
	}
}

func TestCompatLifetimes(t *testing.T) {
	for ttl, hours := range map[string]int{
		``: 24, `,"ttl_hours":null`: 24, `,"ttl":null`: 24, `,"ttl":1`: 1, `,"ttl_hours":72`: 72, `,"ttl_hours":2.0`: 2, `,"ttl":1e1`: 10,
		`,"ttl":0`: 1, `,"ttl_hours":-5`: 1, `,"ttl":73`: 72, `,"ttl_hours":1000000`: 72, `,"ttl":1e300`: 72, `,"ttl":-1e300`: 1,
		`,"ttl":3,"ttl_hours":5`: 5,
	} {
		w := newWorld(t)
		a := w.compatPost(`{"ciphertext":"QUJD"` + ttl + `}`)
		if a.Status != http.StatusCreated {
			t.Errorf("%s: %d %s", ttl, a.Status, a.Body)
			continue
		}
		made := testenv.JSON[wire.CompatCreated](t, a)
		w.clock.Pass(time.Duration(hours)*time.Hour - time.Millisecond)
		kept := w.compatPost(`{"ciphertext":"QUJD","id":"` + made.ID + `"}`)
		w.clock.Pass(time.Millisecond)
		if gone := w.compatGet(made.Alias); kept.Status != http.StatusConflict || gone.Status != http.StatusNotFound {
			t.Errorf("%s: %d before %d hours, then %d", ttl, kept.Status, hours, gone.Status)
		}
	}
}

func TestCompatLivesAsLongAsAsked(t *testing.T) {
	w := newWorld(t)
	made := testenv.JSON[wire.CompatCreated](t, w.compatPost(`{"ciphertext":"QUJD","ttl":3}`))
	w.clock.Pass(3*time.Hour - time.Millisecond)
	if a := w.compatGet(made.Alias); a.Status != http.StatusOK {
		t.Errorf("a millisecond before its end: %d", a.Status)
	}
}

func TestCompatRefusals(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("QUJD", 300)
	for name, body := range map[string]string{
		"no object":               `["QUJD"]`,
		"no JSON":                 `{`,
		"two objects":             `{"ciphertext":"QUJD"}{}`,
		"a member twice":          `{"ciphertext":"QUJD","ciphertext":"QUJE"}`,
		"no ciphertext":           `{"ttl":1}`,
		"an empty ciphertext":     `{"ciphertext":""}`,
		"a null ciphertext":       `{"ciphertext":null}`,
		"a number":                `{"ciphertext":1}`,
		"newline":                 `{"ciphertext":"QU\nJD"}`,
		"newline at the end":      `{"ciphertext":"QUJD\n"}`,
		"carriage return":         `{"ciphertext":"QUJD\r"}`,
		"a space":                 `{"ciphertext":"QUJD "}`,
		"no padding":              `{"ciphertext":"QUI"}`,
		"one = of two":            `{"ciphertext":"QQ="}`,
		"padding alone":           `{"ciphertext":"===="}`,
		"padding in the midst":    `{"ciphertext":"QQ==QUJD"}`,
		"padding at a boundary":   `{"ciphertext":"` + long[:1020] + `QQ==` + `QUJD"}`,
		"the URL's alphabet":      `{"ciphertext":"_-_-"}`,
		"trailing bits":           `{"ciphertext":"QR=="}`,
		"an id with braces":       `{"ciphertext":"QUJD","id":"{0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b}"}`,
		"an id in capitals":       `{"ciphertext":"QUJD","id":"0D3B8F6A-1C2D-4E5F-8A9B-0C1D2E3F4A5B"}`,
		"an id with a newline":    `{"ciphertext":"QUJD","id":"0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b\n"}`,
		"an id without hyphens":   `{"ciphertext":"QUJD","id":"0d3b8f6a1c2d4e5f8a9b0c1d2e3f4a5b"}`,
		"an id with urn":          `{"ciphertext":"QUJD","id":"urn:uuid:0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b"}`,
		"an id that is a number":  `{"ciphertext":"QUJD","id":5}`,
		"a ttl of text":           `{"ciphertext":"QUJD","ttl":"24"}`,
		"a ttl that is true":      `{"ciphertext":"QUJD","ttl_hours":true}`,
		"a ttl between the hours": `{"ciphertext":"QUJD","ttl":1.5}`,
	} {
		if a := w.compatPost(body); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for _, ref := range []string{
		"short", "ninechars", "{0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b}", "0D3B8F6A-1C2D-4E5F-8A9B-0C1D2E3F4A5B",
		"0d3b8f6a-1c2d-4e5f-8a9b-0c1d2e3f4a5b%0A", "ABCDEFG%0A", "ABCD-FGH", "ABCDEFG%C3%A4",
	} {
		if a := w.compatGet(ref); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", ref, a.Status, a.Body)
		}
	}
}

// TestCompatSizes: the limit is one of the payload, not of its base64.
func TestCompatSizes(t *testing.T) {
	for _, most := range []int{maxPayload, maxPayload + 1, maxPayload + 2} { // with padding of 0, 2 and 1
		w := newWorld(t, func(o *httpd.Options) { o.MaxPayload = int64(most) })
		for size := most - 1; size <= most+3; size++ {
			want := http.StatusCreated
			if size > most {
				want = http.StatusRequestEntityTooLarge
			}
			text := base64.StdEncoding.EncodeToString(testenv.Random(size))
			a := w.compatPost(`{"ciphertext":"` + text + `"}`)
			if a.Status != want {
				t.Errorf("%d of %d bytes: %d %s", size, most, a.Status, a.Body)
			}
			if a.Status == http.StatusCreated {
				got := w.compatGet(testenv.JSON[wire.CompatCreated](t, a).Alias)
				if testenv.JSON[wire.CompatSecret](t, got).Ciphertext != text {
					t.Error("another ciphertext came back")
				}
			}
		}
	}
}

// compatIDIsUsedOnce: of many at once, one gets the id.
func compatIDIsUsedOnce(w *keptWorld) {
	id := testenv.NewSecret(1).ID
	var made, conflicts atomic.Int32
	var winner atomic.Value
	var all sync.WaitGroup
	for i := range 24 {
		text := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%012d", i))
		all.Go(func() {
			a, err := w.Do(w.t.Context(), "POST", "/api/secrets", typeJSON, strings.NewReader(`{"ciphertext":"`+text+`","id":"`+id+`"}`))
			switch {
			case err == nil && a.Status == http.StatusCreated:
				made.Add(1)
				winner.Store(text)
			case err == nil && a.Status == http.StatusConflict:
				conflicts.Add(1)
			default:
				w.t.Error(a.Status, err)
			}
		})
	}
	all.Wait()
	if made.Load() != 1 || conflicts.Load() != 23 {
		w.t.Fatalf("%d made, %d conflicts", made.Load(), conflicts.Load())
	}
	if got := testenv.JSON[wire.CompatSecret](w.t, w.compatGet(id)); got.Ciphertext != winner.Load() {
		w.t.Error("it holds what a loser sent")
	}
}

func compatOneReader(w *keptWorld) {
	for _, size := range []int{256, large} {
		text := base64.StdEncoding.EncodeToString(testenv.Random(size))
		made := testenv.JSON[wire.CompatCreated](w.t, w.compatPost(`{"ciphertext":"`+text+`"}`))
		var won, late atomic.Int32
		var all sync.WaitGroup
		for range 32 {
			all.Go(func() {
				a, err := w.Do(w.t.Context(), "GET", "/api/secrets/"+made.Alias, nil, nil)
				var got wire.CompatSecret
				switch {
				case err == nil && a.Status == http.StatusOK && json.Unmarshal(a.Body, &got) == nil && got.Ciphertext == text:
					won.Add(1)
				case err == nil && a.Status == http.StatusNotFound:
					late.Add(1)
				default:
					w.t.Error(a.Status, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || late.Load() != 31 || len(w.files()) != 0 {
			w.t.Errorf("%d read it, %d were late, %d files are left", won.Load(), late.Load(), len(w.files()))
		}
	}
}

// dialectsDoNotMix: what one guards, the other cannot read, take back or describe.
func dialectsDoNotMix(w *keptWorld) {
	guarded := w.created()
	for _, ref := range []string{guarded.ID, guarded.Alias} {
		if a := w.compatGet(ref); a.Status != http.StatusNotFound {
			w.t.Errorf("a guarded secret, by GET: %d", a.Status)
		}
	}
	w.opens(guarded)
	unguarded := w.state("unguarded")
	for _, token := range [][]byte{nil, make([]byte, 32), testenv.Random(32)} {
		s := testenv.Secret{Ref: unguarded.Alias, Link: token, Manage: token, Reader: testenv.Random(16)}
		for _, c := range []call{w.Meta, w.Open, w.Ack, w.Decline, w.Status, w.Revoke} {
			w.must(http.StatusNotFound, c, &s)
		}
	}
	if a := w.compatGet(unguarded.ID); a.Status != http.StatusOK {
		w.t.Errorf("the unguarded one: %d", a.Status)
	}
}
