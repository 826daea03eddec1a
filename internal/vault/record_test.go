package vault_test

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

var start = vault.At(time.Date(2026, 11, 22, 4, 5, 6, 789e6, time.UTC))

func hash(s string) vault.Hash { return vault.HashOf([]byte(s)) }

// records are secrets at all stages of their lives.
var records = map[string]vault.Secret{
	"waiting":        {ID: numbered(1), Alias: 1, Size: 256, State: vault.Waiting, Link: hash("l"), Manage: hash("m"), Created: start, Expires: start + 60_000},
	"without hashes": {ID: numbered(2), State: vault.Waiting, Created: start, Expires: start},
	"leased": {
		ID: numbered(3), Alias: 62*62*62*62*62*62*62*62 - 1, Size: math.MaxInt64, State: vault.Leased, Link: hash("l"), Passphrase: hash("p"),
		Reader: hash("r"), Wrong: 9, Refused: 1 << 40, Created: start, Expires: start + 1, Opened: start, LeaseEnds: start,
	},
	"read": {
		ID: numbered(4), State: vault.Read, Manage: hash("m"), Reader: hash("r"), Created: start, Expires: start + 9,
		Opened: start + 1, LeaseEnds: start + 120_001, Ended: start + 2,
	},
	"taken unguarded": {ID: numbered(5), State: vault.Read, Created: start, Expires: start + 9, Opened: start, Ended: start},
	"locked":          {ID: numbered(6), State: vault.Locked, Wrong: 10, Created: start, Expires: start + 9, Ended: start + 365*24*3_600_000},
	"of a bot":        {ID: numbered(7), State: vault.Declined, Creator: "bot", Context: strings.Repeat("\x00\xff", 2048), Created: start, Expires: start, Ended: start},
	"of a bot, bare":  {ID: numbered(8), State: vault.Waiting, Creator: strings.Repeat("b", 300), Created: start, Expires: start},
}

func TestRecord(t *testing.T) {
	for name, s := range records {
		b := s.AppendRecord([]byte("before"))
		if !bytes.HasPrefix(b, []byte("before")) {
			t.Errorf("%s: AppendRecord does not append", name)
		}
		if got, err := vault.ParseRecord(b[6:]); err != nil || got != s {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, s)
		}
		if s.Creator == "" && len(b)-6 > vault.RecordSize {
			t.Errorf("%s: %d bytes, more than RecordSize", name, len(b)-6)
		}
		for cut := range len(b) - 6 {
			if got, err := vault.ParseRecord(b[6 : 6+cut]); err == nil && s.Creator == "" {
				t.Errorf("%s: %d of %d bytes give %+v", name, cut, len(b)-6, got)
			}
		}
		if _, err := vault.ParseRecord(append(b[6:], 0)); err == nil && s.Creator == "" {
			t.Errorf("%s: a byte too many is taken", name)
		}
	}
	waiting := records["waiting"]
	if n := len(waiting.AppendRecord(nil)); n > 110 {
		t.Errorf("a waiting secret takes %d bytes", n)
	}
}

// TestRecordStates: a state that is not one, or that is never kept, is damage. Time would call it forgotten.
func TestRecordStates(t *testing.T) {
	s := records["waiting"]
	b := s.AppendRecord(nil)
	for state := range 256 {
		b[1] = byte(state)
		_, err := vault.ParseRecord(b)
		if kept := state >= int(vault.Waiting) && state < int(vault.Forgotten); kept != (err == nil) {
			t.Errorf("state %d: %v", state, err)
		}
	}
}

// FuzzParseRecord: whatever is taken survives being written and read again, and nothing comes beside an error.
func FuzzParseRecord(f *testing.F) {
	for _, s := range records {
		f.Add(s.AppendRecord(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := vault.ParseRecord(b)
		if err != nil {
			if s != (vault.Secret{}) {
				t.Errorf("%+v beside %v", s, err)
			}
			return
		}
		again, err := vault.ParseRecord(s.AppendRecord(nil))
		if err != nil || again != s {
			t.Errorf("%x gives %+v, and that %+v, %v", b, s, again, err)
		}
	})
}
