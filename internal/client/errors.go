package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hushpost/hushpost/internal/wire"
)

// Error is a refusal by the server. It prints status and code only: Message is the server's own sentence, and what
// a stranger wrote belongs on no terminal and in no log before it is cleaned.
type Error struct {
	Status       int
	Code         string // a code or a state of package wire, one of CodeOwned and CodeNotOwner, or empty
	Message      string // for people; at most 200 bytes, otherwise as the server wrote it
	AttemptsLeft *int
	OpenedAt     *time.Time
	EndedAt      *time.Time
	RetryAfter   time.Duration

	kept bool // the body was of the dialect of kept secrets, so the status means what PROTOCOL 5 says
}

func (e *Error) Error() string {
	if e.Code == "" {
		return "the server answered " + strconv.Itoa(e.Status)
	}
	return fmt.Sprintf("the server answered %d (%s)", e.Status, e.Code)
}

// Code is the code of the refusal in err's chain, or empty.
func Code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// status is the status of the refusal in err's chain, or 0.
func status(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

// said is the body of a refusal, in either dialect.
type said struct {
	wire.Error

	Message string          `json:"message"` // PROTOCOL 5: wire.KeptRefusal and wire.KeptDone
	Detail  json.RawMessage `json:"detail"`  // wire.KeptInvalid, or a sentence
}

// refusal reads a body of wire.Error or of PROTOCOL 5; a body that is none (a proxy's page) leaves only the status.
func refusal(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp)}
	b, err := limited(resp)
	if err != nil {
		return e
	}
	var w said
	if json.Unmarshal(b, &w) != nil {
		return e
	}
	if isCode(w.Code) {
		e.Code = w.Code
	}
	e.Message = w.Error.Error
	if e.Message == "" {
		e.Message = w.Message + faults(w.Detail)
		e.kept = e.Message != ""
	}
	e.Message = cut(e.Message, 200)
	e.AttemptsLeft, e.OpenedAt, e.EndedAt = w.AttemptsLeft, w.OpenedAt, w.EndedAt
	return e
}

// faults puts a 422 of PROTOCOL 5 into words: "ttl: must be between 0 and 365; iv: is missing".
func faults(detail json.RawMessage) string {
	var sentence string
	if json.Unmarshal(detail, &sentence) == nil {
		return sentence
	}
	var list []wire.KeptFault
	if json.Unmarshal(detail, &list) != nil {
		return ""
	}
	words := make([]string, 0, len(list))
	for _, f := range list {
		where := ""
		if n := len(f.Loc); n > 0 {
			where = fmt.Sprint(f.Loc[n-1]) + ": "
		}
		words = append(words, where+f.Msg)
	}
	return strings.Join(words, "; ")
}

// isCode keeps out of Error what a hostile server could echo there: tokens are longer and no snake_case.
func isCode(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func retryAfter(resp *http.Response) time.Duration {
	v := resp.Header.Get("Retry-After")
	if n, err := strconv.Atoi(v); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}

// transportError is a request without an answer, or with half of one. A *url.Error prints the address, which holds
// the alias; so only its cause is kept.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

func transport(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return &transportError{err}
}

func isTransport(err error) bool {
	_, ok := errors.AsType[*transportError](err)
	return ok
}

var (
	errStalled = fmt.Errorf("no byte moved for %s", stallAfter)
	errCut     = errors.New("the connection was cut")
)

// lostError marks the error of a request that the server may have carried out all the same.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

func lost(err error) bool {
	_, ok := errors.AsType[lostError](err)
	return ok
}
