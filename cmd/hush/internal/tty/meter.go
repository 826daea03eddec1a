package tty

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Nothing is shown of what is over within a second. A terminal's line is drawn ten times a second at most; in a log,
// where each line stays, one in five seconds is enough.
const (
	quiet     = time.Second
	redraw    = 100 * time.Millisecond
	logEvery  = 5 * time.Second
	barLength = 24
)

// Meter shows progress: a line that moves on a terminal, plain lines elsewhere.
type Meter struct {
	w        io.Writer
	terminal bool

	mu           sync.Mutex
	label        string // "" between two things that take time
	done, total  int64
	began, drawn time.Time
	late         *time.Timer // shows a first line also where nothing moves
	width        int         // of what stands on the terminal's line
}

// NewMeter makes a meter that writes to w.
func NewMeter(w io.Writer, terminal bool) *Meter { return &Meter{w: w, terminal: terminal} }

// Update shows that done of total bytes of what label names are through; total 0 means that bytes do not count.
func (m *Meter) Update(label string, done, total int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if label != m.label {
		m.stop()
		m.label, m.began = label, time.Now()
		m.late = time.AfterFunc(quiet, m.first)
	}
	m.done, m.total = done, total
	m.show()
}

// first comes when a second has passed, perhaps too late for what it was set for.
func (m *Meter) first() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.label != "" && m.drawn.Before(m.began) {
		m.show()
	}
}

func (m *Meter) stop() {
	if m.late != nil {
		m.late.Stop()
	}
	m.label = ""
}

func (m *Meter) show() {
	now := time.Now()
	every := logEvery
	if m.terminal {
		every = redraw
	}
	if now.Sub(m.began) < quiet || now.Sub(m.drawn) < every {
		return
	}
	m.drawn = now
	if m.terminal {
		m.draw(line(m.label, m.done, m.total, true))
		return
	}
	fmt.Fprintln(m.w, line(m.label, m.done, m.total, false))
}

// Clear takes the line away, so that something else can be printed, on standard output as well: it may be the same terminal.
func (m *Meter) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop()
	if m.width > 0 {
		m.draw("")
		fmt.Fprint(m.w, "\r")
	}
}

func (m *Meter) draw(s string) {
	fmt.Fprintf(m.w, "\r%-*s", m.width, s)
	m.width = len(s)
}

func line(label string, done, total int64, bar bool) string {
	if total <= 0 {
		return label + " …"
	}
	share := float64(done) / float64(total)
	text := fmt.Sprintf("%s %3.0f %% of %s", label, 100*share, Size(total))
	if bar {
		n := min(int(share*barLength), barLength)
		text += " [" + strings.Repeat("#", n) + strings.Repeat(".", barLength-n) + "]"
	}
	return text
}

// Size writes a number of bytes for people.
func Size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
