package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [SHORT-ID]",
		Short: "See what became of a secret that was sent from here",
		Long: `See what became of a secret that was sent from here; without SHORT-ID, of the last one.
The beginning of a short id is enough.

--json prints one object:
` + shapeOfRow,
		Args:              atMost(1),
		ValidArgsFunction: a.completeShortID,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.status(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

const shapeOfRow = `  {"short_id", "id", "server", "state", "created_at", "expires_at", "opened_at"?, "ended_at"?, "refused"}
state is waiting, leased, read, unconfirmed, revoked, declined, expired or locked; unknown if
the server knows no such secret, unreachable if it does not answer. refused counts attempts to
open it without its link.`

func (a *app) status(ctx context.Context, args []string, asJSON bool) error {
	e, err := a.find(args)
	if err != nil {
		return err
	}
	row, err := a.ask(ctx, e)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(row)
	}
	text := fmt.Sprintf("Short id  %s\nState     %s\nSent      %s\nExpires   %s\n",
		tty.CleanLine(row.ShortID), sentence(row.State, row.OpenedAt), when(row.CreatedAt), when(row.ExpiresAt))
	if row.Refused > 0 {
		text += fmt.Sprintf("Refused   %d attempts to open it without its link\n", row.Refused)
	}
	_, err = fmt.Fprint(a.stdout, text)
	return err
}

// find gives the entry that args name, or the newest.
func (a *app) find(args []string) (state.Entry, error) {
	dir, err := a.stateDir()
	if err != nil {
		return state.Entry{}, err
	}
	sent := state.NewSent(dir)
	if len(args) == 1 {
		e, err := sent.Find(args[0])
		if errors.Is(err, state.ErrUnknown) || errors.Is(err, state.ErrAmbiguous) {
			return e, fmt.Errorf("%w; see hush list", err)
		}
		return e, err
	}
	entries, _, err := sent.List()
	if err == nil && len(entries) == 0 {
		err = errors.New("nothing was sent from here yet")
	}
	if err != nil {
		return state.Entry{}, err
	}
	return entries[0], nil
}

// Row states besides those of package wire.
const (
	stateUnknown     = "unknown"
	stateUnreachable = "unreachable"
)

// row is the JSON of status and list.
type row struct {
	ShortID   string     `json:"short_id"`
	ID        string     `json:"id"`
	Server    string     `json:"server"`
	State     string     `json:"state"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	OpenedAt  *time.Time `json:"opened_at,omitempty"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Refused   int        `json:"refused"`
}

// ask asks the secret's own server, whichever that was.
func (a *app) ask(ctx context.Context, e state.Entry) (row, error) {
	c, err := a.client(e.Server)
	if err != nil {
		return row{}, err
	}
	return rowOf(ctx, c, e)
}

func rowOf(ctx context.Context, c *client.Client, e state.Entry) (row, error) {
	r := row{ShortID: e.Alias, ID: string(e.ID), Server: e.Server, CreatedAt: e.Created.UTC(), ExpiresAt: e.Expires.UTC()}
	s, err := c.Status(ctx, e.ID, e.Manage)
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status == http.StatusNotFound {
		r.State = stateUnknown
		return r, nil
	}
	if err != nil {
		r.State = stateUnreachable
		return r, fmt.Errorf("%s. The secret is untouched", reason(err))
	}
	r.State, r.OpenedAt, r.EndedAt, r.Refused = s.State, s.OpenedAt, s.EndedAt, s.Refused
	r.CreatedAt, r.ExpiresAt = s.CreatedAt, s.ExpiresAt
	return r, nil
}
