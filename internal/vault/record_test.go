package vault_test

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
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

	"kept, bare": {ID: numbered(9), Type: vault.Kept, State: vault.Waiting, Created: start, Expires: start + 1},
	"kept": {
		ID: numbered(10), Alias: 5, Type: vault.Kept, Size: 2 << 20, State: vault.Waiting, Created: start, Expires: vault.Never,
		Keeping: vault.Keeping{Author: hash("a"), Claim: hash("c"), IV: "\x01iv", Salt: strings.Repeat("s", vault.MaxSalt), Label: "a label"},
	},
	"claimed": {
		ID: numbered(11), Alias: 6, Type: vault.Kept, State: vault.Claimed, Created: start, Expires: start + 99, Opened: start + 1,
		Keeping: vault.Keeping{Author: hash("a"), Owner: hash("o"), Label: strings.Repeat("ü", vault.MaxLabel), Revision: math.MaxInt32},
	},
	"claimed, of nobody": {
		ID: numbered(12), Type: vault.Kept, State: vault.Claimed, Created: start, Expires: start + 99, Opened: start,
		Keeping: vault.Keeping{Owner: hash("o"), Label: "\x00\xff"},
	},
	"deleted": {
		ID: numbered(13), Type: vault.Kept, State: vault.Revoked, Created: start, Expires: vault.Never, Opened: start + 1, Ended: start + 2,
		Keeping: vault.Keeping{Author: hash("a"), Owner: hash("o"), Claim: hash("c"), Revision: 3},
	},
	"kept, of a bot": {
		ID: numbered(14), Type: vault.Kept, State: vault.Expired, Creator: "bot", Context: "note", Created: start, Expires: start + 1, Ended: start + 1,
		Keeping: vault.Keeping{Author: hash("a"), Label: "label"},
	},
	"answered": {ID: numbered(15), Alias: 7, Type: vault.Answered, State: vault.Waiting, Link: hash("body"), Created: start, Expires: start + 86_400_000},
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
		if s.Creator == "" && s.Type != vault.Kept && len(b)-6 > vault.RecordSize {
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
	s := records["kept"]
	b := s.AppendRecord(nil)
	for state := range 256 {
		b[1] = byte(state)
		_, err := vault.ParseRecord(b)
		kept := state >= int(vault.Waiting) && state <= int(vault.Claimed) && state != int(vault.Forgotten)
		if kept != (err == nil) {
			t.Errorf("state %d: %v", state, err)
		}
	}
}

// TestRecordDamage: what a writer never writes is not read.
func TestRecordDamage(t *testing.T) {
	const flags = 2
	kept, answered, once := records["kept, bare"], records["answered"], records["without hashes"]
	bare := kept.AppendRecord(nil)
	keeping := len(bare) - 5 // hashes, revision, lengths of iv, salt and label
	for name, b := range map[string][]byte{
		"both types":           changed(answered.AppendRecord(nil), flags, 0x60),
		"both types of kept":   changed(bare, flags, 0x60),
		"an unknown flag":      changed(once.AppendRecord(nil), flags, 0x80),
		"kept, and no more":    changed(once.AppendRecord(nil), flags, 0x20),
		"a fourth hash":        append(changed(bare, keeping, 1<<4), make([]byte, 32)...),
		"hashes that are not":  changed(bare, keeping, 7),
		"a copy that is not":   changed(bare, keeping, 1<<3),
		"a negative revision":  changed(bare, keeping+1, 1),
		"a negative label":     changed(bare, len(bare)-1, 1),
		"a label that is not":  changed(bare, len(bare)-1, 2),
		"a number without end": changed(bare, len(bare)-1, 0x80),
		"a newer version":      changed(bare, 0, 2),
	} {
		if got, err := vault.ParseRecord(b); err == nil || got != (vault.Secret{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if got, err := vault.ParseRecord(bare); err != nil || got != kept {
		t.Errorf("undamaged: %+v, %v", got, err)
	}
}

func changed(b []byte, at int, to byte) []byte {
	b = bytes.Clone(b)
	b[at] = to
	return b
}

// TestRecordScraps: pieces of records, mended at random, are damage, or a record that is read as it is written.
func TestRecordScraps(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	var all [][]byte
	for _, name := range slices.Sorted(maps.Keys(records)) {
		s := records[name]
		all = append(all, s.AppendRecord(nil))
	}
	taken := 0
	for range 60_000 {
		b := bytes.Clone(all[dice.IntN(len(all))])
		for range 1 + dice.IntN(3) {
			other, at := all[dice.IntN(len(all))], dice.IntN(len(b)+1)
			switch dice.IntN(4) {
			case 0: // a hole
				b = slices.Delete(b, at, min(at+dice.IntN(40), len(b)))
			case 1: // a patch
				b = slices.Insert(b, at, other[:dice.IntN(len(other))]...)
			case 2: // another tail
				b = append(b[:at], other[min(at, len(other)):]...)
			case 3:
				if len(b) > 0 {
					b[min(at, len(b)-1)] ^= 1 << dice.IntN(8)
				}
			}
		}
		if stable(t, b) {
			taken++
		}
	}
	if taken < 1000 {
		t.Errorf("only %d scraps of 60 000 were taken: the others say nothing of what is read", taken)
	}
}

// stable checks that b is refused whole, or read as it would be written, and says which.
func stable(t *testing.T, b []byte) (taken bool) {
	t.Helper()
	s, err := vault.ParseRecord(b)
	if err != nil {
		if s != (vault.Secret{}) {
			t.Errorf("%+v beside %v", s, err)
		}
		return false
	}
	if again, err := vault.ParseRecord(s.AppendRecord(nil)); err != nil || again != s {
		t.Errorf("%x gives %+v, and that %+v, %v", b, s, again, err)
	}
	return true
}

// FuzzParseRecord: whatever is taken survives being written and read again, and nothing comes beside an error.
func FuzzParseRecord(f *testing.F) {
	for _, s := range records {
		f.Add(s.AppendRecord(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) { stable(t, b) })
}
