// Package wire holds the shapes and names that both halves of Hushpost speak over HTTP.
// It holds no behaviour: what a server does with them is package httpd's, what a client does is package client's.
//
// Clause numbers are those of PROTOCOL.md beside this file.
package wire

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Headers of the one-time API. Hashes are b64u of SHA-256 (PROTOCOL 4.1).
const (
	HeaderLinkHash       = "Hushpost-Link-Hash"
	HeaderManageHash     = "Hushpost-Manage-Hash"
	HeaderPassphraseHash = "Hushpost-Passphrase-Hash" //nolint:gosec // G101: a name, no credential
	HeaderExpiresIn      = "Hushpost-Expires-In"      // seconds, decimal
	HeaderContext        = "Hushpost-Context"         // b64, at most 4 KiB, with an API key (PROTOCOL 6.3)
	HeaderID             = "Hushpost-Id"              // of an opened secret (PROTOCOL 4.3)
	HeaderLeaseExpires   = "Hushpost-Lease-Expires"   // RFC 3339, UTC (PROTOCOL 4.3)
	PayloadType          = "application/octet-stream"
)

// States of a secret (PROTOCOL 4.2).
const (
	StateWaiting     = "waiting"
	StateLeased      = "leased"
	StateRead        = "read"
	StateUnconfirmed = "unconfirmed" // the lease ran out without an ack
	StateRevoked     = "revoked"
	StateDeclined    = "declined"
	StateExpired     = "expired"
	StateLocked      = "locked"
)

// Codes of errors that are not a state. A 410 carries the state as its code (PROTOCOL 4.3).
const (
	CodeNotFound           = "not_found"           // 404: unknown, not yours, or long gone; never says which
	CodeBadRequest         = "bad_request"         // 400: a path, header or body that cannot be read
	CodeUnprocessable      = "unprocessable"       // 422: readable, but a value is outside its limits
	CodeTooLarge           = "too_large"           // 413
	CodeConflict           = "conflict"            // 409: the id is taken by another secret
	CodeNotOpened          = "not_opened"          // 409: an ack for a secret that nobody has opened
	CodePassphraseRequired = "passphrase_required" // 403
	CodePassphraseWrong    = "passphrase_wrong"    // 403, with attempts_left
	CodeUnauthorized       = "unauthorized"        // 401: no valid API key
	CodeForbidden          = "forbidden"           // 403: a cross-site or navigation request
	CodeMethod             = "method_not_allowed"  // 405
	CodeRateLimited        = "rate_limited"        // 429, with Retry-After
	CodeUnavailable        = "unavailable"         // 503, with Retry-After: the store is in trouble
	CodeFull               = "full"                // 507: no room for new secrets; waiting ones still open
	CodeInternal           = "internal"            // 500
)

// Error is the body of every refusal (PROTOCOL 4). The times go with a 410, rounded to the minute.
type Error struct {
	Error        string     `json:"error"`
	Code         string     `json:"code"`
	AttemptsLeft *int       `json:"attempts_left,omitempty"`
	OpenedAt     *time.Time `json:"opened_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`
}

// Created answers PUT /api/secrets/{id} (PROTOCOL 4.1).
type Created struct {
	ID        string    `json:"id"`
	Alias     string    `json:"alias"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Resolved answers GET /api/secrets/{ref}/id (PROTOCOL 4.9).
type Resolved struct {
	ID string `json:"id"`
}

// Meta answers GET /api/secrets/{ref}/meta (PROTOCOL 4.2). Size is the payload's, in bytes.
type Meta struct {
	ID           string     `json:"id"`
	State        string     `json:"state"`
	Passphrase   bool       `json:"passphrase"`
	AttemptsLeft int        `json:"attempts_left"`
	Size         int64      `json:"size"`
	CreatedAt    time.Time  `json:"created_at"`
	ExpiresAt    time.Time  `json:"expires_at"`
	OpenedAt     *time.Time `json:"opened_at,omitempty"`
}

// OpenRequest is the body of POST /api/secrets/{ref}/open (PROTOCOL 4.3).
// Reader is b64u of 16 random bytes, PassphraseToken b64u of 32 bytes.
type OpenRequest struct {
	Reader          Token `json:"reader"`
	PassphraseToken Token `json:"passphrase_token,omitempty"`
}

// AckRequest is the body of POST /api/secrets/{ref}/ack (PROTOCOL 4.4).
type AckRequest struct {
	Reader Token `json:"reader"`
}

// Token is a token in a body, in b64u. It prints redacted.
type Token string

// UnmarshalText takes it as it is. It also keeps it out of the caches that JSON decoders have for strings.
func (t *Token) UnmarshalText(b []byte) error {
	*t = Token(b)
	return nil
}

// Format implements fmt.Formatter for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "wire.Token(...)") }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue("wire.Token(...)") }

// Status answers GET /api/secrets/{ref}/status (PROTOCOL 4.5). Times are rounded to the minute.
type Status struct {
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	OpenedAt  *time.Time `json:"opened_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Refused   int        `json:"refused"` // opens turned away for want of a valid link token
}

// CompatCreate is the body of POST /api/secrets, the dialect of only-once-share (PROTOCOL 4.8).
// TTL is in hours under either name; Ciphertext is standard base64 with padding.
type CompatCreate struct {
	Ciphertext string   `json:"ciphertext"`
	TTLHours   *float64 `json:"ttl_hours,omitempty"`
	TTL        *float64 `json:"ttl,omitempty"`
	ID         string   `json:"id,omitempty"`
}

// CompatCreated answers it.
type CompatCreated struct {
	ID    string `json:"id"`
	Alias string `json:"alias"`
}

// CompatSecret answers GET /api/secrets/{ref} (PROTOCOL 4.8).
type CompatSecret struct {
	Ciphertext string `json:"ciphertext"`
	ID         string `json:"id"`
}

// APIKeyPrefix begins every API key; 43 characters of b64u follow (PROTOCOL 6.4).
const APIKeyPrefix = "hp_"

// Events answers GET /api/events (PROTOCOL 6.3).
type Events struct {
	Events []Event `json:"events"`
}

// Event is one of them. Context is what its secret was created with.
type Event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	At      time.Time `json:"at"` // rounded down to the minute
	Context []byte    `json:"context"`
	Secret  string    `json:"secret"` // its id
}

// AckEventsRequest is the body of POST /api/events/ack.
type AckEventsRequest struct {
	IDs []string `json:"ids"`
}
