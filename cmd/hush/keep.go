package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/lifetime"
	"github.com/hushpost/hushpost/internal/client"
)

// keepFlags are the flags of keep.
type keepFlags struct {
	server, ttl, text, label string
	json, hasText            bool
}

func (a *app) keepCommand() *cobra.Command {
	var f keepFlags
	cmd := &cobra.Command{
		Use:   "keep",
		Short: "Seal a text that its reader may keep, and print its link",
		Long: `Seal a text and print a link that can be opened again and again, by whoever has it, until
it expires or its reader claims it: then it is sealed for them alone, and the link opens
nothing any more. Until it is claimed, hush delete takes it back.

The text is read from standard input, as hush create reads it, or from --text, which other
users of this machine can see. It holds 1.5 MB at most; what is larger, or no text, is for
hush create.

A label names the secret in lists. It is not sealed: the server can read it, and so can
whoever has the link.

--json prints one object; expires_at is missing if it never expires:
  {"link", "short_id", "id", "server", "expires_at"?}`,
		Example: `  hush keep --label 'Wi-Fi of the office' --ttl 1y < password.txt
  pwgen 32 1 | hush keep --ttl never`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.hasText = cmd.Flags().Changed("text")
			return a.keepText(cmd.Context(), f)
		},
	}
	a.serverFlag(cmd, &f.server)
	fl := cmd.Flags()
	fl.StringVar(&f.ttl, "ttl", "30d", "erase it after this many days: 7, 7d, 2w, up to 1y, or never")
	fl.StringVar(&f.text, "text", "", "the text (other users of this machine can see it)")
	fl.StringVar(&f.label, "label", "", "its name in lists (the server can read it)")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// keepText checks everything that can be checked before it reads or sends anything. The key is stored before anything is
// sent: what is kept under a key that got lost, nobody could delete.
func (a *app) keepText(ctx context.Context, f keepFlags) error {
	days, err := lifetime.Days(f.ttl)
	if err != nil {
		return misused("--ttl: %w", err)
	}
	if a.env(envPassphrase) != "" {
		// As with create: a variable that is set and ignored would send in the open what was meant to be locked.
		return misused("a kept secret knows no passphrase: set %s to nothing, or use hush create", envPassphrase)
	}
	c, err := a.client(f.server)
	if err != nil {
		return explainKeep(err)
	}
	text := f.text
	if !f.hasText {
		text, err = a.readText(ctx, client.MaxKeptText, client.ErrKeptTooLarge)
	}
	switch {
	case errors.Is(err, client.ErrKeptTooLarge):
		return explainKeep(err)
	case err != nil:
		return nothingSent(err)
	case text == "":
		return misused("there is nothing to keep: give text on standard input or --text")
	}
	own, err := a.ownKey(true)
	if err != nil {
		return fmt.Errorf("%w; nothing was stored", err)
	}
	sent, err := c.SendKept(ctx, own, client.KeptDraft{Text: text, Label: f.label, Days: days, Progress: a.progress})
	if err != nil {
		return explainKeep(err)
	}
	return a.handKept(ctx, c, own, sent, days, f.json)
}

// keptMade is the JSON of keep.
type keptMade struct {
	Link      string     `json:"link"`
	ShortID   string     `json:"short_id"`
	ID        string     `json:"id"`
	Server    string     `json:"server"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// handKept prints the link. When it expires is our reckoning: this dialect does not say.
func (a *app) handKept(ctx context.Context, c *client.Client, own client.Owner, s client.KeptSent, days int, asJSON bool) error {
	a.meter.Clear()
	made := keptMade{Link: s.Link.Reveal(), ShortID: shortID(s.View), ID: s.View.Reveal(), Server: c.Base()}
	until := "for ever"
	if days > 0 {
		t := time.Now().Add(time.Duration(days) * 24 * time.Hour).UTC().Truncate(time.Second)
		made.ExpiresAt, until = &t, "until "+untilExpiry(t)
	}
	var err error
	if asJSON {
		err = a.writeJSON(made)
	} else {
		_, err = fmt.Fprintln(a.stdout, made.Link)
	}
	if err != nil {
		if c.Delete(ctx, s.View, own.UID()) == nil {
			return errors.New("the link could not be written to standard output; the secret was taken back")
		}
		return fmt.Errorf("the link could not be written to standard output; the secret is stored, but nobody can open it. "+
			"hush delete %s erases it", made.ShortID)
	}
	a.say("Kept %s. Whoever has the link can read it, until somebody claims it.", until)
	a.say("Short id %s, for hush delete %s.", made.ShortID, made.ShortID)
	return nil
}
