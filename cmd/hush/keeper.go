package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// kind is which of a user's two lists a kept secret is in.
type kind int

const (
	owned kind = iota
	pending
)

func (k kind) String() string {
	if k == pending {
		return "pending"
	}
	return "owned"
}

// keeper is the user with their key, at one server.
type keeper struct {
	c   *client.Client
	own client.Owner
}

func (a *app) keeper(server string) (*keeper, error) {
	c, err := a.client(server)
	if err != nil {
		return nil, explainKept(err, byID)
	}
	own, err := a.ownKey(false)
	if err != nil {
		return nil, err
	}
	return &keeper{c, own}, nil
}

func (k *keeper) list(ctx context.Context, which kind, u client.UID, page, perPage int) (wire.KeptList, error) {
	if which == pending {
		return k.c.ListPending(ctx, u, page, perPage)
	}
	return k.c.ListOwned(ctx, u, page, perPage)
}

// held is a kept secret and the names under which it may be the user's.
type held struct {
	view client.View
	kind kind
	uids []client.UID
}

// Errors of find.
var (
	errUnknownID   = errors.New("no kept secret of yours has an id that begins so; see hush kept")
	errAmbiguousID = errors.New("several kept secrets of yours have an id that begins so; give more of it, or see hush kept --json")
)

// idAlphabet is what ids are made of.
const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// maxPages ends a search at a server whose list has no end.
const maxPages = 1000

// find gives the secret whose id is, or alone begins with, id. A whole id needs no look into the lists, and may stand in
// none of them.
func (k *keeper) find(ctx context.Context, id string) (held, error) {
	if v, err := client.ParseView(id); err == nil {
		return held{view: v, uids: k.own.UIDs()}, nil
	}
	if id == "" || strings.Trim(id, idAlphabet) != "" {
		return held{}, misused("an id is made of letters, digits, - and _; see hush kept")
	}
	var found []held
	for _, which := range []kind{owned, pending} {
		for _, u := range k.own.UIDs() {
			views, err := k.matching(ctx, which, u, id)
			if err != nil {
				return held{}, explainKept(err, byID)
			}
			for _, v := range views {
				found = append(found, held{v, which, []client.UID{u}})
			}
		}
	}
	switch len(found) {
	case 0:
		return held{}, errUnknownID
	case 1:
		return found[0], nil
	}
	return held{}, errAmbiguousID
}

func (k *keeper) matching(ctx context.Context, which kind, u client.UID, id string) (views []client.View, err error) {
	for page := 1; page <= maxPages; page++ {
		l, err := k.list(ctx, which, u, page, client.MaxPerPage)
		if err != nil {
			return nil, err
		}
		for _, e := range l.Secrets {
			if strings.HasPrefix(e.ID, id) || strings.HasPrefix(undashed(e.ID), id) {
				views = append(views, client.View(e.ID))
			}
		}
		if !l.HasMore || len(l.Secrets) == 0 {
			return views, nil
		}
	}
	return nil, fmt.Errorf("searching the lists: %w", client.ErrAnswer)
}

// act does something to a secret by the name under which it is the user's: to every other the server answers that there is no
// such secret.
func (h held) act(do func(client.UID) error) (err error) {
	for _, u := range h.uids {
		if err = do(u); client.Code(err) != wire.CodeNotFound {
			break
		}
	}
	return err
}

const shortLen = 8

// shortID is what people are shown of an id, and may type. It leaves out dashes at the beginning: one of them would be taken
// for a flag.
func shortID(v client.View) string {
	s := undashed(v.Reveal())
	return s[:min(shortLen, len(s))]
}

func undashed(id string) string { return strings.TrimLeft(id, "-") }
