package httpd

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	// The standard encoding/json takes the last of two members with one name, matches names without
	// regard to case, and puts U+FFFD for broken UTF-8: two programs may read one body differently, and
	// a check in front of us could be led past what we act on. This module is the mirror of encoding/json/v2,
	// and gives way to it when that is no longer an experiment in our version of Go. This file is its only importer.
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// fault is what was wrong with a body.
type fault uint8

const (
	faultSyntax   fault = iota // not one JSON object in UTF-8, or cut short: 400
	faultShape                 // JSON, but a member is unknown or of the wrong type: 422, or what the dialect says
	faultType                  // not sent as application/json: 415
	faultTooLarge              // 413
	faultSlow                  // came below the pace: 408
)

// bodyError says why a body was refused, in one sentence fit for whoever sent it. It names members of
// ours, never what the body held: a value may be a token, and an unknown name may be anything.
type bodyError struct {
	fault    fault
	member   string // the JSON pointer of the member at fault, "" if it is the whole body; only of ours
	sentence string
}

func (e *bodyError) Error() string { return e.sentence }

// decode reads the body of r, one JSON object of at most limit bytes, into v, a pointer to a struct without maps
// (their keys would be named in refusals). It refuses
// duplicate names, names that v does not have (in this very case), data after the object, invalid UTF-8, and a
// Content-Type other than application/json. A refusal is a *bodyError; there is no other error.
func decode(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	return decodeBody(w, r, limit, v, json.RejectUnknownMembers(true))
}

// decodeLenient is decode for the dialects of programs that are not ours: it skips the members
// that v does not have (PROTOCOL 4.8, 5).
func decodeLenient(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	return decodeBody(w, r, limit, v)
}

func decodeBody(w http.ResponseWriter, r *http.Request, limit int64, v any, opts ...json.Options) error {
	if !isJSON(r.Header["Content-Type"]) {
		return &bodyError{faultType, "", "The body must be sent with Content-Type: application/json."}
	}
	if r.ContentLength > limit {
		return tooLarge(limit)
	}
	// A decoder of its own, not json.UnmarshalRead: that one keeps buffers for the next request in a pool.
	d := jsontext.NewDecoder(http.MaxBytesReader(w, r.Body, limit), opts...)
	if k := d.PeekKind(); k != '{' && k != 0 {
		return &bodyError{faultSyntax, "", "The body must be a JSON object."}
	}
	if err := json.UnmarshalDecode(d, v); err != nil {
		return explain(err, limit)
	}
	// Reading on to the end also lifts the deadline of the body (see pacedBody).
	_, err := d.ReadToken()
	if err == io.EOF { //nolint:errorlint // bare, as documented
		return nil
	}
	if err != nil {
		if e := explain(err, limit); e.fault != faultSyntax {
			return e
		}
	}
	return errTrailing
}

var errTrailing = &bodyError{faultSyntax, "", "The body goes on after the JSON object."}

// member is one member of a body as it came. Decoding never fails for the sake of a member, so that a dialect can tell
// all that is wrong with a body and not only the first of it (PROTOCOL 5).
type member struct {
	kind jsontext.Kind // as the first character of the value: '"', '0', 'n' for null …; 0 if it was not given
	text []byte        // what a string says, or how a number is spelled
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *member) UnmarshalJSON(b []byte) error {
	switch m.kind = jsontext.Value(b).Kind(); m.kind {
	case '"':
		m.text, _ = jsontext.AppendUnquote(make([]byte, 0, len(b)), b) // the decoder has seen that it is a string
	case '0':
		m.text = slices.Clone(b)
	}
	return nil
}

// given: a null says as much as nothing.
func (m *member) given() bool { return m.kind != 0 && m.kind != 'n' }

// Format keeps it out of logs, by every verb.
func (*member) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "member(...)") }

// isJSON accepts one Content-Type of application/json with any parameters. Forms of other sites can only send
// the types that need no preflight; a second header would leave open which of the two was checked.
func isJSON(types []string) bool {
	if len(types) != 1 {
		return false
	}
	if types[0] == "application/json" { // as nearly everybody sends it
		return true
	}
	t, _, err := mime.ParseMediaType(types[0])
	return err == nil && t == "application/json"
}

func tooLarge(limit int64) *bodyError {
	return &bodyError{faultTooLarge, "", fmt.Sprintf("The body is larger than the %d bytes allowed.", limit)}
}

// explain turns an error of the reader or of the decoder into our words; theirs quote the input.
func explain(err error, limit int64) *bodyError {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(limit)
	}
	switch {
	case errors.Is(err, errSlow):
		return &bodyError{faultSlow, "", "The body came too slowly."}
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &bodyError{faultSyntax, "", "The body has two members of one name."}
	case errors.Is(err, json.ErrUnknownName):
		return &bodyError{faultShape, "", "The body has a member that is not known here; names are lower case."}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &bodyError{faultSyntax, "", "The body ends before the JSON object does."}
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		// Only a member that v has gets this far, so its name is ours.
		name := strings.TrimPrefix(string(e.JSONPointer), "/")
		return &bodyError{faultShape, name, fmt.Sprintf("The member %q has a value of the wrong type or out of range.", name)}
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &bodyError{faultSyntax, "", fmt.Sprintf("The body is not JSON in UTF-8 from byte %d on.", e.ByteOffset)}
	}
	return &bodyError{faultSyntax, "", "The body broke off."}
}
