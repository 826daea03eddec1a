package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

// listAtOnce bounds the questions in flight: enough to make a hundred secrets quick, few enough for any server's limit.
const listAtOnce = 8

func (a *app) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what was sent from here, and what became of it",
		Long: `List what was sent from here, newest first, and what became of it.
What has expired and is forgotten by its server is forgotten here, too.

--json prints an array of objects:
` + shapeOfRow,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) list(ctx context.Context, asJSON bool) error {
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	sent := state.NewSent(dir)
	entries, damaged, err := sent.List()
	if err != nil {
		return fmt.Errorf("reading the list of what was sent: %w", err)
	}
	if damaged > 0 {
		a.say("Records that could not be read and are left out: %d.", damaged)
	}
	rows := []row{}
	for i, r := range a.askAll(ctx, entries) {
		if r.State == stateUnknown && time.Now().After(entries[i].Expires) {
			_ = sent.Remove(entries[i]) // failing that, the next list tries again
			continue
		}
		rows = append(rows, r)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if asJSON {
		return a.writeJSON(rows)
	}
	return a.table(rows)
}

// askAll asks about all entries, each at its own server; one connection pool a server.
func (a *app) askAll(ctx context.Context, entries []state.Entry) []row {
	rows := make([]row, len(entries))
	clients := map[string]*client.Client{}
	turn := make(chan struct{}, listAtOnce)
	var wg sync.WaitGroup
	for i, e := range entries {
		c, known := clients[e.Server]
		if !known {
			c, _ = a.quietClient(e.Server)
			clients[e.Server] = c
		}
		if c == nil {
			rows[i] = row{ShortID: e.Alias, ID: string(e.ID), Server: e.Server, State: stateUnreachable, CreatedAt: e.Created, ExpiresAt: e.Expires}
			continue
		}
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			rows[i], _ = rowOf(ctx, c, e) // the row says that it failed
		})
	}
	wg.Wait()
	return rows
}

func (a *app) table(rows []row) error {
	if len(rows) == 0 {
		a.say("Nothing that was sent from here is known to a server.")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SHORT ID\tSTATE\tSENT\tEXPIRES\tOPENED")
	for _, r := range rows {
		opened := "-"
		if r.OpenedAt != nil {
			opened = when(*r.OpenedAt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", tty.CleanLine(r.ShortID), tty.CleanLine(r.State), when(r.CreatedAt), when(r.ExpiresAt), opened)
	}
	return w.Flush()
}
