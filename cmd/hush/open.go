package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/outdir"
	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/internal/client"
)

// openFlags are the flags of open.
type openFlags struct {
	output      string
	json, force bool
	hasOutput   bool
}

func (a *app) openCommand() *cobra.Command {
	var f openFlags
	cmd := &cobra.Command{
		Use:   "open [LINK | -]",
		Short: "Open a link: print its text, save its files",
		Long: `Open a link once and for all: print its text on standard output, save its files.
What is kept (see hush keep) stays as it is, and can be opened again.

Without LINK, or with -, the link is read from standard input. Prefer that on a machine
with other users: they can see the command line.

Files are saved in the current folder or the one given with --output, readable by you
only, and under a free name if theirs is taken. --output - writes a single file, or the
text, to standard output. On a terminal, characters that would control it are escaped.

If something goes wrong after the secret was opened (a full disk, a cut connection), run
the same command again within two minutes.

--json prints one object; with --output - it holds the files, otherwise their paths:
  {"text", "text_base64"?, "files": [{"name", "type", "size", "path"?, "data_base64"?}],
   "kept"?: {"id", "short_id", "label", "owned": true|false}}
text_base64 takes the place of text if that is not UTF-8. kept is there if the secret is kept.`,
		Example: `  hush open 'https://secrets.example.com/s/Kx7mP2nQ#iZcjqbPIBnrWwHHkv_KDWeDcUr9hi3A0oMaVbgCVLrg'
  pbpaste | hush open --output ~/Downloads
  hush open --output - < link.txt > key.pem`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.hasOutput = cmd.Flags().Changed("output")
			return a.open(cmd.Context(), args, f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.output, "output", ".", "the folder for files, or - for standard output")
	fl.BoolVar(&f.force, "force", false, "replace files of the same name")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) open(ctx context.Context, args []string, f openFlags) error {
	l, err := a.readLink(ctx, args)
	switch {
	case err != nil:
		return err
	case l.Kind == link.Kept:
		return a.openKept(ctx, l, f.json)
	case l.Kind != link.OneTime:
		return elsewhere(l.Kind)
	}
	c, err := a.client(l.Base)
	if err != nil {
		return explainOpen(err)
	}
	d := &delivery{app: a, flags: f}
	if err := d.prepare(); err != nil {
		return fmt.Errorf("%w; nothing was opened", err)
	}
	defer d.close()
	forget := func() {}
	how := client.Reading{Passphrase: a.askPassphrase, Save: d.save, Progress: a.progress}
	if dir, err := a.stateDir(); err == nil {
		// Without a folder to keep it in, the token is good for this run only. Nothing else depends on it.
		how.Reader, _ = state.NewReadings(dir).Reader(l)
		forget = func() { _ = state.NewReadings(dir).Done(l) }
	}
	got, err := c.Receive(ctx, l, how)
	if err != nil {
		if ended(err) {
			forget()
		}
		return explainOpen(err)
	}
	forget()
	return d.show(got)
}

// ended: the reader token has no further use. Neither damage is an end (a proxy may have damaged the answer) nor "not
// found" nor a wrong passphrase: this time the link may have been mistyped, and the lease of an earlier run go on.
func ended(err error) bool {
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusGone {
		return true
	}
	r, ok := errors.AsType[*client.ReceiveError](err)
	return ok && r.Fate == client.Gone
}

// readLink takes the link from argv or standard input. Its form is checked before any request (PROTOCOL 3.1).
func (a *app) readLink(ctx context.Context, args []string) (link.Link, error) {
	var text string
	if len(args) == 1 && args[0] != "-" {
		text = args[0]
	} else {
		var err error
		if text, err = a.typedLink(ctx); err != nil {
			return link.Link{}, err
		}
	}
	if strings.TrimSpace(text) == "" {
		return link.Link{}, misused("there is no link: give it as argument or on standard input")
	}
	l, err := link.Parse(text)
	switch {
	case errors.Is(err, link.ErrDamaged):
		return l, fmt.Errorf("%w. Nothing was asked of the server; the secret is untouched", err)
	case err != nil:
		return l, misuse{err}
	}
	return l, nil
}

// elsewhere is about links that only a browser can follow.
func elsewhere(kind link.Kind) error {
	switch kind {
	case link.Sealed:
		return errors.New("this link is sealed to one recipient's key, which their browser keeps: open it there. Nothing was opened")
	case link.Ticket:
		return errors.New("this link asks for a secret and holds none: open it in a browser to write one")
	case link.OneTime, link.Kept:
	}
	return misuse{link.ErrNotLink}
}

// typedLink reads one line from a terminal, and everything from a pipe: mail programs break links over lines.
func (a *app) typedLink(ctx context.Context) (string, error) {
	const limit = 16 << 10 // a link sealed to an RSA key of 4096 bits has some 700 characters
	in := a.stdin
	if tty.IsTerminal(a.stdin) {
		a.say("Paste the link and press Enter:")
		in = lineReader{bufio.NewReader(a.stdin)}
	}
	b, err := tty.ReadAll(ctx, in, limit)
	switch {
	case errors.Is(err, context.Canceled):
		return "", errors.New("interrupted; nothing was opened")
	case err != nil:
		return "", fmt.Errorf("reading the link: %w", err)
	case len(b) > limit:
		return "", misuse{link.ErrNotLink}
	}
	return string(b), nil
}

// lineReader ends after the first line.
type lineReader struct{ r *bufio.Reader }

func (l lineReader) Read(p []byte) (int, error) {
	line, err := l.r.ReadString('\n')
	n := copy(p, line)
	if err == nil {
		err = io.EOF
	}
	return n, err
}

// delivery brings an opened secret to where it belongs.
type delivery struct {
	*app
	flags  openFlags
	folder *outdir.Folder // nil with --output -
	saved  []outdir.Saved
	kept   *keptShape // nil for what opens once
}

// prepare looks for what would go wrong while the secret is still untouched. The current folder is only a default:
// that it cannot be written matters to files only, and whether there are any is not known yet.
func (d *delivery) prepare() (err error) {
	if d.flags.output == "-" {
		return nil
	}
	if d.folder, err = outdir.Open(d.flags.output, d.flags.force); err != nil || !d.flags.hasOutput {
		return err
	}
	return d.folder.Check()
}

func (d *delivery) close() {
	if d.folder != nil {
		_ = d.folder.Close()
	}
}
