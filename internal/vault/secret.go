package vault

import (
	"time"
)

// State is where a secret is in its life (PROTOCOL 4.2). The numbers are stored: never change them.
type State uint8

// States. The payload exists in Waiting, Leased and Claimed only.
const (
	Waiting State = iota + 1
	Leased
	Read
	Unconfirmed // the lease ran out without an ack
	Revoked
	Declined
	Expired
	Locked
	Forgotten // the tombstone's time is over: the store drops the record, and nobody ever sees this state
	Claimed   // of a kept secret: it has an owner, and stays readable to them alone (PROTOCOL 5)
)

var stateNames = [...]string{
	Waiting: "waiting", Leased: "leased", Read: "read", Unconfirmed: "unconfirmed",
	Revoked: "revoked", Declined: "declined", Expired: "expired", Locked: "locked", Forgotten: "forgotten", Claimed: "claimed",
}

// String gives the name of PROTOCOL 4.2.
func (s State) String() string {
	if int(s) >= len(stateNames) || stateNames[s] == "" {
		return "unknown"
	}
	return stateNames[s]
}

// Type says which rules a record lives by. The numbers are stored.
type Type uint8

// Types of records.
const (
	OneTime  Type = iota // gone after one reader (PROTOCOL 4)
	Kept                 // readable until it expires, and claimable by its first reader (PROTOCOL 5)
	Answered             // no secret: remembers that a request was answered, and with which body (PROTOCOL 5)
)

// Durations and counts of PROTOCOL 4.
const (
	MinTTL         = time.Minute
	MaxTTL         = 365 * 24 * time.Hour
	DefaultTTL     = 24 * time.Hour
	LeaseTime      = 2 * time.Minute
	leaseRate      = 64 << 10 // bytes a second; a slower line than this gets no more time
	TombstoneTime  = 7 * 24 * time.Hour
	MaxPassphrases = 10 // wrong ones, until the secret is locked
)

// Secret is the record of one secret: all that is known of it but its payload. It holds no key, no token
// and nothing that says who sent or read it.
type Secret struct {
	ID    ID
	Alias Alias
	Type  Type
	Size  int64 // of the payload, in bytes
	State State

	// Hashes of the tokens that prove something. Only an only-once-share client leaves Link out (PROTOCOL 4.8).
	Link, Manage, Passphrase Hash
	Reader                   Hash // of the reader it was opened by, kept for a repeated ack

	Creator string // name of the API key it was made with, or ""
	Context string // opaque bytes of the creator's, for its events (PROTOCOL 6.3)

	Wrong   int // passphrases
	Refused int // opens turned away for want of a valid link token

	Keeping // of a kept secret

	Created, Expires, Opened, LeaseEnds, Ended Time // Opened of a kept secret: claimed
}

// Keeping is what a kept secret has besides (PROTOCOL 5).
type Keeping struct {
	Author Hash // whom creator_uid names, as User has it
	Owner  Hash // who claimed it
	Claim  Hash // of the token that a claim must bring; zero: anybody may claim it

	IV, Salt string // raw bytes that opening the payload takes, at most MaxIV and MaxSalt
	Label    string // at most MaxLabel characters

	Revision int // how often the payload was replaced
	Copy     ID  // of what a claim replaced that proved nothing; zero: nothing is held back
}

// Never is the end of what does not expire: the largest integer that every engine's numbers can hold.
const Never Time = 1<<53 - 1

// Held reports whether the payload still exists.
func (s *Secret) Held() bool { return s.State == Waiting || s.State == Leased || s.State == Claimed }

// AttemptsLeft is the number of wrong passphrases that are still forgiven.
func (s *Secret) AttemptsLeft() int { return MaxPassphrases - s.Wrong }

// Due is when time itself changes the record next; a store hands it to [Settle] from then on.
func (s *Secret) Due() Time {
	switch s.State {
	case Waiting, Claimed:
		return s.Expires
	case Leased:
		return s.LeaseEnds
	default:
		return s.Ended.Add(TombstoneTime)
	}
}

// SameCreation reports whether b, which was made just now, asks for what a is: a repeated request after a lost
// answer (PROTOCOL 4.1). The store compares the payloads. What has ended in the meantime is nobody's twin,
// whether or not a sweep has passed since.
func SameCreation(a, b *Secret) bool {
	now := *a
	_ = Settle(b.Created, &now)
	return a.ID == b.ID && a.Type == b.Type && a.Creator == b.Creator && a.Keeping == b.Keeping && a.Link == b.Link && a.Manage == b.Manage && a.Passphrase == b.Passphrase && now.Held()
}

// end moves the secret into its tombstone. From here on the store keeps no payload.
func (s *Secret) end(state State, at Time) { s.State, s.Ended = state, at }

// Settle applies what time alone does (PROTOCOL 4.3, 4.6): every rule starts with it, and sweeping is nothing
// else. An end by time is dated when it was due, not when somebody looked.
func Settle(now Time, s *Secret) error {
	if now < s.Due() {
		return nil
	}
	switch s.State {
	case Waiting, Claimed:
		s.end(Expired, s.Expires)
	case Leased:
		s.end(Unconfirmed, s.LeaseEnds)
	}
	if now >= s.Due() || s.Type == Answered { // a tombstone, perhaps one that began and ended while the server was down
		s.State = Forgotten
	}
	return nil
}

// Gone reports whether time has forgotten s: its name is free, whether or not a sweep has passed since.
func Gone(now Time, s Secret) bool {
	_ = Settle(now, &s)
	return s.State == Forgotten
}

// ForgottenAt is when time alone will have forgotten s: an engine that can drop records by itself does it then.
func (s *Secret) ForgottenAt() Time {
	switch {
	case s.Due() == Never || s.Type == Answered || !s.Held():
		return s.Due()
	default:
		return s.Due().Add(TombstoneTime)
	}
}

// leaseFor is 120 s, or as long as the payload takes at 64 KiB/s (PROTOCOL 4.3).
func leaseFor(size int64) time.Duration {
	return max(LeaseTime, time.Duration(size)*time.Second/leaseRate)
}
