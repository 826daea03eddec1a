package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/outdir"
	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

var errNoKey = errors.New("you have no key yet, so nothing is kept under it: hush keep and hush claim make one, hush key import takes one from elsewhere")

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Look after your own key",
		Long: `Look after your own key: what you claim is sealed with it, and it is all that says who you
are. hush keep and hush claim make one when there is none, in a file that only you can
read, hushpost/key in your state folder (see hush --help).

Nobody can give it back to you: make a copy with hush key export. With the same key on
another machine you see the same secrets there. A key that an inigma browser has exported
can be imported as well, and what was claimed with it there is then found, too.`,
		Args: atMost(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keyShowCommand(), a.keyExportCommand(), a.keyImportCommand())
	return cmd
}

func (a *app) keyShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Print the short name of your key",
		Long: `Print 12 characters that tell your key from others. They are no secret: nobody is let in by
them.`,
		Args: atMost(0),
		RunE: func(*cobra.Command, []string) error {
			own, err := a.ownKey(false)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, own.Short())
			return err
		},
	}
}

func (a *app) keyExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Copy your key out",
		Long: `Copy your key into a new file that only you can read; without FILE, print its characters on
standard output, as a browser takes them.

Whoever has them can read, rename and delete everything that you keep.`,
		Example: `  hush key export /media/stick/hushpost.key
  hush key export | gpg -c > hushpost.key.gpg`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.exportKey(args) },
	}
}

func (a *app) exportKey(args []string) error {
	own, err := a.ownKey(false)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		a.say("THIS IS YOUR KEY. Whoever sees it can read, rename and delete everything that you keep.")
		if _, err := fmt.Fprintln(a.stdout, own.Key.Encode()); err != nil {
			return fmt.Errorf("writing to standard output: %w", outdir.Cause(err))
		}
		return nil
	}
	switch err := state.WriteNew(args[0], state.FormatKey(own)); {
	case errors.Is(err, fs.ErrExist):
		return errors.New("there is such a file already, and it was left as it is: give the name of a new one")
	case err != nil:
		return fmt.Errorf("writing the key: %w; nothing was written", err)
	}
	a.say("THE FILE HOLDS YOUR KEY. Whoever reads it can read, rename and delete everything that you keep.")
	return nil
}

func (a *app) keyImportCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "import [FILE | -]",
		Short: "Use a key from another machine or browser",
		Long: `Use a key from another machine or browser: the file that hush key export has written, or the
characters alone, such as an inigma browser exports. Without FILE, or with -, it is read from
standard input.

Another key that is here already is not replaced, unless with --force; then it is kept
beside, and can be imported again.

With characters alone, secrets are also looked for under the short name that inigma gives to
the key's owner; with a file of hush key export, only if that was so before.`,
		Example: `  hush key import /media/stick/hushpost.key
  pbpaste | hush key import`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.importKey(cmd.Context(), args, force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace another key, and keep it beside")
	return cmd
}

func (a *app) importKey(ctx context.Context, args []string, force bool) error {
	text, err := a.readKey(ctx, args)
	if err != nil {
		return fmt.Errorf("reading the key: %w; nothing was imported", err)
	}
	own, err := state.ParseKey(text)
	if err != nil {
		return errors.New("that is no key: it must be a file of hush key export, or 16 to 128 letters, digits, - and _; nothing was imported")
	}
	file, err := a.keyFile()
	if err != nil {
		return err
	}
	beside, err := file.Import(own, force)
	switch {
	case errors.Is(err, state.ErrOtherKey):
		return errors.New("you have another key already, which is left as it is: what you keep opens with it only. " +
			"hush key import --force replaces it and keeps it beside")
	case errors.Is(err, state.ErrKeyDamaged):
		return fmt.Errorf("%w. hush key import --force replaces it and keeps it beside", explainKey(err, file))
	case err != nil:
		return fmt.Errorf("%w; nothing was imported", explainKey(err, file))
	}
	if beside != "" {
		a.say("The key that was here is now %s.", tty.CleanLine(beside))
	}
	a.say("Imported: you are %s.", own.Short())
	return nil
}

const maxKeyFile = 16 << 10

// readKey reads the file or standard input. On a terminal the characters are not shown, as a passphrase is not.
func (a *app) readKey(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 1 && args[0] != "-" {
		f, err := os.Open(args[0])
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("no such file (the key itself does not belong on the command line, where others see it)")
		}
		if err != nil {
			return nil, outdir.Cause(err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
		return b, outdir.Cause(err)
	}
	if tty.IsTerminal(a.stdin) {
		s, err := tty.Hidden(ctx, a.stdin, a.stderr, "Key: ")
		return []byte(s), err
	}
	return tty.ReadAll(ctx, a.stdin, maxKeyFile)
}

func (a *app) keyFile() (state.KeyFile, error) {
	dir, err := a.stateDir()
	if err != nil {
		return state.KeyFile{}, fmt.Errorf("there is no place for your key: %w", err)
	}
	return state.NewKeyFile(dir), nil
}

// ownKey is the user's key. It is made on request, which is said: from then on there is something that must not get lost.
func (a *app) ownKey(toMake bool) (client.Owner, error) {
	file, err := a.keyFile()
	if err != nil {
		return client.Owner{}, err
	}
	if !toMake {
		own, err := file.Load()
		return own, explainKey(err, file)
	}
	own, made, err := file.LoadOrMake()
	if made {
		a.say("A key of your own was made, %s. What you claim opens with it only: make a copy with hush key export.", tty.CleanLine(file.Path()))
	}
	return own, explainKey(err, file)
}

func explainKey(err error, file state.KeyFile) error {
	path := tty.CleanLine(file.Path())
	switch {
	case err == nil:
		return nil
	case errors.Is(err, state.ErrNoKey):
		return errNoKey
	case errors.Is(err, state.ErrExposed):
		return fmt.Errorf("others on this machine may read your key. If nobody did, run: chmod 600 '%s'", path)
	case errors.Is(err, state.ErrKeyDamaged):
		return fmt.Errorf("your key file %s holds no key that can be read: put a copy of it in its place", path)
	}
	return fmt.Errorf("your key: %w", err)
}
