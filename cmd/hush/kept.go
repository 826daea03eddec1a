package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// keptFlags are the flags of kept.
type keptFlags struct {
	server               string
	owned, pending, json bool
	page, perPage        int
}

func (a *app) keptCommand() *cobra.Command {
	var f keptFlags
	cmd := &cobra.Command{
		Use:   "kept",
		Short: "List what is kept under your key",
		Long: `List what is kept under your key, newest first: what you have claimed (owned), and what you
have made and nobody has claimed yet (pending). What was made or claimed in a browser with
inigma, before its key was imported, is marked (inigma).

A page counts for each of these lists.

--json prints one object; inigma is true for what is kept under inigma's short name of you:
  {"secrets": [{"id", "short_id", "kind": "owned"|"pending", "label", "expires": true|false,
    "remaining", "inigma": true|false}], "page", "per_page", "total", "has_more"}`,
		Example: `  hush kept
  hush kept --pending --page 2
  hush kept show b3Jk`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.listKept(cmd.Context(), f) },
	}
	a.serverFlag(cmd, &f.server)
	fl := cmd.Flags()
	fl.BoolVar(&f.owned, "owned", false, "only what you have claimed")
	fl.BoolVar(&f.pending, "pending", false, "only what you have made and nobody has claimed")
	fl.IntVar(&f.page, "page", 1, "the page to list, from 1")
	fl.IntVar(&f.perPage, "per-page", 20, "how many to list on a page, 1 to 100")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	cmd.AddCommand(a.keptShowCommand())
	return cmd
}

func (a *app) keptShowCommand() *cobra.Command {
	var server string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Print the text of a secret that you have claimed",
		Long: `Print the text of a secret that you have claimed, on standard output. The beginning of its id
is enough.

--json prints one object:
` + shapeOfKept,
		Example:           "  hush kept show b3Jk",
		Args:              atMost(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused("show needs an id; see hush kept")
			}
			return a.keptShow(cmd.Context(), server, args[0], asJSON)
		},
	}
	a.serverFlag(cmd, &server)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) keptShow(ctx context.Context, server, id string, asJSON bool) error {
	k, err := a.keeper(server)
	if err != nil {
		return err
	}
	h, err := k.find(ctx, id)
	if err != nil {
		return err
	}
	got, err := k.c.ReceiveOwned(ctx, h.view, k.own, a.progress)
	if err != nil {
		return explainKept(err, byID)
	}
	return a.showKept(got, asJSON)
}

// keptRow is one secret in the JSON of kept.
type keptRow struct {
	ID        string `json:"id"`
	ShortID   string `json:"short_id"`
	Kind      string `json:"kind"`
	Label     string `json:"label"`
	Expires   bool   `json:"expires"`
	Remaining string `json:"remaining"`
	Inigma    bool   `json:"inigma"`
}

// keptPage is the JSON of kept.
type keptPage struct {
	Secrets []keptRow `json:"secrets"`
	Page    int       `json:"page"`
	PerPage int       `json:"per_page"`
	Total   int       `json:"total"`
	HasMore bool      `json:"has_more"`
}

func (a *app) listKept(ctx context.Context, f keptFlags) error {
	switch {
	case f.page < 1:
		return misused("--page counts from 1")
	case f.perPage < 1 || f.perPage > client.MaxPerPage:
		return misused("--per-page is 1 to %d", client.MaxPerPage)
	}
	all := keptPage{Secrets: []keptRow{}, Page: f.page, PerPage: f.perPage}
	k, err := a.keeper(f.server)
	if err == nil {
		err = k.fill(ctx, &all, f)
	}
	noKey := errors.Is(err, errNoKey) // who has none has nothing, and that is no failure
	switch {
	case err != nil && !noKey:
		return err
	case f.json:
		return a.writeJSON(all)
	case noKey:
		a.say("You have no key yet, so nothing is kept under it.")
		return nil
	}
	return a.keptTable(all, k.c.Base())
}

// fill asks for the same page of each list.
func (k *keeper) fill(ctx context.Context, p *keptPage, f keptFlags) error {
	both := f.owned == f.pending
	for _, kind := range []kind{owned, pending} {
		if !both && f.owned != (kind == owned) {
			continue
		}
		for i, u := range k.own.UIDs() {
			l, err := k.list(ctx, kind, u, f.page, f.perPage)
			if err != nil {
				return explainKept(err, byID)
			}
			for _, e := range l.Secrets {
				p.Secrets = append(p.Secrets, rowOfKept(e, kind, i > 0))
			}
			p.Total += l.Total
			p.HasMore = p.HasMore || l.HasMore
		}
	}
	return nil
}

func rowOfKept(e wire.KeptEntry, k kind, inigma bool) keptRow {
	return keptRow{e.ID, shortID(client.View(e.ID)), k.String(), e.CustomName, e.Type != "permanent", e.Display, inigma}
}

func (a *app) keptTable(p keptPage, server string) error {
	if len(p.Secrets) == 0 {
		if p.Page > 1 {
			a.say("There is nothing on page %d.", p.Page)
		} else {
			a.say("Nothing is kept under your key at %s.", server)
		}
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SHORT ID\tKIND\tREMAINING\tLABEL")
	for _, r := range p.Secrets {
		remaining := r.Remaining
		if !r.Expires {
			remaining = "for ever"
		}
		from := ""
		if r.Inigma {
			from = " (inigma)"
		}
		fmt.Fprintf(w, "%s\t%s%s\t%s\t%s\n", r.ShortID, r.Kind, from, tty.CleanLine(remaining), tty.CleanLine(r.Label))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if p.HasMore {
		a.say("%d in all; --page %d lists more.", p.Total, p.Page+1)
	}
	return nil
}
