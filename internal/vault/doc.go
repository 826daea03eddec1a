// Package vault is the domain: what a stored secret is, and what may happen to it.
// It seals and opens nothing, speaks no HTTP and touches no disk: payloads are opaque bytes, and a [Store] keeps them.
//
// The rules of a secret's life are functions of a time and a record, written once, here. A store runs them
// atomically and keeps what they changed; it knows no rule of its own. So SQLite and Redis cannot disagree
// about who may read what.
//
// Clause numbers are those of internal/wire/PROTOCOL.md.
package vault
