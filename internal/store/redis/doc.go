// Package redis keeps secrets in Redis, where several server processes share them.
// It knows no rule of a secret's life and no HTTP; the rules come from package vault, as functions.
//
// It is the only importer of github.com/redis/go-redis/v9, which speaks to single servers, to Sentinel and to Cluster alike.
//
// A change of a record is a compare-and-swap: the rule runs here, on the record as it was last seen, and a script puts
// the new record in the place of exactly that one, or tells what is there now. What this process has seen a moment ago
// it remembers, so a step of a secret's life is one round trip; and if another process was faster, one more. The time
// is Redis' own, in the same way: what the rule was given is an estimate that the script checks.
//
// What it promises (PROTOCOL 4.7) depends on how Redis is set up; check.go says what is refused, and why.
//
// The keys, all of one secret under one hash tag, its alias:
//
//	hp:{alias}                a value: u16 length of the record || record || a small payload, while nobody has opened it
//	hp:{alias}:p              the payload otherwise; it ends with the secret, or with the lease, by Redis' own expiry
//	hp:{alias}:e              events that have happened and are not in their stream yet
//	hp:{alias}:u:NONCE        a large payload on its way in
//	hp:{list}, hp:{list}:u    the aliases in a list, by when they were made, and by when they leave it
//	hp:due:SECOND             aliases that time has something to do with, 6 bytes each
//	hp:swept, hp:sweeper      the second that sweeping has got to, and who does it
//	hp:events:CREATOR         a stream of events; hp:creators are those who have one
//	hp:{source}:BUDGET        what a source has spent (limits)
//	hp:key                    the server's key (vault.Options.Key), or a check of it
//
// The record outlives the payload by the tombstone's 7 days, and then ends by Redis' own expiry as well.
package redis
