package httpd

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// APIKeys are the programs that may ask for events, by the SHA-256 of their whole key, prefix included
// (PROTOCOL 6.4). The server never learns a key but from a request.
type APIKeys map[[sha256.Size]byte]string

var (
	errKey     = refusing(http.StatusUnauthorized, wire.CodeUnauthorized, "This needs an API key that the server knows, as Authorization: Bearer hp_…; nothing was changed.")
	errContext = refusing(http.StatusBadRequest, wire.CodeBadRequest, wire.HeaderContext+" needs an API key and holds at most 4 KiB in standard base64; nothing was stored.")
	errWait    = refusing(http.StatusUnprocessableEntity, wire.CodeUnprocessable, "wait must be a whole number of seconds from 0 to 60.")
)

// maxWait is longer than what proxies usually allow a silent answer; clients ask for 30.
const maxWait = 60

// creator gives the name of the API key in r. Looking a hash up in a map is no oracle: what a timing could tell
// is a hash, and of that no key can be made.
func (s *server) creator(r *http.Request) (name string, given bool, err error) {
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.HasPrefix(key, wire.APIKeyPrefix) {
		return "", false, nil
	}
	if name, ok := s.APIKeys[sha256.Sum256([]byte(key))]; ok {
		return name, true, nil
	}
	return "", true, errKey
}

// limits gives those that r is held to: none with a valid API key, for one bot speaks for many people.
func (s *server) limits(r *http.Request) *Limits {
	if _, given, err := s.creator(r); given && err == nil {
		return nil
	}
	return s.Limits
}

func (s *server) holder(r *http.Request) (string, error) {
	name, given, err := s.creator(r)
	if err == nil && !given {
		err = errKey
	}
	return name, err
}

// addContext reads what an API key's holder gives with a secret (PROTOCOL 6.3).
func (s *server) addContext(r *http.Request, d *vault.Draft) error {
	name, _, err := s.creator(r)
	if err != nil {
		return err
	}
	d.Creator = name
	values := r.Header.Values(wire.HeaderContext)
	if len(values) == 0 {
		return nil
	}
	note, err := base64.StdEncoding.Strict().DecodeString(values[0])
	if name == "" || len(values) > 1 || err != nil || len(note) > vault.MaxContext {
		return errContext
	}
	d.Context = string(note)
	return nil
}

// events is PROTOCOL 6.3.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	name, err := s.holder(r)
	if err != nil {
		return err
	}
	wait := uint64(0)
	if v := r.URL.Query().Get("wait"); v != "" {
		if wait, err = strconv.ParseUint(v, 10, 8); err != nil || wait > maxWait {
			return errWait
		}
	}
	events, err := s.Vault.Events(r.Context(), name, time.Duration(wait)*time.Second)
	if err != nil {
		return err
	}
	out := wire.Events{Events: make([]wire.Event, 0, len(events))}
	for _, e := range events {
		out.Events = append(out.Events, wire.Event{
			ID: e.ID, Type: e.Type, At: *minute(e.At), Context: e.Context, Secret: e.Secret.String(),
		})
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *server) ackEvents(w http.ResponseWriter, r *http.Request) error {
	name, err := s.holder(r)
	if err != nil {
		return err
	}
	var ask wire.AckEventsRequest
	if err := read(w, r, &ask); err != nil {
		return err
	}
	return done(w, s.Vault.AckEvents(r.Context(), name, ask.IDs))
}
