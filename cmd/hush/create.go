package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/lifetime"
	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

// createFlags are the flags of create.
type createFlags struct {
	server, ttl, text, lang string
	files                   []string
	passphrase, json        bool
	format                  int
	hasText                 bool
}

func (a *app) createCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Seal a secret and print its link",
		Long: `Seal a secret and print its link, which opens it once.

The text is read from standard input; one line end at its end is dropped, so that
"echo s3cret | hush create" sends s3cret. With --text it is taken from the command line,
which other users of the machine can see. With --file and a terminal as standard input
no text is read; --text "" says so where standard input is something else.

The link goes to standard output, everything else to standard error. A token to see and
to end the secret is kept for hush status, revoke and list; the link is kept nowhere.

--json prints one object:
  {"link", "short_id", "id", "server", "expires_at", "passphrase": true|false}`,
		Example: `  echo s3cret | hush create --ttl 1h
  hush create --file id_ed25519 --passphrase
  hush create --file scan.pdf --text "page 2 is the one" --ttl 2w`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.hasText = cmd.Flags().Changed("text")
			if !cmd.Flags().Changed("passphrase") {
				// A variable that is set and ignored would send in the open what was meant to be locked.
				f.passphrase = a.env(envPassphrase) != ""
			}
			return a.create(cmd.Context(), f)
		},
	}
	a.serverFlag(cmd, &f.server)
	fl := cmd.Flags()
	fl.StringVar(&f.ttl, "ttl", "1d", "erase it unread after this time: 15m, 1h, 1d, 2w, up to 1y")
	fl.StringVar(&f.text, "text", "", "the text (other users of this machine can see it)")
	fl.StringArrayVar(&f.files, "file", nil, "a file to send with it; may be given several times")
	fl.BoolVar(&f.passphrase, "passphrase", false, "lock it with a passphrase as well; asked for, or "+envPassphrase)
	fl.IntVar(&f.format, "format", 2, "2, or 1 for the payload format of only-once-share")
	fl.StringVar(&f.lang, "lang", "", "the language of the page that the link opens, such as de")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

var langForm = regexp.MustCompile(`^([a-z]{2,3}(-[A-Za-z0-9]{2,8})?)?$`)

// create checks everything that can be checked before it asks, reads or sends anything.
func (a *app) create(ctx context.Context, f createFlags) error {
	ttl, err := lifetime.Parse(f.ttl)
	switch {
	case err != nil:
		return misused("--ttl: %w", err)
	case f.format != 1 && f.format != 2:
		return misused("--format is 1 or 2")
	case f.format == 1 && f.passphrase:
		return misused("format 1 knows no passphrase")
	case f.format == 1 && len(f.files) > 1:
		return misused("format 1 carries one image at most")
	case !langForm.MatchString(f.lang):
		return misused("--lang is a language tag, such as de")
	}
	c, err := a.client(f.server)
	if err != nil {
		return explainSend(err)
	}
	draft := client.Draft{TTL: ttl, Version: f.format, Lang: f.lang, Progress: a.progress}
	if draft.Payload, err = a.payload(ctx, f); err != nil {
		return nothingSent(err)
	}
	if f.passphrase {
		if draft.Passphrase, err = a.newPassphrase(ctx); err != nil {
			return nothingSent(err)
		}
	}
	sent, err := c.Send(ctx, draft)
	if err != nil {
		return explainSend(err)
	}
	return a.hand(ctx, c, sent, f)
}

func nothingSent(err error) error {
	if _, ok := errors.AsType[misuse](err); ok {
		return err
	}
	return fmt.Errorf("%s; nothing was stored", reason(err))
}

// created is the JSON of create.
type created struct {
	Link       string    `json:"link"`
	ShortID    string    `json:"short_id"`
	ID         string    `json:"id"`
	Server     string    `json:"server"`
	ExpiresAt  time.Time `json:"expires_at"`
	Passphrase bool      `json:"passphrase"`
}

// hand keeps the manage token and prints the link. The token comes first, so that whoever has the link can also end it;
// but a folder that cannot be written must not cost the link. A link that nobody got is a secret that nobody can read.
func (a *app) hand(ctx context.Context, c *client.Client, s client.Sent, f createFlags) error {
	a.meter.Clear()
	kept := a.keep(c, s)
	var err error
	if f.json {
		err = a.writeJSON(created{s.Link.Reveal(), s.Alias, string(s.ID), c.Base(), s.ExpiresAt.UTC(), f.passphrase})
	} else {
		_, err = fmt.Fprintln(a.stdout, s.Link.Reveal())
	}
	if err != nil {
		if c.Revoke(ctx, s.ID, s.ManageToken) == nil {
			return errors.New("the link could not be written to standard output; the secret was taken back")
		}
		return errors.New("the link could not be written to standard output; the secret is stored, but nobody can open it")
	}
	how := "Opens once"
	if f.passphrase {
		how = "Opens once, with the passphrase"
	}
	a.say("%s, until %s.", how, untilExpiry(s.ExpiresAt))
	if kept != nil {
		a.say("Its manage token could not be kept (%v): hush status and revoke will not know it. The link works.", kept)
		return nil
	}
	id := tty.CleanLine(s.Alias)
	a.say("Short id %s, for hush status %s and hush revoke %s.", id, id, id)
	return nil
}

func (a *app) keep(c *client.Client, s client.Sent) error {
	dir, err := a.stateDir()
	if err != nil {
		return err
	}
	return state.NewSent(dir).Put(state.Entry{
		ID: s.ID, Alias: s.Alias, Server: c.Base(), Manage: s.ManageToken, Created: time.Now(), Expires: s.ExpiresAt,
	})
}
