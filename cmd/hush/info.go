package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

func (a *app) infoCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info [LINK | -]",
		Short: "Look at a link without opening it",
		Long: `Look at a link without opening it: nothing changes, however often it is asked.

Without LINK, or with -, the link is read from standard input.

--json prints one object:
  {"id", "state", "passphrase", "attempts_left", "size", "created_at", "expires_at", "opened_at"?}
size is that of the sealed payload in bytes, padded. state is waiting, leased, read,
unconfirmed, revoked, declined, expired or locked.`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.info(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) info(ctx context.Context, args []string, asJSON bool) error {
	l, err := a.readLink(ctx, args)
	switch {
	case err != nil:
		return err
	case l.Kind == link.Kept:
		return errors.New("this link leads to a kept secret, which opening does not use up: run hush open. Nothing was opened")
	case l.Kind != link.OneTime:
		return elsewhere(l.Kind)
	}
	c, err := a.client(l.Base)
	if err != nil {
		return err
	}
	m, err := meta(ctx, c, l)
	if err != nil {
		return explainInfo(err)
	}
	if asJSON {
		return a.writeJSON(m)
	}
	_, err = fmt.Fprint(a.stdout, describe(m))
	return err
}

func meta(ctx context.Context, c *client.Client, l link.Link) (wire.Meta, error) {
	id, err := seal.ParseID(l.Ref)
	if err != nil {
		if id, err = c.Resolve(ctx, l.Ref); err != nil {
			return wire.Meta{}, err
		}
	}
	key, _ := l.Key()
	return c.Meta(ctx, id, key.Keys(id).LinkToken())
}

func explainInfo(err error) error {
	if errors.Is(err, client.ErrForeign) {
		return errors.New("what answers there is no Hushpost server; it may be one that erases a secret on the first request, so nothing was asked of it")
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		if e.Status == http.StatusNotFound {
			return errors.New("no secret answers to this link: it was opened or ended more than a week ago, or the link is altered, " +
				"or it was made by only-once-share and can be opened but not looked at")
		}
		if v := verdict(e); v != "" {
			return errors.New(v)
		}
	}
	return fmt.Errorf("%s. Nothing was opened", reason(err))
}

func describe(m wire.Meta) string {
	state := sentence(m.State, m.OpenedAt)
	text := fmt.Sprintf("State       %s\nSent        %s\nExpires     %s\nSize        %s, sealed and padded\n",
		state, when(m.CreatedAt), when(m.ExpiresAt), tty.Size(m.Size))
	if m.Passphrase {
		text += fmt.Sprintf("Passphrase  needed, %d attempts left\n", m.AttemptsLeft)
	}
	return text
}

// sentence is a state of PROTOCOL 4.2 for people.
func sentence(state string, opened *time.Time) string {
	texts := map[string]string{
		wire.StateWaiting: "waiting to be opened", wire.StateLeased: "being read", wire.StateRead: "read",
		wire.StateUnconfirmed: "opened, but never confirmed", wire.StateRevoked: "taken back by the sender",
		wire.StateDeclined: "declined by the recipient", wire.StateExpired: "expired unread",
		wire.StateLocked: "locked after too many wrong passphrases",
	}
	text, known := texts[state]
	if !known {
		text = tty.CleanLine(state)
	}
	return text + at(opened)
}
