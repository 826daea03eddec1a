package httpd

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// finder is vault.Vault.Owned or Pending.
type finder func(v *vault.Vault, ctx context.Context, u vault.User, skip, limit int) ([]vault.Secret, int, error)

func (s *server) listOwned(w http.ResponseWriter, r *http.Request) error {
	return s.list(w, r, (*vault.Vault).Owned)
}

func (s *server) listPending(w http.ResponseWriter, r *http.Request) error {
	return s.list(w, r, (*vault.Vault).Pending)
}

func (s *server) list(w http.ResponseWriter, r *http.Request, find finder) error {
	var body listBody
	if err := s.decodeKept(w, r, &body); err != nil {
		return err
	}
	user, page, perPage, err := body.check(s.Vault)
	if err != nil {
		return err
	}
	secrets, total, err := find(s.Vault, r.Context(), user, (page-1)*perPage, perPage)
	if err != nil {
		return err
	}
	if total == 0 && user.Guessable() {
		s.missed(r, 1) // it looks like a wrong guess; but a page of inigma's asks for two lists, and a beginner's are empty
	}
	list := wire.KeptList{
		Secrets: make([]wire.KeptEntry, 0, len(secrets)),
		Page:    page, PerPage: perPage, Total: total, HasMore: page*perPage < total,
	}
	now := s.Now()
	for i := range secrets {
		e := remaining(&secrets[i], now)
		e.ID, e.CustomName = s.Vault.ViewOf(&secrets[i]).String(), secrets[i].Label
		list.Secrets = append(list.Secrets, e)
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// remaining says how long a secret will live, as inigma counts it: in whole seconds on both sides, so that what was made
// for three days just now has three days, and rounded down to the largest unit.
func remaining(s *vault.Secret, now time.Time) wire.KeptEntry {
	if s.Expires == vault.Never {
		return wire.KeptEntry{Days: -1, Display: "Permanent", Type: "permanent"}
	}
	const hour, day = 60 * 60, 24 * 60 * 60
	var n int64
	var unit string
	switch left := s.Expires.UTC().Unix() - now.Unix(); {
	case left >= day:
		n, unit = left/day, "days"
	case left >= hour:
		n, unit = left/hour, "hours"
	default:
		n, unit = max(1, left/60), "minutes"
	}
	name := unit
	if n == 1 {
		name = strings.TrimSuffix(unit, "s")
	}
	return wire.KeptEntry{Days: int(n), Display: strconv.FormatInt(n, 10) + " " + name, Type: unit}
}

func (s *server) relabel(w http.ResponseWriter, r *http.Request) error {
	var body relabelBody
	if err := s.decodeKept(w, r, &body); err != nil {
		return err
	}
	view, user, label, err := body.check(s.Vault)
	if err == nil {
		err = success(w, "name changed", s.Vault.Relabel(r.Context(), view, user, label))
	}
	return s.guessed(r, user, err)
}

func (s *server) deleteKept(w http.ResponseWriter, r *http.Request) error {
	return s.end(w, r, "secret deleted", (*vault.Vault).Delete)
}

func (s *server) undoClaim(w http.ResponseWriter, r *http.Request) error {
	return s.end(w, r, "claim undone", (*vault.Vault).UndoClaim)
}

// end is what a view and a UID suffice for.
func (s *server) end(w http.ResponseWriter, r *http.Request, sentence string, do func(*vault.Vault, context.Context, vault.View, vault.User) error) error {
	var body viewBody
	if err := s.decodeKept(w, r, &body); err != nil {
		return err
	}
	view, user, err := body.check(s.Vault)
	if err == nil {
		err = success(w, sentence, do(s.Vault, r.Context(), view, user))
	}
	return s.guessed(r, user, err)
}
