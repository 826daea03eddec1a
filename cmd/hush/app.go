package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hushpost/hushpost/cmd/hush/internal/state"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

// Exit codes.
const (
	exitDone = iota
	exitFailed
	exitMisused
)

// Variables of the environment. A passphrase in argv would be seen by every user of the machine; in the environment
// only by the same user.
const (
	envServer     = "HUSHPOST_SERVER"
	envPassphrase = "HUSHPOST_PASSPHRASE" //nolint:gosec // the name of a variable
	defaultServer = "http://localhost:8080"
)

// app is one run: its streams, its environment and the flags that all commands share.
type app struct {
	env            func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	meter          *tty.Meter
	insecureHTTP   bool
}

// misuse is an error in how hush was called.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func misused(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

func run(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: env, stdin: stdin, stdout: stdout, stderr: stderr, meter: tty.NewMeter(stderr, tty.IsTerminal(stderr))}
	root := a.root() //nolint:contextcheck // cobra carries ctx to the commands
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	a.meter.Clear()
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "hush: "+tty.CleanText(err.Error()))
	if _, ok := errors.AsType[misuse](err); ok {
		fmt.Fprintf(stderr, "Run \"%s --help\" for usage.\n", cmd.CommandPath())
		return exitMisused
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hush",
		Short: "Send and open one-time secrets, and keep others",
		Long: `hush seals a secret on this machine, stores it at a Hushpost server, which cannot read it,
and prints a link that opens it: once (create), or until it expires or its reader claims it (keep).

Exit codes: 0 done, 1 failed, 2 misused.

Environment:
  HUSHPOST_SERVER      the server of create and keep, and where kept, label and delete look
                       (default ` + defaultServer + `)
  HUSHPOST_PASSPHRASE  the passphrase for create and open, instead of asking
  XDG_STATE_HOME       where manage tokens are kept, as hushpost/sent, and your own key, as
                       hushpost/key (default ~/.local/state; on Windows %LocalAppData%)`,
		Version:                    version(),
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		SuggestionsMinimumDistance: 2,
		CompletionOptions:          cobra.CompletionOptions{DisableDefaultCmd: true}, // ours names the shells we test
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknown(cmd, args[0])
		},
	}
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("hush {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return misuse{err} })
	root.PersistentFlags().BoolVar(&a.insecureHTTP, "insecure-http", false,
		"allow plain http to another machine: everybody on the way sees the tokens")
	root.AddGroup(&cobra.Group{ID: groupOnce, Title: "Secrets that open once:"}, &cobra.Group{ID: groupKept, Title: "Secrets that are kept:"})
	for _, cmd := range []*cobra.Command{a.createCommand(), a.openCommand(), a.infoCommand(), a.statusCommand(), a.revokeCommand(), a.listCommand()} {
		cmd.GroupID = groupOnce
		root.AddCommand(cmd)
	}
	for _, cmd := range []*cobra.Command{a.keepCommand(), a.claimCommand(), a.keptCommand(), a.labelCommand(), a.deleteCommand(), a.keyCommand()} {
		cmd.GroupID = groupKept
		root.AddCommand(cmd)
	}
	root.AddCommand(a.versionCommand(), a.completionCommand())
	return root
}

// Groups of commands in the help.
const (
	groupOnce = "once"
	groupKept = "kept"
)

// serverFlag is for the commands that are not told a server by a link or a record.
func (a *app) serverFlag(cmd *cobra.Command, to *string) {
	server := a.env(envServer)
	if server == "" {
		server = defaultServer
	}
	cmd.Flags().StringVar(to, "server", server, "the server's address")
}

// unknown names what the user may have meant. It does not repeat what was typed: that may be a link pasted alone.
func unknown(cmd *cobra.Command, typed string) error {
	if near := cmd.SuggestionsFor(typed); len(near) > 0 {
		return misused("no such command; did you mean %s?", strings.Join(near, " or "))
	}
	return misused("no such command; to open a link, run hush open")
}

// atMost is cobra's check with our exit code, and without repeating an argument in its message.
func atMost(n int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) <= n:
			return nil
		case n == 0:
			return misused("this command takes no arguments")
		case n == 1:
			return misused("this command takes one argument at most")
		}
		return misused("this command takes %d arguments at most", n)
	}
}

// client speaks to one server. The proxy settings of the environment apply, as they do for curl.
func (a *app) client(base string) (*client.Client, error) {
	return a.clientWith(base, client.Retry{Notify: a.waiting})
}

// quietClient is for questions that nobody waits for one by one: two tries, and not a word.
func (a *app) quietClient(base string) (*client.Client, error) {
	return a.clientWith(base, client.Retry{Attempts: 2})
}

func (a *app) clientWith(base string, retry client.Retry) (*client.Client, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ExpectContinueTimeout: time.Second, IdleConnTimeout: 30 * time.Second,
	}
	c, err := client.New(base, client.Options{
		HTTP: &http.Client{Transport: t}, InsecureHTTP: a.insecureHTTP, Retry: retry,
	})
	if errors.Is(err, client.ErrInsecure) {
		return nil, fmt.Errorf("%w; nothing was sent. Use https, or --insecure-http if you know this network", err)
	}
	return c, err
}

// waiting tells of a second attempt, so that a pause does not look like a crash; the short first one is nobody's business.
func (a *app) waiting(err error, wait time.Duration) {
	if wait < time.Second {
		return
	}
	a.meter.Clear()
	fmt.Fprintf(a.stderr, "Trying again in %s: %s\n", wait.Round(time.Second), tty.CleanLine(err.Error()))
}

func (a *app) progress(stage client.Stage, done, total int64) {
	labels := map[client.Stage]string{
		client.Stretching: "Stretching the passphrase", client.Sealing: "Sealing", client.Uploading: "Sending",
		client.Downloading: "Receiving", client.Opening: "Opening",
	}
	a.meter.Update(labels[stage], done, total)
}

func (a *app) say(format string, args ...any) {
	a.meter.Clear()
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

// stateDir is where this user's records are.
func (a *app) stateDir() (string, error) { return state.Dir(runtime.GOOS, a.env) }

func (a *app) writeJSON(v any) error {
	e := json.NewEncoder(tty.JSONWriter{W: a.stdout})
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// when shows a time in the user's own zone.
func when(t time.Time) string { return t.Local().Format("2 Jan 2006 15:04 MST") }
