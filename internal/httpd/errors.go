package httpd

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// problem is a refusal as it goes over the wire.
type problem struct {
	status     int
	body       wire.Error
	retryAfter time.Duration
	detail     []wire.KeptFault // of a 422 in inigma's dialect
}

func (p *problem) Error() string { return p.body.Error }

func refusing(status int, code, sentence string) *problem {
	return &problem{status: status, body: wire.Error{Error: sentence, Code: code}}
}

// later is a refusal that is over after some time.
func later(wait time.Duration, sentence string) *problem {
	p := refusing(http.StatusServiceUnavailable, wire.CodeUnavailable, sentence)
	p.retryAfter = wait
	return p
}

// Refusals that the vault has no part in.
var (
	errNoRoute     = refusing(http.StatusNotFound, wire.CodeNotFound, "There is no such page or API route.")
	errMethod      = refusing(http.StatusMethodNotAllowed, wire.CodeMethod, "This method is not allowed here; nothing was changed. See the Allow header.")
	errForeign     = refusing(http.StatusForbidden, wire.CodeForbidden, "Requests of other sites, navigation and prefetching are refused; nothing was changed.")
	errLimited     = refusing(http.StatusTooManyRequests, wire.CodeRateLimited, "Too many requests from your address; nothing was changed. Try again later.")
	errReference   = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The reference is neither an id (lower-case UUID) nor an alias (8 letters or digits).")
	errID          = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The id must be a UUID in lower case, with hyphens; nothing was stored.")
	errReader      = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The reader must be 16 bytes in base64url without padding.")
	errToken       = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The passphrase token must be 32 bytes in base64url without padding.")
	errEmpty       = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The body is empty: it must be the sealed payload. Nothing was stored.")
	errCut         = refusing(http.StatusBadRequest, wire.CodeBadRequest, "The body broke off; nothing was stored.")
	errSlowBody    = refusing(http.StatusRequestTimeout, wire.CodeBadRequest, "The body came too slowly; nothing was stored.")
	errType        = refusing(http.StatusUnsupportedMediaType, wire.CodeBadRequest, "The body must be sent as "+wire.PayloadType+"; nothing was stored.")
	errTooLarge    = refusing(http.StatusRequestEntityTooLarge, wire.CodeTooLarge, "The payload is larger than this server accepts; nothing was stored.")
	errExpiresIn   = refusing(http.StatusBadRequest, wire.CodeBadRequest, wire.HeaderExpiresIn+" must be a whole number of seconds; nothing was stored.")
	errUnavailable = refusing(http.StatusServiceUnavailable, wire.CodeUnavailable, "The store is in trouble. This says nothing about the secret; try again soon.")
	errBusy        = later(5*time.Second, "Too many large uploads are under way; nothing was stored. Try again soon.")
	errInternal    = refusing(http.StatusInternalServerError, wire.CodeInternal, "The server made a mistake. Try again; if it stays, tell the operator.")
)

// own is our dialect's table: every kind of vault refusal has its line (PROTOCOL 4.1 to 4.5).
var own = dialect{
	kinds: map[vault.Kind]*problem{
		vault.KindNotFound:           refusing(http.StatusNotFound, wire.CodeNotFound, "There is no secret here for you: it never existed, ended more than 7 days ago, or your link is damaged."),
		vault.KindEnded:              refusing(http.StatusGone, "", ""), // code and sentence by state
		vault.KindLeased:             refusing(http.StatusLocked, wire.StateLeased, "Somebody else opened this secret moments ago and is reading it."),
		vault.KindPassphraseRequired: refusing(http.StatusForbidden, wire.CodePassphraseRequired, "A passphrase is needed. This did not count as an attempt."),
		vault.KindPassphraseWrong:    refusing(http.StatusForbidden, wire.CodePassphraseWrong, "Wrong passphrase; the secret was not opened."),
		vault.KindConflict:           refusing(http.StatusConflict, wire.CodeConflict, "This id is taken by another secret; nothing was stored. Seal again under a new id."),
		vault.KindNotOpened:          refusing(http.StatusConflict, wire.CodeNotOpened, "Nobody has opened this secret yet, so there is nothing to acknowledge."),
		vault.KindRead:               refusing(http.StatusConflict, wire.StateRead, "Too late: the secret was opened before."),
		vault.KindLifetime:           refusing(http.StatusUnprocessableEntity, wire.CodeUnprocessable, "The lifetime is outside what this server allows; nothing was stored."),
		vault.KindFull:               refusing(http.StatusInsufficientStorage, wire.CodeFull, "The server has no room for new secrets; nothing was stored. Waiting ones can still be opened."),
		vault.KindUnavailable:        errUnavailable,
	},
	write: func(w http.ResponseWriter, p *problem) { writeJSON(w, p.status, p.body) },
}

// endings say how a secret ended, to somebody who has proven to have the link or the manage token.
var endings = map[vault.State]string{
	vault.Read:        "This secret was opened before and is erased. If that was not you, tell the sender.",
	vault.Unconfirmed: "This secret was opened before, its reading was not confirmed, and it is erased. If that was not you, tell the sender.",
	vault.Revoked:     "The sender took this secret back; it is erased.",
	vault.Declined:    "This secret was declined as not expected; it is erased.",
	vault.Expired:     "This secret expired before anybody opened it; it is erased.",
	vault.Locked:      "Too many wrong passphrases were tried; this secret is erased.",
}

// dialect is how one API says no.
type dialect struct {
	kinds map[vault.Kind]*problem
	write func(http.ResponseWriter, *problem)
}

// explain turns any error of a handler into a problem.
func (d *dialect) explain(err error, now time.Time) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	e, ok := errors.AsType[*vault.Error](err)
	if !ok || d.kinds[e.Kind] == nil {
		return errInternal
	}
	p := *d.kinds[e.Kind]
	switch e.Kind {
	case vault.KindEnded:
		if p.body.Error == "" { // the dialect leaves it to the state
			p.body.Code, p.body.Error = e.State.String(), endings[e.State]
		}
	case vault.KindPassphraseRequired, vault.KindPassphraseWrong:
		p.body.AttemptsLeft = &e.AttemptsLeft
	case vault.KindLeased:
		p.retryAfter = max(e.RetryAt.UTC().Sub(now), time.Second) // the lease may have ended since the rule ran
	case vault.KindUnavailable:
		p.retryAfter = 2 * time.Second
	}
	p.body.OpenedAt, p.body.EndedAt = minute(e.Opened), minute(e.Ended)
	return &p
}

func (d *dialect) refuse(w http.ResponseWriter, err error) {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = errInternal
	}
	if p.retryAfter > 0 {
		seconds := int64((p.retryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	d.write(w, p)
}

// minute rounds down to the minute and gives nil for "not yet" (PROTOCOL 4.5).
func minute(t vault.Time) *time.Time {
	if t == 0 {
		return nil
	}
	m := t.UTC().Truncate(time.Minute)
	return &m
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // no shape of ours can fail
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body) + 1)}
	w.WriteHeader(status)
	_, _ = w.Write(body)
	_, _ = w.Write(newline) // appended it would copy the body
}

var newline = []byte{'\n'}

var jsonType = []string{"application/json"}

// body turns a refused body into this dialect's problem.
func (d *dialect) body(err error) error {
	e, ok := errors.AsType[*bodyError](err)
	if !ok {
		return err
	}
	status, code := http.StatusBadRequest, wire.CodeBadRequest
	switch e.fault {
	case faultShape:
		if d == &own { // only-once-share answers 400 to everything that is wrong with a body
			status, code = http.StatusUnprocessableEntity, wire.CodeUnprocessable
		}
	case faultType:
		status = http.StatusUnsupportedMediaType
	case faultTooLarge:
		status, code = http.StatusRequestEntityTooLarge, wire.CodeTooLarge
	case faultSlow:
		status = http.StatusRequestTimeout
	}
	return refusing(status, code, e.sentence)
}
