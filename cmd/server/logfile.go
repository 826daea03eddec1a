package main

import (
	"io"
	"sync"
	"time"
)

// lines gathers what is logged in quick succession into one write: under load, a system call for each line of the
// access log was a tenth of the server's time. A line after a pause is written at once, so that whoever
// watches sees no delay; the last lines before a kill -9 may be lost.
type lines struct {
	w io.Writer

	mu      sync.Mutex
	buf     []byte
	pending *time.Timer // runs for gatherTime after each write
}

const (
	gatherTime = 50 * time.Millisecond
	gatherMax  = 64 << 10
)

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if l.pending != nil && len(l.buf) < gatherMax {
		return len(p), nil
	}
	if l.pending == nil {
		l.pending = time.AfterFunc(gatherTime, l.later)
	}
	return len(p), l.write()
}

// later ends a pause, or begins the next one.
func (l *lines) later() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = nil
	if len(l.buf) > 0 {
		l.pending = time.AfterFunc(gatherTime, l.later)
		_ = l.write()
	}
}

// Flush writes what is left.
func (l *lines) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write()
}

func (l *lines) write() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}
