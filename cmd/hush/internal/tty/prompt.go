package tty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"
)

// ErrNoTerminal: there is nobody to ask.
var ErrNoTerminal = errors.New("there is no terminal to ask on")

// Hidden asks a question and reads one line without showing it: on the controlling terminal, because standard input
// may be the secret or the link; failing that on stdin if it is a terminal, with the question on stderr.
func Hidden(ctx context.Context, stdin io.Reader, stderr io.Writer, question string) (string, error) {
	in, out, done, err := controlling(stdin, stderr)
	if err != nil {
		return "", err
	}
	defer done()
	fmt.Fprint(out, question)
	defer fmt.Fprintln(out)
	return readHidden(ctx, in)
}

func controlling(stdin io.Reader, stderr io.Writer) (in *os.File, out io.Writer, done func(), err error) {
	if runtime.GOOS != "windows" { // there the console has two names, and stdin does
		if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
			return f, f, func() { _ = f.Close() }, nil
		}
	}
	if f, ok := stdin.(*os.File); ok && IsTerminal(f) {
		return f, stderr, func() {}, nil
	}
	return nil, nil, nil, ErrNoTerminal
}

// readHidden gives the terminal its echo back when ctx ends. The read itself cannot be ended; its goroutine waits until
// the program is over, which after Ctrl-C is at once.
func readHidden(ctx context.Context, f *os.File) (string, error) {
	fd := int(f.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", ErrNoTerminal
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		read <- line{b, err}
	}()
	select {
	case l := <-read:
		return string(l.text), l.err
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return "", context.Cause(ctx)
	}
}

// ReadAll reads a stream to its end, at most limit bytes and one, unless ctx ends first: a person who presses Ctrl-C
// instead of Ctrl-D has changed their mind. The goroutine is left behind for the reason given at readHidden.
func ReadAll(ctx context.Context, r io.Reader, limit int64) ([]byte, error) {
	type result struct {
		b   []byte
		err error
	}
	read := make(chan result, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(r, limit+1))
		read <- result{b, err}
	}()
	select {
	case got := <-read:
		return got.b, got.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
