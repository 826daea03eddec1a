package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

var errNoKeeping = errors.New("what answers there is no Hushpost server, or one that keeps no secrets; nothing was changed. Check --server")

// explainKeep is about a failed keep.
func explainKeep(err error) error {
	switch {
	case errors.Is(err, client.ErrMaybeStored):
		what := err.Error()
		if errors.Is(err, context.Canceled) {
			what = "interrupted; " + client.ErrMaybeStored.Error()
		}
		return fmt.Errorf("%s. Nobody has its link, so nobody can open it; hush kept --pending lists it if it is there. Try again", what)
	case errors.Is(err, client.ErrKeptTooLarge):
		return fmt.Errorf("%w; nothing was stored. Send it with hush create", err)
	}
	return explainSend(err)
}

// asked is how a kept secret was asked for.
type asked int

const (
	byLink asked = iota
	byID
)

// explainKept is about a failed open, claim, show or list of kept secrets.
func explainKept(err error, how asked) error {
	if errors.Is(err, client.ErrMaybeClaimed) {
		what := err.Error()
		if errors.Is(err, context.Canceled) {
			what = "interrupted; " + client.ErrMaybeClaimed.Error()
		}
		return fmt.Errorf("%s. Run the same command again: what is yours it shows", what)
	}
	switch client.Code(err) {
	case wire.CodeNotFound:
		if how == byID {
			return errors.New("there is no such secret at this server: it was deleted, or the id is altered. Nothing was changed")
		}
		return errors.New("no kept secret answers to this link: it was deleted, it has expired, or the link is altered. Nothing was changed. " +
			"Compare the link with what the sender sent, or ask for a new one")
	case wire.StateExpired:
		return errors.New("it has expired and is erased. Ask the sender for a new one")
	case client.CodeNotOwner:
		return errors.New("somebody has claimed it, so only their key opens it. If that was you, it was with another key than the one here: " +
			"see hush key --help. If not, tell the sender that somebody else has the link")
	case client.CodeOwned:
		return errors.New("somebody else has claimed it a moment ago, so only their key opens it. Tell the sender that somebody else has the link")
	}
	switch {
	case errors.Is(err, client.ErrInsecure):
		return err // which says it all
	case errors.Is(err, client.ErrUnclaimable):
		return errors.New("nobody has claimed it, but this server lets nobody: what its maker used gave no proof to claim it by. hush open shows it")
	case errors.Is(err, client.ErrUnclaimed):
		return errors.New("nobody has claimed it yet, so only its link opens it: hush open or hush claim")
	case errors.Is(err, client.ErrForeign):
		if how == byLink {
			return errors.New("what answers at the link's address is no Hushpost server, or one that keeps no secrets; nothing was changed. Check the address with the sender")
		}
		return errNoKeeping
	case errors.Is(err, client.ErrNotText):
		return fmt.Errorf("%w; nothing was claimed. hush open shows it", err)
	case isDamage(err) && how == byLink:
		return errors.New("what the server holds does not open with this link: the link or the data is damaged. Nothing was changed. Ask the sender for a new one")
	case isDamage(err):
		return errors.New("what the server holds does not open with your key: the data is damaged, or somebody who knows your name there has put it in your list")
	case errors.Is(err, link.ErrBase):
		return fmt.Errorf("%w; nothing was changed. It looks like https://secrets.example.com", err)
	}
	return fmt.Errorf("%s. Nothing was changed", reason(err))
}
