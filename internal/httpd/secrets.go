package httpd

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// create is PROTOCOL 4.1.
func (s *server) create(w http.ResponseWriter, r *http.Request) error {
	d, err := s.draft(r)
	if err != nil {
		return err
	}
	body, err := s.receive(w, r, s.MaxPayload)
	if err != nil {
		return err
	}
	defer body.settle(r.Context())
	secret, created, err := s.Vault.Create(r.Context(), d, body)
	if body.problem != nil {
		return body.problem
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	writeJSON(w, status, wire.Created{
		ID: secret.ID.String(), Alias: secret.Alias.String(), ExpiresAt: secret.Expires.UTC().Truncate(time.Second),
	})
	return nil
}

// draft reads what the headers say of a new secret.
func (s *server) draft(r *http.Request) (d vault.Draft, err error) {
	var ok bool
	if d.ID, ok = vault.ParseID(r.PathValue("id")); !ok {
		return d, errID
	}
	for _, h := range [...]struct {
		name string
		to   *vault.Hash
	}{{wire.HeaderLinkHash, &d.Link}, {wire.HeaderManageHash, &d.Manage}, {wire.HeaderPassphraseHash, &d.Passphrase}} {
		values := r.Header[h.name]
		if len(values) == 0 && h.to != &d.Link {
			continue
		}
		if len(values) == 1 {
			*h.to, ok = vault.ParseHash(values[0])
		}
		if len(values) != 1 || !ok || h.to.IsZero() {
			return d, refusing(http.StatusBadRequest, wire.CodeBadRequest,
				h.name+" must be given once, as the SHA-256 of the token in base64url without padding; nothing was stored.")
		}
	}
	if t := r.Header.Get("Content-Type"); t != "" && t != wire.PayloadType {
		return d, errType
	}
	d.TTL = min(vault.DefaultTTL, s.Vault.MaxTTL())
	if v := r.Header.Get(wire.HeaderExpiresIn); v != "" {
		seconds, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return d, errExpiresIn
		}
		d.TTL = time.Duration(seconds) * time.Second
	}
	return d, s.addContext(r, &d)
}

// upload is a body under its limits. Once reading it has gone wrong, problem says what to answer.
type upload struct {
	r       io.Reader
	read    int64
	held    *Reservation
	problem *problem
}

// receive gives the body of r for reading. What is known to be too large is refused before a byte of it is read.
func (s *server) receive(w http.ResponseWriter, r *http.Request, limit int64) (*upload, error) {
	size := r.ContentLength
	switch {
	case size > limit:
		return nil, errTooLarge
	case size == 0:
		return nil, errEmpty
	case size < 0:
		size = limit
	}
	held, retry, ok := s.limits(r).Reserve(r.Context(), s.proxies.source(r), size)
	if !ok {
		return nil, limited(retry)
	}
	return &upload{r: http.MaxBytesReader(w, r.Body, limit), held: held}, nil
}

// Read remembers why it failed: to the store, every reader's error is the same.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.read += int64(n)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil:
	case err == io.EOF && u.read == 0: // bare, as io.Reader demands
		u.problem, err = errEmpty, errEmpty
	case err == io.EOF: // bare, as io.Reader demands
	case tooLarge:
		u.problem = errTooLarge
	case errors.Is(err, errSlow):
		u.problem = errSlowBody
	default:
		u.problem = errCut
	}
	return n, err
}

func (u *upload) settle(ctx context.Context) { u.held.Settle(ctx, u.read) }

// meta is PROTOCOL 4.2.
func (s *server) meta(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	secret, err := s.Vault.Meta(r.Context(), ref, bearer(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.Meta{
		ID: secret.ID.String(), State: secret.State.String(), Passphrase: !secret.Passphrase.IsZero(),
		AttemptsLeft: secret.AttemptsLeft(), Size: secret.Size,
		CreatedAt: *minute(secret.Created), ExpiresAt: *minute(secret.Expires), OpenedAt: minute(secret.Opened),
	})
	return nil
}

// resolve is PROTOCOL 4.9.
func (s *server) resolve(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	id, err := s.Vault.Resolve(r.Context(), ref)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.Resolved{ID: id.String()})
	return nil
}

// smallBody is the limit of bodies that carry tokens.
const smallBody = 4 << 10

// open is PROTOCOL 4.3.
func (s *server) open(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	var ask wire.OpenRequest
	if err := read(w, r, &ask); err != nil {
		return err
	}
	reader, err := parseReader(string(ask.Reader))
	if err != nil {
		return err
	}
	var passphrase vault.Hash
	if ask.PassphraseToken != "" {
		token, ok := parseToken(string(ask.PassphraseToken))
		if !ok {
			return errToken
		}
		passphrase = vault.HashOf(token)
	}
	secret, payload, err := s.Vault.Open(r.Context(), ref, bearer(r), reader, passphrase)
	if err != nil {
		return err
	}
	defer func() { _ = payload.Close() }()
	h := w.Header()
	h[wire.HeaderID] = []string{secret.ID.String()}
	h[wire.HeaderLeaseExpires] = []string{secret.LeaseEnds.UTC().Format(time.RFC3339)}
	h["Content-Type"] = payloadType
	h["Content-Disposition"] = attachment
	h["Content-Length"] = []string{strconv.FormatInt(secret.Size, 10)}
	w.WriteHeader(http.StatusOK)
	s.send(w, r, payload)
	return nil
}

var (
	payloadType = []string{wire.PayloadType}
	attachment  = []string{"attachment"}
)

var buffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// send copies a payload into an answer that has begun. What goes wrong from here on can only be told by
// cutting the connection, so that nobody takes a part for the whole.
func (s *server) send(w io.Writer, r *http.Request, payload io.Reader) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if _, err := io.CopyBuffer(w, payload, *buf); err != nil {
		if r.Context().Err() == nil {
			s.report(r, err)
		}
		panic(http.ErrAbortHandler)
	}
}

// ack and decline are PROTOCOL 4.4.
func (s *server) ack(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	var ask wire.AckRequest
	if err := read(w, r, &ask); err != nil {
		return err
	}
	reader, err := parseReader(string(ask.Reader))
	if err != nil {
		return err
	}
	return done(w, s.Vault.Ack(r.Context(), ref, bearer(r), reader))
}

func (s *server) decline(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	return done(w, s.Vault.Decline(r.Context(), ref, bearer(r)))
}

// status and revoke are PROTOCOL 4.5.
func (s *server) status(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	secret, err := s.Vault.Status(r.Context(), ref, bearer(r))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, wire.Status{
		State: secret.State.String(), CreatedAt: *minute(secret.Created), ExpiresAt: *minute(secret.Expires),
		OpenedAt: minute(secret.Opened), EndedAt: minute(secret.Ended), Refused: secret.Refused,
	})
	return nil
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) error {
	ref, err := s.ref(r)
	if err != nil {
		return err
	}
	return done(w, s.Vault.Revoke(r.Context(), ref, bearer(r)))
}

func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *server) ref(r *http.Request) (vault.Ref, error) {
	ref, ok := s.Vault.Ref(r.PathValue("id"))
	if !ok {
		return ref, errReference
	}
	return ref, nil
}

// bearer gives the hash of the token in Authorization. One that is missing or misspelled proves as little as a
// wrong one and gets the same answer (PROTOCOL 4.2): the zero hash, which matches nothing.
func bearer(r *http.Request) vault.Hash {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token, ok := parseToken(text)
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return vault.Hash{}
	}
	return vault.HashOf(token)
}

func parseToken(s string) ([]byte, bool) { return parseBytes(s, 32) }

func parseReader(s string) (vault.Hash, error) {
	token, ok := parseBytes(s, 16)
	if !ok {
		return vault.Hash{}, errReader
	}
	return vault.HashOf(token), nil
}

// parseBytes reads n bytes of b64u. The length is checked first: a decoder skips line breaks.
func parseBytes(s string, n int) ([]byte, bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(n) {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) == n
}

// read decodes a small JSON body strictly.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	return own.body(decode(w, r, smallBody, v))
}
