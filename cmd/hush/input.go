package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hushpost/hushpost/cmd/hush/internal/outdir"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/internal/client"
)

// payload collects the text and the files.
func (a *app) payload(ctx context.Context, f createFlags) (envelope.Payload, error) {
	p := envelope.Payload{Text: f.text}
	for i, path := range f.files {
		file, err := readFile(path)
		if err != nil {
			return p, fmt.Errorf("reading file %d of %d: %w", i+1, len(f.files), err)
		}
		p.Files = append(p.Files, file)
	}
	if f.format == 1 && len(p.Files) == 1 {
		if envelope.ImageType(p.Files[0].Data) == "" {
			return p, misused("format 1 carries text and one JPEG, PNG, GIF or WebP")
		}
		p.Files[0].Name = "" // that format has no place for it
	}
	terminal := tty.IsTerminal(a.stdin)
	if !f.hasText && (!terminal || len(f.files) == 0) {
		var err error
		if p.Text, err = a.readText(ctx, client.MaxPayload, client.ErrTooLarge); err != nil {
			return p, err
		}
	}
	if p.Text == "" && len(p.Files) == 0 {
		return p, misused("there is nothing to send: give text on standard input, --text or --file")
	}
	return p, nil
}

// readText drops one line end: nearly always it belongs to echo, to a here-document or to the Enter key and not to
// the secret, and a password with a line end fails without a visible reason. Who means it sends a file.
func (a *app) readText(ctx context.Context, limit int64, tooLarge error) (string, error) {
	if tty.IsTerminal(a.stdin) {
		a.say("Type the secret, end with Ctrl-D on a line of its own (Ctrl-C: send nothing)")
	}
	b, err := tty.ReadAll(ctx, a.stdin, limit)
	switch {
	case err != nil:
		return "", fmt.Errorf("reading standard input: %w", err)
	case int64(len(b)) > limit:
		return "", tooLarge
	case !utf8.Valid(b):
		return "", misused("standard input is not text in UTF-8; send it as a file with hush create --file")
	}
	text := strings.TrimSuffix(string(b), "\n")
	if len(text) < len(b) {
		text = strings.TrimSuffix(text, "\r")
	}
	return text, nil
}

// readFile leaves out the path of what went wrong: it stands in the command line, and names of files are secrets, too.
func readFile(path string) (envelope.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return envelope.File{}, outdir.Cause(err)
	case info.IsDir():
		return envelope.File{}, errors.New("it is a folder; pack it first")
	case info.Size() > client.MaxPayload:
		return envelope.File{}, client.ErrTooLarge
	}
	data, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return envelope.File{}, outdir.Cause(err)
	}
	kind := envelope.ImageType(data)
	if kind == "" {
		kind, _, _ = strings.Cut(http.DetectContentType(data), ";") // by content: the same on every machine
	}
	return envelope.File{Name: filepath.Base(path), Type: kind, Data: data}, nil
}
