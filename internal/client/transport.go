package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hushpost/hushpost/crypto/seal"
)

// A server that refuses a large payload says so before it is sent (RFC 9110 10.1.1); a small one is sent at once.
const expectContinueFrom = 64 << 10

// call is one request, which may take several attempts.
type call struct {
	doing        string // gerund, for errors
	method, path string
	token        seal.Token // zero: none
	header       http.Header
	body         []byte
	once         bool             // never send it twice (PROTOCOL 4.8: a GET that erases)
	deadline     func() time.Time // zero time: count attempts instead
	progress     func(done, total int64)
	into         any                                   // takes the JSON of a 2xx
	read         func(*http.Response, *watchdog) error // reads a 2xx instead; may run once an attempt
	sent         *atomic.Bool                          // do's own: the transport took the body, or there is none
}

// do makes the request until it is answered, refused for good, or not worth another attempt.
func (c *Client) do(ctx context.Context, q call) error {
	mayHaveRun := false
	q.sent = new(atomic.Bool)
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, q)
		if err == nil {
			return nil
		}
		mayHaveRun = mayHaveRun || q.sent.Load() && unanswered(err)
		var deadline time.Time
		if q.deadline != nil {
			deadline = q.deadline()
		}
		wait, again := c.retry.next(attempt, err, deadline)
		if again && !q.once && ctx.Err() == nil {
			c.retry.notify(err, wait)
			if err = pause(ctx, wait); err == nil {
				continue
			}
		}
		if mayHaveRun {
			err = lostError{err}
		}
		return fmt.Errorf("%s: %w", q.doing, err)
	}
}

// unanswered: not turned down in a way that means "nothing happened".
func unanswered(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status >= http.StatusInternalServerError && e.Status != http.StatusInsufficientStorage
	}
	return !neverSent(err) && !errors.Is(err, ErrRedirect)
}

func (c *Client) attempt(ctx context.Context, q call) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dog := &watchdog{timer: time.AfterFunc(stallAfter, func() { cancel(errStalled) })}
	defer dog.timer.Stop()
	req, err := c.request(ctx, q, dog)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer resp.Body.Close()
	dog.pat()
	switch {
	case resp.StatusCode/100 == 3:
		return ErrRedirect
	case resp.StatusCode/100 != 2:
		return refusal(resp)
	case q.into != nil:
		err = decode(resp, q.into)
	case q.read != nil:
		err = q.read(resp, dog)
	}
	if err != nil {
		return causeOf(ctx, err)
	}
	return nil
}

// causeOf prefers the reason for which we ended a request to the error which that made. The reader's own verdicts pass.
func causeOf(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case cause == nil:
	case errors.Is(cause, errStalled):
		return transport(cause)
	default:
		return cause
	}
	for _, verdict := range []error{ErrAnswer, ErrTooLarge, ErrForeign} {
		if errors.Is(err, verdict) {
			return err
		}
	}
	return transport(err)
}

func (c *Client) request(ctx context.Context, q call, dog *watchdog) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, http.NoBody)
	if err != nil {
		return nil, errors.New("making a request from this address is not possible") // the cause would print it
	}
	maps.Copy(req.Header, q.header)
	// Nothing here compresses, and a body that unpacks itself would get round every limit on its size.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "hushpost")
	if !q.token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+q.token.Reveal())
	}
	if q.body == nil {
		q.sent.Store(true)
		if q.once {
			// net/http repeats a GET by itself when a reused connection breaks, unless it has a body that cannot be
			// had again. An empty one is sent as none.
			req.Body = io.NopCloser(bytes.NewReader(nil))
		}
		return req, nil
	}
	req.GetBody = func() (io.ReadCloser, error) {
		return &meter{r: bytes.NewReader(q.body), total: int64(len(q.body)), dog: dog, progress: q.progress, sent: q.sent}, nil
	}
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(q.body))
	if len(q.body) >= expectContinueFrom {
		req.Header.Set("Expect", "100-continue")
	}
	return req, nil
}

// watchdog ends an attempt unless it is patted now and then.
type watchdog struct{ timer *time.Timer }

func (w *watchdog) pat() { w.timer.Reset(stallAfter) }

// meter reads a body, in either direction, and tells of it. The transport may read on after the answer, from its own
// goroutine: Close ends that.
type meter struct {
	r        io.Reader
	total    int64
	dog      *watchdog
	progress func(done, total int64)
	sent     *atomic.Bool // may be nil

	mu     sync.Mutex
	done   int64
	closed bool
}

func (m *meter) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, errCut
	}
	n, err := m.r.Read(p)
	m.done += int64(n)
	m.dog.pat()
	if m.sent != nil {
		m.sent.Store(true)
	}
	if m.progress != nil && n > 0 {
		m.progress(m.done, m.total)
	}
	return n, err
}

func (m *meter) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// limited reads an answer that should be small, and refuses it before it is large.
func limited(resp *http.Response) ([]byte, error) {
	return upTo(maxJSON, resp.ContentLength, resp.Body)
}

func upTo(limit, announced int64, r io.Reader) ([]byte, error) {
	if announced > limit {
		return nil, ErrAnswer
	}
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, ErrAnswer
	}
	return b, nil
}

func decode(resp *http.Response, into any) error {
	b, err := limited(resp)
	if err != nil {
		return err
	}
	return unmarshal(b, into)
}

func unmarshal(b []byte, into any) error {
	if json.Unmarshal(b, into) != nil {
		return ErrAnswer // the cause could quote the answer
	}
	return nil
}
