package httpd

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// pace is how slow a peer may be. [http.Server] has ReadTimeout and WriteTimeout for whole requests, and
// those must be long enough for the largest payload on the slowest honest line, some 70 minutes here: as
// long as anybody may then hold a connection with a byte a minute. So the deadline rolls along with the bytes.
type pace struct {
	grace time.Duration // may pass at any point without a byte
	rate  int64         // bytes a second, on average after the grace
	step  int64         // bytes between two deadlines: setting one costs a system timer
}

// defaultPace asks 8 KiB/s after the first 10 s, what a GPRS modem managed.
var defaultPace = pace{grace: 10 * time.Second, rate: 8 << 10, step: 32 << 10}

// roll keeps the deadline of one direction of one request.
type roll struct {
	pace
	set   func(time.Time) error // of an http.ResponseController; nil once it has said that it cannot
	start time.Time
	done  int64 // bytes so far
	mark  int64 // bytes by which the next deadline is set
}

func (r *roll) begin() {
	r.start = time.Now()
	r.done, r.mark = 0, 0
	r.extend()
}

func (r *roll) add(n int) {
	r.done += int64(n)
	if r.done >= r.mark {
		r.extend()
	}
}

// extend sets the deadline by which the next step of bytes must be through. It lies a step's time after what the
// average rate demands, so that a peer exactly at the rate is never late. Bytes that came early are credit
// up to the grace and no more: otherwise one could send 30 MiB at once and sit on the connection for an hour.
func (r *roll) extend() {
	r.mark = r.done + r.step
	due := r.start.Add(r.grace + r.cost(r.done))
	if latest := time.Now().Add(r.grace); due.After(latest) {
		due = latest
	}
	r.put(due.Add(r.cost(r.step)))
}

func (r *roll) cost(n int64) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(r.rate)
}

// put ignores a writer that knows no deadlines (a recorder in a test, WebAssembly): there
// is no connection to hold either. A closed connection will tell by the next read or write.
func (r *roll) put(t time.Time) {
	if r.set != nil && r.set(t) != nil {
		r.set = nil
	}
}

// paced gives every request to next with a body and a writer that hold their peer to the pace.
// It belongs outside whatever else wraps the writer and reads the body. A handler may think as long as it likes
// before it answers, but must not rest for longer than the grace once it has begun.
func paced(next http.Handler) http.Handler { return defaultPace.wrap(next) }

func (p pace) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		w = &pacedWriter{ResponseWriter: w, roll: roll{pace: p, set: rc.SetWriteDeadline}}
		if r.Body == nil || r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		// A copy: net/http must find its own body in r. A foreign one it reads for 256 KiB before it sends an answer, also
		// where the client waits for 100 Continue, and a refusal must not wait for what it refuses (PROTOCOL 4.1).
		inner := r.WithContext(r.Context())
		inner.Body = newPacedBody(r.Body, roll{pace: p, set: rc.SetReadDeadline})
		defer func() { r.Pattern = inner.Pattern }() // for the access log
		next.ServeHTTP(w, inner)
	})
}

// errSlow says that a body came below the pace; the connection is of no more use.
var errSlow = errors.New("reading the body: it came too slowly")

// pacedBody is a request body under a rolling deadline.
//
// The deadline is set at once, not by the first Read: net/http itself reads up to 256 KiB of a body that
// the handler has left, without a deadline of its own. A request without a body must not get one: net/http
// is then already reading ahead on the connection and takes a missed deadline for a client that has gone. It
// starts to do so at the end of a body too, so there the deadline is lifted (HTTP/1 does that by itself, undocumented).
type pacedBody struct {
	io.ReadCloser
	roll roll
}

func newPacedBody(body io.ReadCloser, r roll) *pacedBody {
	b := &pacedBody{ReadCloser: body, roll: r}
	b.roll.begin()
	return b
}

// Read implements [io.Reader].
func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
		b.roll.add(n)
	case err == io.EOF: //nolint:errorlint // io.Reader: EOF comes bare
		b.roll.put(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errSlow
	default:
		err = withoutAddress(err)
	}
	return n, err
}

// withoutAddress strips what the net package wraps around an error of a connection: the
// addresses of both ends, which must not get into a log.
func withoutAddress(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// pacedWriter is a response under a rolling deadline. The clock starts with the answer, not with
// the request: a long poll may think for 30 s. It hides ReadFrom, so that io.Copy comes through Write too.
type pacedWriter struct {
	http.ResponseWriter
	roll  roll
	begun bool
}

// Unwrap serves [http.ResponseController].
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) begin() {
	if !w.begun {
		w.begun = true
		w.roll.begin()
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *pacedWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

// Write passes p on in steps: a single write of a large payload would be a single wait, under one deadline.
func (w *pacedWriter) Write(p []byte) (int, error) {
	w.begin()
	var total int
	for {
		n, err := w.ResponseWriter.Write(p[:min(len(p), int(w.roll.step))])
		total += n
		p = p[n:]
		w.roll.add(n)
		if err != nil {
			return total, withoutAddress(err)
		}
		if len(p) == 0 {
			return total, nil
		}
	}
}
