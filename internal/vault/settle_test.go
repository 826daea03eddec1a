package vault_test

import (
	"testing"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

const week = vault.Time(7 * 24 * time.Hour / time.Millisecond)

// TestSettle: what time alone does, and that it is dated when it was due, however late somebody looks.
func TestSettle(t *testing.T) {
	waiting := vault.Secret{State: vault.Waiting, Created: start, Expires: start + 1000}
	leased := vault.Secret{State: vault.Leased, Created: start, Expires: start + 1000, Opened: start + 500, LeaseEnds: start + 1500}
	read := vault.Secret{State: vault.Read, Created: start, Expires: start + 1000, Opened: start + 500, LeaseEnds: start + 1500, Ended: start + 600}
	claimed := vault.Secret{Type: vault.Kept, State: vault.Claimed, Created: start, Expires: start + 1000, Opened: start + 500}
	never := vault.Secret{Type: vault.Kept, State: vault.Waiting, Created: start, Expires: vault.Never}
	neverClaimed := vault.Secret{Type: vault.Kept, State: vault.Claimed, Created: start, Expires: vault.Never, Opened: start}
	answered := vault.Secret{Type: vault.Answered, State: vault.Waiting, Created: start, Expires: start + 1000}
	for _, test := range []struct {
		name  string
		from  vault.Secret
		now   vault.Time
		state vault.State
		ended vault.Time
	}{
		{"waiting, before its end", waiting, start + 999, vault.Waiting, 0},
		{"waiting, at its end", waiting, start + 1000, vault.Expired, start + 1000},
		{"waiting, days after", waiting, start + 999 + week, vault.Expired, start + 1000},
		{"waiting, when its tombstone would have ended", waiting, start + 1000 + week, vault.Forgotten, start + 1000},
		{"waiting, after weeks", waiting, start + 9*week, vault.Forgotten, start + 1000},
		{"claimed, before its end", claimed, start + 999, vault.Claimed, 0},
		{"claimed, at its end", claimed, start + 1000, vault.Expired, start + 1000},
		{"claimed, after weeks", claimed, start + 9*week, vault.Forgotten, start + 1000},
		{"never, after ages", never, start + 10_000*week, vault.Waiting, 0},
		{"never and claimed, after ages", neverClaimed, start + 10_000*week, vault.Claimed, 0},
		{"answered, before its end", answered, start + 999, vault.Waiting, 0},
		{"answered, at its end: it has no tombstone", answered, start + 1000, vault.Forgotten, start + 1000},
		{"waiting, by a clock that went back", waiting, start - 9*week, vault.Waiting, 0},
		{"leased, past its lifetime", leased, start + 1499, vault.Leased, 0},
		{"leased, at the end of the lease", leased, start + 1500, vault.Unconfirmed, start + 1500},
		{"leased, days after", leased, start + 1499 + week, vault.Unconfirmed, start + 1500},
		{"leased, after weeks", leased, start + 9*week, vault.Forgotten, start + 1500},
		{"read, after its lifetime", read, start + 2000, vault.Read, start + 600},
		{"read, before a week is over", read, start + 599 + week, vault.Read, start + 600},
		{"read, after a week", read, start + 600 + week, vault.Forgotten, start + 600},
	} {
		t.Run(test.name, func(t *testing.T) {
			want, got := test.from, test.from
			want.State, want.Ended = test.state, test.ended
			if err := vault.Settle(test.now, &got); err != nil || got != want {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
			if got.State != vault.Forgotten && got.Due() <= test.now {
				t.Errorf("settled at %d, but due at %d", test.now, got.Due())
			}
			once := got
			if err := vault.Settle(test.now, &got); err != nil || got != once {
				t.Errorf("settled twice: %+v, %v, want %+v", got, err, once)
			}
		})
	}
}

// TestForgottenAt: an engine that drops records by itself drops each at the moment when time has forgotten it.
func TestForgottenAt(t *testing.T) {
	for name, s := range records {
		at := s.ForgottenAt()
		if vault.Gone(at-1, s) {
			t.Errorf("%s: gone a moment before", name)
		}
		if forever := s.Held() && s.Expires == vault.Never; (at == vault.Never) != forever || !forever && !vault.Gone(at, s) {
			t.Errorf("%s: gone at %d: %t", name, at, vault.Gone(at, s))
		}
	}
}

func TestHeld(t *testing.T) {
	for state := range vault.Claimed + 2 {
		s := vault.Secret{State: state}
		if s.Held() != (state == vault.Waiting || state == vault.Leased || state == vault.Claimed) {
			t.Errorf("%v: held %t", state, s.Held())
		}
	}
}

// TestStateNames: the names are the protocol's (PROTOCOL 4.2), and any number has one.
func TestStateNames(t *testing.T) {
	for state, want := range map[vault.State]string{
		1: "waiting", 2: "leased", 3: "read", 4: "unconfirmed", 5: "revoked", 6: "declined", 7: "expired", 8: "locked", // the numbers are stored
		9: "forgotten", 10: "claimed", 0: "unknown", 11: "unknown", 255: "unknown",
	} {
		if got := state.String(); got != want {
			t.Errorf("state %d is %q, want %q", uint8(state), got, want)
		}
	}
}
