package tty_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"plain\ttext\n\nline":   "plain\ttext\n\nline",
		"Windows\r\nline":       "Windows\nline",
		"over\rwritten":         `over\x0dwritten`,
		"\x1b[2J\x1b]0;t\x07":   `\x1b[2J\x1b]0;t\x07`,
		"\x00\x08\x7f":          `\x00\x08\x7f`,
		"\u009b31m":             `\u009b31m`, // CSI in one character
		"\u202egnp.exe\u202c":   `\u202egnp.exe\u202c`,
		"\u2066\u2069\u200e":    `\u2066\u2069\u200e`,
		"zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`,
		"\u2028":                `\u2028`,
		"\U000e0041":            `\U000e0041`, // a tag: text that nobody sees
		"bad \xff utf-8 \xe2":   `bad \xff utf-8 \xe2`,
		"می\u200cخواهم 👩\u200d💻 ١٢٣ ﬁ é": "می\u200cخواهم 👩\u200d💻 ١٢٣ ﬁ é", // joiners spell
		`back\slash`: `back\slash`,
	} {
		if got, _ := tty.Clean(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if _, n := tty.Clean("a\x1bb\u202ec\xff"); n != 3 {
		t.Errorf("counted %d", n)
	}
	if got := tty.CleanLine("a\nb\tc\x1b"); got != `a\nb c\x1b` {
		t.Errorf("line: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"a\x1bb", "\r\r\n", "\xc2\x9b", "\u202e", "\r\x1b\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, _ := tty.Clean(s)
		for _, r := range clean {
			if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) || r == unicode.ReplacementChar && !strings.ContainsRune(s, r) {
				t.Errorf("%q became %q", s, clean)
			}
		}
		if again, n := tty.Clean(clean); again != clean || n != 0 {
			t.Errorf("%q is cleaned to %q and then to %q", s, clean, again)
		}
	})
}

func TestJSONIsHarmlessAndWhole(t *testing.T) {
	in := map[string]string{"k": "a\x1b\u202e\u009b\x7f\U000e0041é\n\"\\<"}
	var b bytes.Buffer
	if err := json.NewEncoder(tty.JSONWriter{W: &b}).Encode(in); err != nil {
		t.Fatal(err)
	}
	if clean, n := tty.Clean(b.String()); n != 0 || clean != b.String() {
		t.Errorf("harmful: %q", b.String())
	}
	var out map[string]string
	if err := json.Unmarshal(b.Bytes(), &out); err != nil || out["k"] != in["k"] {
		t.Errorf("%q, %v", out["k"], err)
	}
}

func TestMeterIsQuietForASecond(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var b bytes.Buffer
			m := tty.NewMeter(&b, terminal)
			for range 9 {
				m.Update("Sending", 1, 4)
				time.Sleep(100 * time.Millisecond)
			}
			m.Clear()
			if b.Len() > 0 {
				t.Errorf("terminal %v: %q", terminal, b.String())
			}
		})
	}
}

// What says nothing of itself while it works is shown after a second, and not after it is over.
func TestMeterShowsWhatDoesNotMove(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var b lockedBuffer
			m := tty.NewMeter(&b, terminal)
			m.Update("Stretching", 0, 0)
			time.Sleep(900 * time.Millisecond)
			m.Clear() // a question is asked and answered: the clock starts anew
			time.Sleep(5 * time.Second)
			m.Update("Stretching", 0, 0)
			time.Sleep(900 * time.Millisecond)
			synctest.Wait()
			if b.String() != "" {
				t.Errorf("terminal %v: %q within a second", terminal, b.String())
			}
			time.Sleep(200 * time.Millisecond)
			synctest.Wait()
			if !strings.Contains(b.String(), "Stretching …") {
				t.Errorf("terminal %v: %q after a second", terminal, b.String())
			}
			m.Clear()
		})
	}
}

// lockedBuffer can be looked at while the meter's own timer writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestMeterDraws(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var term, log bytes.Buffer
		moving, plain := tty.NewMeter(&term, true), tty.NewMeter(&log, false)
		for i := range int64(100) {
			moving.Update("Sending", i, 100_000_000)
			plain.Update("Sending", i*1_000_000, 100_000_000)
			time.Sleep(110 * time.Millisecond) // never at the same moment as the first line, after a second
		}
		moving.Clear()
		plain.Clear()
		if s := term.String(); strings.Contains(s, "\n") || !strings.HasSuffix(s, " \r") || !strings.Contains(s, "\rSending   0 % of 100.0 MB [....") {
			t.Errorf("terminal: %q", s)
		}
		if s := log.String(); strings.Contains(s, "\r") || strings.Count(s, "\n") != 2 || !strings.HasPrefix(s, "Sending   9 % of 100.0 MB\n") {
			t.Errorf("log: %q", s)
		}
	})
}

func TestReadAllEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	time.AfterFunc(time.Millisecond, cancel)
	if _, err := tty.ReadAll(ctx, r, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	b, err := tty.ReadAll(t.Context(), strings.NewReader("0123456789abcdef"), 10)
	if err != nil || len(b) != 11 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
