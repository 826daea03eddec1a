package httpd

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// flaws is all that is wrong with the members of a body, in the vocabulary of pydantic 2, which inigma's clients
// know. None holds a value: that may be a message or somebody's only credential.
type flaws []wire.KeptFault

func flaw(name, kind, sentence string) wire.KeptFault {
	loc := []any{"body"}
	if name != "" {
		loc = append(loc, name)
	}
	return wire.KeptFault{Loc: loc, Msg: sentence, Type: kind}
}

func invalid(f ...wire.KeptFault) *problem {
	return &problem{status: http.StatusUnprocessableEntity, body: wire.Error{Error: "The body is not what it should be."}, detail: f}
}

func (f *flaws) add(name, kind, sentence string) { *f = append(*f, flaw(name, kind, sentence)) }

// text reads a string that must be there.
func (f *flaws) text(name string, m *member) ([]byte, bool) {
	switch m.kind {
	case '"':
		return m.text, true
	case 0:
		f.add(name, "missing", "Field required")
	default:
		f.add(name, "string_type", "Input should be a valid string")
	}
	return nil, false
}

// optional reads a string that may be left out.
func (f *flaws) optional(name string, m *member) string {
	if !m.given() {
		return ""
	}
	text, _ := f.text(name, m)
	return string(text)
}

// whole reads a number without a fraction, which is absent unless it is given. A string with a number in it is none.
func (f *flaws) whole(name string, m *member, absent, least, most int) int {
	if !m.given() {
		return absent
	}
	if m.kind != '0' {
		f.add(name, "int_type", "Input should be a valid integer")
		return absent
	}
	x, _ := strconv.ParseFloat(string(m.text), 64) // beyond its range it is infinite, and so out of ours
	switch {
	case x != math.Trunc(x):
		f.add(name, "int_from_float", "Input should be a valid integer, got a number with a fractional part")
	case x < float64(least):
		f.add(name, "greater_than_equal", "Input should be greater than or equal to "+strconv.Itoa(least))
	case x > float64(most):
		f.add(name, "less_than_equal", "Input should be less than or equal to "+strconv.Itoa(most))
	default:
		return int(x)
	}
	return absent
}

// Patterns that are the same in Go and in pydantic; $ is the end of the text, and never stands before a line break.
var (
	uidPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	viewPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,50}$`) // inigma's own; whatever is shorter or longer than ours is unknown
	keyPattern  = regexp.MustCompile(`^[ -~]{1,128}$`)
)

func (f *flaws) matching(name string, m *member, p *regexp.Regexp) string {
	text, ok := f.text(name, m)
	if ok && !p.Match(text) {
		f.add(name, "string_pattern_mismatch", fmt.Sprintf("String should match pattern '%v'", p))
	}
	return string(text)
}

func (f *flaws) uid(name string, m *member) string { return f.matching(name, m, uidPattern) }

// key reads an idempotency key. One of no characters would be everybody's.
func (f *flaws) key(m *member) string {
	if !m.given() {
		return ""
	}
	return f.matching("idempotency_key", m, keyPattern)
}

// who reads the view and the UID that most requests name, and ends the check: the view is unknown if it is none of this
// server's.
func (f *flaws) who(v *vault.Vault, view, uid *member) (vault.View, vault.User, error) {
	name := f.matching("view", view, viewPattern)
	user := f.uid("uid", uid)
	if *f != nil {
		return vault.View{}, vault.User{}, invalid(*f...)
	}
	known, ok := v.View(name)
	if !ok {
		return known, v.User(user), errKeptNotFound
	}
	return known, v.User(user), nil
}

// long checks that text has at most n bytes, which are as many characters where base64 is asked for.
func (f *flaws) long(name string, text []byte, n int) bool {
	if len(text) > n {
		f.add(name, "string_too_long", fmt.Sprintf("String should have at most %d characters", n))
	}
	return len(text) > n
}

func (f *flaws) message(m *member) {
	const name = "encrypted_message"
	text, ok := f.text(name, m)
	switch {
	case !ok || f.long(name, text, keptMessage):
	case len(text) == 0:
		f.add(name, "string_too_short", "String should have at least 1 character")
	case !isBase64(text):
		f.add(name, "value_error", "Value error, must be standard base64 with padding")
	}
}

// isBase64 takes the one spelling of some bytes: Go's decoder would pass over line breaks, and inigma takes any length.
func isBase64(text []byte) bool {
	n := len(text) - 4
	if n < 0 || n%4 != 0 {
		return false
	}
	for _, c := range text[:n] {
		if !isBase64Letter[c] {
			return false
		}
	}
	if bytes.ContainsAny(text[n:], "\r\n") {
		return false
	}
	var last [3]byte
	_, err := base64.StdEncoding.Strict().Decode(last[:], text[n:])
	return err == nil
}

var isBase64Letter = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		is[c] = true
	}
	return is
}()

// raw reads bytes in at most that many characters of base64. inigma's browsers and its tests make IVs of different lengths;
// what a message can be opened with is its reader's business.
func (f *flaws) raw(name string, m *member, most int) string {
	text, ok := f.text(name, m)
	if !ok || f.long(name, text, most) {
		return ""
	}
	b, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(text) == 0 || base64.StdEncoding.EncodedLen(len(b)) != len(text) { // base64 passes over line breaks
		f.add(name, "value_error", "Value error, must be standard base64 with padding")
	}
	return string(b)
}

// claimHash reads the hash of a claim token.
func (f *flaws) claimHash(m *member) vault.Hash {
	if !m.given() {
		return vault.Hash{}
	}
	text, ok := f.text("claim_hash", m)
	h, is := vault.ParseHash(string(text))
	if ok && !is {
		f.add("claim_hash", "value_error", "Value error, must be a SHA-256 in base64url without padding")
	}
	return h
}

func (f *flaws) claimToken(m *member) vault.Hash {
	if !m.given() {
		return vault.Hash{}
	}
	text, ok := f.text("claim_token", m)
	token, is := parseToken(string(text))
	if ok && !is {
		f.add("claim_token", "value_error", "Value error, must be 32 bytes in base64url without padding")
	}
	return vault.HashOf(token)
}
