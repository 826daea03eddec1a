package envelope

import (
	"fmt"
	"io"
	"log/slog"
)

// A payload is the secret itself, so it prints as no more than that there is one: under every verb, as JSON and in logs.
// Whoever wants the text takes the field.

// Format prints the redacted form under every verb.
func (p Payload) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// String is the redacted form.
func (p Payload) String() string { return "envelope.Payload(...)" }

// MarshalText is the redacted form; AppendTo encodes a payload.
func (p Payload) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue is the redacted form.
func (p Payload) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Format prints the redacted form under every verb.
func (f File) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, f.String()) }

// String is the redacted form. A file's name says too much as well.
func (f File) String() string { return "envelope.File(...)" }

// MarshalText is the redacted form.
func (f File) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// LogValue is the redacted form.
func (f File) LogValue() slog.Value { return slog.StringValue(f.String()) }
