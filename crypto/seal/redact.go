package seal

import (
	"fmt"
	"io"
	"log/slog"
)

// What secret values print as. Each type answers fmt.Formatter (every verb, %x and %#v included), encoding.TextMarshaler
// (JSON, XML, text) and slog.LogValuer with it (PROTOCOL 3.3).
//
// That is not enough where a value sits in an unexported field of something that is printed: fmt may not call methods
// there. So each type holds its bytes in an opaque.Value as well.

func redact(f fmt.State, text string) { _, _ = io.WriteString(f, text) }

// Format prints the redacted form under every verb.
func (k Key) Format(f fmt.State, _ rune) { redact(f, k.String()) }

// String is the redacted form.
func (k Key) String() string { return "seal.Key(...)" }

// MarshalText is the redacted form; there is no way back from it.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue is the redacted form.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Format prints the redacted form under every verb.
func (ks Keys) Format(f fmt.State, _ rune) { redact(f, ks.String()) }

// String is the redacted form.
func (ks Keys) String() string { return "seal.Keys(...)" }

// MarshalText is the redacted form; there is no way back from it.
func (ks Keys) MarshalText() ([]byte, error) { return []byte(ks.String()), nil }

// LogValue is the redacted form.
func (ks Keys) LogValue() slog.Value { return slog.StringValue(ks.String()) }

// Format prints the redacted form under every verb.
func (t Token) Format(f fmt.State, _ rune) { redact(f, t.String()) }

// String is the redacted form.
func (t Token) String() string { return "seal.Token(...)" }

// MarshalText is the redacted form; there is no way back from it.
func (t Token) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue is the redacted form.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Format prints the redacted form under every verb.
func (s Kept) Format(f fmt.State, _ rune) { redact(f, s.String()) }

// String is the redacted form.
func (s Kept) String() string { return "seal.Kept(...)" }

// MarshalText is the redacted form; there is no way back from it.
func (s Kept) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is the redacted form.
func (s Kept) LogValue() slog.Value { return slog.StringValue(s.String()) }
