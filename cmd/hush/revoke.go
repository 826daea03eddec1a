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

func (a *app) revokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "revoke SHORT-ID",
		Short:             "Take back a secret that was sent from here",
		Long:              "Take back a secret that was sent from here: it is erased at once, and its link opens nothing.\nThe beginning of a short id is enough.",
		Args:              atMost(1),
		ValidArgsFunction: a.completeShortID,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.revoke(cmd.Context(), args) },
	}
}

// revoke never guesses: unlike status, it wants to be told which.
func (a *app) revoke(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return misused("revoke needs a short id; see hush list")
	}
	e, err := a.find(args)
	if err != nil {
		return err
	}
	c, err := a.client(e.Server)
	if err != nil {
		return err
	}
	if err := c.Revoke(ctx, e.ID, e.Manage); err != nil {
		return explainRevoke(err)
	}
	a.say("Taken back: it is erased, and its link opens nothing.")
	return nil
}

func explainRevoke(err error) error {
	e, ok := errors.AsType[*client.Error](err)
	switch {
	case !ok || e.Status >= http.StatusInternalServerError:
		return fmt.Errorf("%s. It may not be taken back yet; try again", reason(err))
	case e.Code == wire.StateRead || e.Code == wire.StateUnconfirmed || e.Code == wire.StateLeased:
		return fmt.Errorf("too late: it was opened%s. Change what it was about", at(e.OpenedAt))
	case e.Status == http.StatusNotFound:
		return errors.New("the server knows no such secret any more: it ended more than a week ago. Nothing is stored")
	case e.Code == wire.StateExpired || e.Code == wire.StateDeclined || e.Code == wire.StateLocked:
		return fmt.Errorf("there is nothing to take back: %s%s", sentence(e.Code, nil), at(e.EndedAt))
	}
	return fmt.Errorf("%s. It may not be taken back yet", reason(err))
}
