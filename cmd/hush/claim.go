package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/internal/client"
)

func (a *app) claimCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "claim [LINK | -]",
		Short: "Make a kept secret your own, and print its text",
		Long: `Make a kept secret your own: it is opened with the link, sealed again under your own key
(hush key), and put in its place. From then on only your key opens it, and the link opens
nothing. One claim wins. What is yours already is only opened.

Without LINK, or with -, the link is read from standard input. Prefer that on a machine
with other users: they can see the command line.

--json prints one object:
` + shapeOfKept,
		Example: `  pbpaste | hush claim
  hush claim < link.txt | pass insert -m wifi`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.claim(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

const shapeOfKept = `  {"text", "text_base64"?, "files": [], "kept": {"id", "short_id", "label", "owned": true}}
text_base64 takes the place of text if that is not UTF-8.`

// claim shows the text after the server has confirmed, and not before: who reads "it is yours" must be able to rely on it.
func (a *app) claim(ctx context.Context, args []string, asJSON bool) error {
	l, err := a.readLink(ctx, args)
	switch {
	case err != nil:
		return err
	case l.Kind == link.OneTime:
		return errors.New("this link opens once and cannot be claimed: run hush open. Nothing was opened")
	case l.Kind != link.Kept:
		return elsewhere(l.Kind)
	}
	c, err := a.client(l.Base)
	if err != nil {
		return explainOpen(err)
	}
	own, err := a.ownKey(true)
	if err != nil {
		return fmt.Errorf("%w; nothing was claimed", err)
	}
	got, err := c.ClaimKept(ctx, l, own, a.progress)
	if err != nil {
		return explainKept(err, byLink)
	}
	a.say("It is yours: only your key opens it, and the link opens nothing any more.")
	if err := a.showKept(got, asJSON); err != nil {
		return fmt.Errorf("%w. It is claimed all the same: hush kept show %s", err, shortID(got.View))
	}
	a.say("Short id %s, for hush kept show, hush label and hush delete.", shortID(got.View))
	return nil
}

// openKept shows what a link of a kept secret leads to, and changes nothing. It needs no key: who has none is nobody in
// particular.
func (a *app) openKept(ctx context.Context, l link.Link, asJSON bool) error {
	c, err := a.client(l.Base)
	if err != nil {
		return explainOpen(err)
	}
	own, err := a.ownKey(false)
	if err != nil && !errors.Is(err, errNoKey) && !errors.Is(err, state.ErrNowhere) {
		return fmt.Errorf("%w; nothing was opened", err)
	}
	got, err := c.ReceiveKept(ctx, l, own, a.progress)
	if err != nil {
		return explainKept(err, byLink)
	}
	if err := a.showKept(got, asJSON); err != nil {
		return err
	}
	if got.Owned {
		a.say("It is yours, and kept.")
	} else {
		a.say("It is kept: whoever has the link can read it, until somebody claims it with hush claim.")
	}
	return nil
}

// keptShape says in JSON what is special about a kept secret.
type keptShape struct {
	ID      string `json:"id"`
	ShortID string `json:"short_id"`
	Label   string `json:"label"`
	Owned   bool   `json:"owned"`
}

// showKept prints a text as open does.
func (a *app) showKept(got client.KeptReceived, asJSON bool) error {
	d := &delivery{
		app: a, flags: openFlags{output: "-", json: asJSON},
		kept: &keptShape{got.View.Reveal(), shortID(got.View), got.Label, got.Owned},
	}
	r := client.Received{Payload: envelope.Payload{Text: got.Text}}
	if err := d.save(r); err != nil {
		return err
	}
	return d.show(r)
}
