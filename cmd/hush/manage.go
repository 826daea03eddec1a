package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

func (a *app) labelCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "label ID LABEL",
		Short: "Name a secret that you have claimed",
		Long: `Name a secret that you have claimed, as hush kept lists it; an empty LABEL takes its name away.
The beginning of an id is enough.

The label is not sealed: the server can read it. It drops HTML tags and the characters
<>"/\ from it, and all after 100 characters.`,
		Example:           `  hush label b3Jk 'Wi-Fi of the office'`,
		Args:              atMost(2),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return misused("label needs an id and a label; see hush kept")
			}
			return a.label(cmd.Context(), server, args[0], args[1])
		},
	}
	a.serverFlag(cmd, &server)
	return cmd
}

func (a *app) label(ctx context.Context, server, id, label string) error {
	k, err := a.keeper(server)
	if err != nil {
		return err
	}
	h, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	if h.kind == pending {
		return errors.New("nobody has claimed it yet, and only who has can name it. Nothing was changed")
	}
	if err := h.act(func(u client.UID) error { return k.c.Relabel(ctx, h.view, u, label) }); err != nil {
		return explainManage(err, "named")
	}
	a.say("Named.")
	return nil
}

func (a *app) deleteCommand() *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Erase a kept secret",
		Long: `Erase a kept secret at once: one that you have claimed, or one that you have made and nobody
has claimed yet, whose link then opens nothing. There is no way back.
The beginning of an id is enough.`,
		Example:           `  hush delete b3Jk`,
		Args:              atMost(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused("delete needs an id; see hush kept")
			}
			return a.delete(cmd.Context(), server, args[0])
		},
	}
	a.serverFlag(cmd, &server)
	return cmd
}

// delete does not ask whether it is meant, as revoke does not: an id that names one secret is said with intent, and one
// that could mean another is refused.
func (a *app) delete(ctx context.Context, server, id string) error {
	k, err := a.keeper(server)
	if err != nil {
		return err
	}
	h, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	if err := h.act(func(u client.UID) error { return k.c.Delete(ctx, h.view, u) }); err != nil {
		return explainManage(err, "deleted")
	}
	a.say("Deleted: it is erased, and nothing opens it any more.")
	return nil
}

// explainManage is about a failed label or delete; done is what the secret was to be.
func explainManage(err error, done string) error {
	e, refused := errors.AsType[*client.Error](err)
	switch {
	case client.Code(err) == wire.CodeNotFound:
		return fmt.Errorf("there is no such secret of yours at this server: it has expired, was deleted, or is somebody else's. Nothing was %s", done)
	case errors.Is(err, client.ErrForeign):
		return errNoKeeping
	case refused && e.Status < http.StatusInternalServerError && e.Status != http.StatusTooManyRequests:
		return fmt.Errorf("the server does not accept this%s; nothing was %s", detail(e), done)
	}
	return fmt.Errorf("%s. It may not be %s yet; try again", reason(err), done)
}
