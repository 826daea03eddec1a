package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/internal/client"
)

var (
	errNoPassphrase = errors.New("the secret is locked with a passphrase, and there is no terminal to ask on; " +
		"nothing was opened. Set " + envPassphrase)
	errWrongPassphrase = errors.New("the passphrase in " + envPassphrase + " is wrong")
)

// newPassphrase asks twice, because nobody can ask the sender what they meant to type.
func (a *app) newPassphrase(ctx context.Context) (string, error) {
	if p := a.env(envPassphrase); p != "" {
		return p, nil
	}
	first, err := a.hidden(ctx, "Passphrase: ")
	if errors.Is(err, tty.ErrNoTerminal) {
		return "", misused("--passphrase needs a terminal to ask on, or %s", envPassphrase)
	}
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", errors.New("the passphrase is empty")
	}
	second, err := a.hidden(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the passphrases differ")
	}
	return first, nil
}

// askPassphrase asks for one to open with. A wrong one from the environment ends it: trying it again would only spend
// attempts. An empty line is a slip and costs nothing.
func (a *app) askPassphrase(ctx context.Context, ask client.Ask) (string, error) {
	if p := a.env(envPassphrase); p != "" {
		if ask.Again {
			return "", fmt.Errorf("%w; nothing was opened%s", errWrongPassphrase, left(ask))
		}
		return p, nil
	}
	if ask.Again {
		a.say("Wrong passphrase%s.", left(ask))
	}
	for {
		p, err := a.hidden(ctx, "Passphrase: ")
		if errors.Is(err, tty.ErrNoTerminal) {
			return "", errNoPassphrase
		}
		if err != nil || p != "" {
			return p, err
		}
	}
}

func (a *app) hidden(ctx context.Context, question string) (string, error) {
	a.meter.Clear()
	p, err := tty.Hidden(ctx, a.stdin, a.stderr, question)
	if err != nil {
		return "", fmt.Errorf("asking for the passphrase: %w", err)
	}
	return p, nil
}

func left(ask client.Ask) string {
	switch ask.Left {
	case -1:
		return ""
	case 1:
		return ", 1 attempt left before the secret is erased"
	}
	return fmt.Sprintf(", %d attempts left before the secret is erased", ask.Left)
}
