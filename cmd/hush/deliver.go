package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/hushpost/hushpost/cmd/hush/internal/outdir"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/internal/client"
)

var (
	errSeveral = errors.New("the secret is more than one text or one file, which --output - cannot write; " +
		"give a folder with --output instead")
	errBinary = errors.New("the secret is a file, and standard output is a terminal; redirect it, or give a folder with --output")
)

// save runs before the confirmation (PROTOCOL 4.4: a client acks after it has opened the payload and before it shows it).
// Writing to a disk or a pipe can fail and shows nothing to anybody: it comes first, so that a full disk leaves the rest
// of the lease to try again. Showing on a terminal cannot fail and cannot be undone: it comes after, in show.
func (d *delivery) save(got client.Received) error {
	d.meter.Clear()
	files := got.Payload.Files
	if d.folder != nil && len(files) > 0 {
		if err := d.saveFiles(got); err != nil {
			return err
		}
	}
	if tty.IsTerminal(d.stdout) {
		if d.folder == nil && len(files) > 0 && !d.flags.json {
			return d.orRescue(got, errBinary)
		}
		return nil
	}
	return d.write(d.stdout, got)
}

// show is what remains after the confirmation.
func (d *delivery) show(got client.Received) error {
	d.meter.Clear()
	if tty.IsTerminal(d.stdout) {
		if err := d.display(got); err != nil {
			return err
		}
	}
	for _, s := range d.saved {
		d.say("Saved %s (%s).", tty.CleanLine(s.Path), tty.Size(int64(s.Size)))
	}
	if got.Unconfirmed != nil {
		d.say("The server could not be told that it was read (%s). It erases the secret by itself, and its sender sees \"unconfirmed\".",
			reason(got.Unconfirmed))
	}
	return nil
}

// write gives the bytes as they are, without an added line end: a program reads them.
func (d *delivery) write(w io.Writer, got client.Received) error {
	if d.flags.json {
		if err := d.writeJSON(d.object(got)); err != nil {
			return fmt.Errorf("writing to standard output: %w", outdir.Cause(err))
		}
		return nil
	}
	p := got.Payload
	out := []byte(p.Text)
	if d.folder == nil && len(p.Files) > 0 {
		if len(p.Files) > 1 || p.Text != "" {
			return d.orRescue(got, errSeveral)
		}
		out = p.Files[0].Data
	}
	if _, err := w.Write(out); err != nil {
		return fmt.Errorf("writing to standard output: %w", outdir.Cause(err))
	}
	return nil
}

// display shows text to a person.
func (d *delivery) display(got client.Received) error {
	if d.flags.json {
		return d.writeJSON(d.object(got))
	}
	text, escaped := tty.Clean(got.Payload.Text)
	if text == "" {
		return nil
	}
	if text[len(text)-1] != '\n' {
		text += "\n"
	}
	_, err := io.WriteString(d.stdout, text)
	if escaped > 0 {
		d.say("Characters that would control the terminal or mislead its reader are shown escaped: %d. A pipe gets the text as it is.", escaped)
	}
	return err
}

func (d *delivery) saveFiles(got client.Received) error {
	saved, err := d.folder.Save(got.Payload.Files)
	if err != nil {
		return d.orRescue(got, err)
	}
	d.saved = saved
	return nil
}

// orRescue returns err, unless the server has erased the secret already (PROTOCOL 4.8): then a private folder among the
// temporary ones is better than nothing. With a lease the reader has a second try and needs no copy lying about.
func (d *delivery) orRescue(got client.Received, err error) error {
	if !got.Compatible {
		return err
	}
	path, mkErr := os.MkdirTemp("", "hush-")
	if mkErr != nil {
		return err
	}
	folder, mkErr := outdir.Open(path, false)
	if mkErr != nil {
		return err
	}
	defer folder.Close()
	files := got.Payload.Files
	if got.Payload.Text != "" && d.folder == nil {
		files = append([]envelope.File{{Name: "text.txt", Data: []byte(got.Payload.Text)}}, files...)
	}
	saved, mkErr := folder.Save(files)
	if mkErr != nil {
		return err
	}
	d.saved = saved
	d.say("It could not be delivered as asked (%v). The server has erased it already, so it is saved elsewhere.", err)
	return nil
}

// opened is the JSON of open.
type opened struct {
	Text       string       `json:"text"`
	TextBase64 string       `json:"text_base64,omitempty"`
	Files      []openedFile `json:"files"`
	Kept       *keptShape   `json:"kept,omitempty"`
}

type openedFile struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Size int    `json:"size"`
	Path string `json:"path,omitempty"`
	Data []byte `json:"data_base64,omitempty"`
}

// object gives names as the sender wrote them: a program may want to know, and path is the safe one.
func (d *delivery) object(got client.Received) opened {
	o := opened{Text: got.Payload.Text, Files: []openedFile{}, Kept: d.kept}
	if !utf8.ValidString(o.Text) {
		o.Text, o.TextBase64 = "", base64.StdEncoding.EncodeToString([]byte(o.Text))
	}
	for i, f := range got.Payload.Files {
		file := openedFile{Name: f.Name, Type: f.Type, Size: len(f.Data)}
		if i < len(d.saved) {
			file.Path = d.saved[i].Path
		} else {
			file.Data = f.Data
		}
		o.Files = append(o.Files, file)
	}
	return o
}
