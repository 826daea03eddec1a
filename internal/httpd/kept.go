package httpd

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// inigma's dialect (PROTOCOL 5): its clients work unchanged. It has one table of refusals, and three forms for them: its
// clients look for other members in the answer to each kind of request, and some never look at the status.
var (
	kept     = keptDialect(func(sentence string) any { return wire.KeptTrouble{Detail: sentence} })
	keptView = keptDialect(func(sentence string) any { return wire.KeptRefusal{Message: sentence, RedirectRoot: "true"} })
	keptDone = keptDialect(func(sentence string) any { return wire.KeptDone{Status: "failed", Message: sentence} })
)

var keptKinds = map[vault.Kind]*problem{
	vault.KindNotFound:    refusing(http.StatusNotFound, "", "There is no such secret for you."),
	vault.KindEnded:       refusing(http.StatusGone, "", "This secret has expired."),
	vault.KindNotOwner:    refusing(http.StatusForbidden, "", "This secret belongs to somebody else."),
	vault.KindOwned:       refusing(http.StatusConflict, "", "This secret has an owner already."),
	vault.KindLifetime:    invalid(flaw("ttl", "value_error", "Value error, this server does not keep secrets for so long")),
	vault.KindReused:      invalid(flaw("idempotency_key", "value_error", "Value error, this key came with another request within the last day")),
	vault.KindConflict:    later(time.Second, "The name chosen for this secret is taken; nothing was stored. Try again."),
	vault.KindFull:        refusing(http.StatusInsufficientStorage, "", "The server has no room; nothing was stored."),
	vault.KindUnavailable: errUnavailable,
}

func keptDialect(form func(sentence string) any) dialect {
	return dialect{kinds: keptKinds, write: func(w http.ResponseWriter, p *problem) {
		if p.detail != nil {
			writeJSON(w, p.status, wire.KeptInvalid{Detail: p.detail})
			return
		}
		writeJSON(w, p.status, form(p.body.Error))
	}}
}

func (s *server) keep(w http.ResponseWriter, r *http.Request) error {
	var body keepBody
	held, err := s.decodeStored(w, r, &body)
	defer held.release(r.Context())
	if err != nil {
		return err
	}
	m, err := body.check(s.Vault)
	if err != nil {
		return err
	}
	payload, err := s.payload(&body.Message)
	if err != nil {
		return err
	}
	view, err := s.Vault.Keep(r.Context(), m, payload)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.KeptCreated{URL: s.base(r) + "/", View: view.String()})
	return nil
}

// base is the address of this server as its client knows it.
func (s *server) base(r *http.Request) string {
	switch {
	case s.PublicURL != nil:
		return s.PublicURL.String()
	case s.overTLS(r):
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}

// payload gives the bytes that a message stands for, which has been checked.
func (s *server) payload(message *member) (io.Reader, error) {
	text := message.text
	if int64(base64.RawStdEncoding.DecodedLen(len(bytes.TrimRight(text, "=")))) > s.MaxPayload {
		return nil, errTooLarge
	}
	return base64.NewDecoder(base64.StdEncoding, bytes.NewReader(text)), nil
}

func (s *server) readKept(w http.ResponseWriter, r *http.Request) error {
	var body viewBody
	if err := s.decodeKept(w, r, &body); err != nil {
		return err
	}
	view, user, err := body.check(s.Vault)
	if err != nil {
		return s.guessed(r, user, err)
	}
	secret, payload, err := s.Vault.Read(r.Context(), view, user)
	if err != nil {
		return s.guessed(r, user, err)
	}
	defer func() { _ = payload.Close() }()
	answer, err := json.Marshal(wire.KeptSecret{
		IV: base64.StdEncoding.EncodeToString([]byte(secret.IV)), Salt: base64.StdEncoding.EncodeToString([]byte(secret.Salt)),
		CustomName: secret.Label, IsOwner: user.Owns(&secret), ClaimRequired: !secret.Claim.IsZero(), Revision: secret.Revision,
	})
	const head = `{"encrypted_message":"`
	end, ok := bytes.CutPrefix(answer, []byte(head))
	if err != nil || !ok {
		return errInternal // no shape of ours can fail, and a test reads this one
	}
	size := len(answer) + base64.StdEncoding.EncodedLen(int(secret.Size))
	s.sendBase64(w, r, head, payload, string(end), size)
	return nil
}

// sendBase64 answers with a payload in base64 between head and end, size bytes in all, without ever holding it whole.
func (s *server) sendBase64(w http.ResponseWriter, r *http.Request, head string, payload io.Reader, end string, size int) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(size)}
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, head)
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	s.send(encoder, r, payload)
	if encoder.Close() != nil {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, end)
}

func (s *server) claim(w http.ResponseWriter, r *http.Request) error {
	var body claimBody
	held, err := s.decodeStored(w, r, &body)
	defer held.release(r.Context())
	if err != nil {
		return err
	}
	view, user, c, err := body.check(s.Vault)
	if err != nil {
		return err
	}
	payload, err := s.payload(&body.Message)
	if err != nil {
		return err
	}
	return success(w, "secret owned", s.Vault.Claim(r.Context(), view, user, c, payload))
}

// success answers what has no more to say. What has expired is here as unknown as what never was (PROTOCOL 5).
func success(w http.ResponseWriter, sentence string, err error) error {
	if errors.Is(err, &vault.Error{Kind: vault.KindEnded}) {
		return errKeptNotFound
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.KeptDone{Status: "success", Message: sentence})
	return nil
}

var errKeptNotFound = &vault.Error{Kind: vault.KindNotFound}

// guessWeight is how many misses a wrong guess at a short UID counts: inigma's has 48 bits and proves everything, so
// trying must be slower than with aliases, which open nothing without a token (PROTOCOL 5.2).
const guessWeight = 4

// guessed counts err, of a request that a UID was to prove, if it may have been a guess. One miss is counted anyway for
// each 404.
func (s *server) guessed(r *http.Request, u vault.User, err error) error {
	e, ok := errors.AsType[*vault.Error](err)
	if !ok || !u.Guessable() {
		return err
	}
	switch e.Kind {
	case vault.KindNotFound:
		s.missed(r, guessWeight-1)
	case vault.KindNotOwner:
		s.missed(r, guessWeight)
	}
	return err
}

func (s *server) missed(r *http.Request, times int64) {
	s.limits(r).Missed(r.Context(), s.proxies.source(r), times)
}
