package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/hushpost/hushpost/internal/wire"
)

const (
	// maxKept is what a view may answer: the longest message and all that stands beside it.
	maxKept = 2<<20 + 64<<10
	// maxList is what a list may answer: 100 names of 100 characters, each escaped as two surrogates.
	maxList = 512 << 10
)

// Codes that refusals of PROTOCOL 5 get here; the dialect itself has none. The others are package wire's: not_found,
// expired, unprocessable.
const (
	CodeOwned    = "owned"     // 409: it has an owner, or the claim lacks the proof that the server wants
	CodeNotOwner = "not_owner" // 403: it is somebody else's
)

// keptCall is one request of PROTOCOL 5: JSON in, JSON out, always POST.
type keptCall struct {
	doing, route string
	body, into   any
	limit        int64
	progress     Progress
}

// keptDo is keptCall for routes that answer only that it is done.
func (c *Client) keptDo(ctx context.Context, q keptCall) error {
	var done wire.KeptDone
	q.into = &done
	err := c.keptCall(ctx, q)
	if err == nil && done.Status != "success" {
		err = wrap(q.doing, ErrAnswer)
	}
	return err
}

func (c *Client) keptCall(ctx context.Context, q keptCall) error {
	err := c.do(ctx, call{
		doing: q.doing, method: http.MethodPost, path: "/api/" + q.route, header: jsonHeader(), body: encode(q.body),
		progress: func(done, total int64) { q.progress.report(Uploading, done, total) },
		read: func(resp *http.Response, dog *watchdog) error {
			m := &meter{r: resp.Body, total: max(resp.ContentLength, 0), dog: dog, progress: func(done, total int64) {
				q.progress.report(Downloading, done, total)
			}}
			b, err := upTo(q.limit, resp.ContentLength, m)
			if err != nil {
				return err
			}
			return unmarshal(b, q.into)
		},
	})
	return inKept(q.doing, err)
}

// inKept gives a refusal its code. A status means something only in a body of this dialect: the 403 and 404 of a proxy, or of
// a server that knows no kept secrets, say nothing about one.
func inKept(doing string, err error) error {
	e, refused := errors.AsType[*Error](err)
	switch {
	case !refused:
	case e.kept:
		codes := map[int]string{
			http.StatusNotFound: wire.CodeNotFound, http.StatusGone: wire.StateExpired, http.StatusForbidden: CodeNotOwner,
			http.StatusConflict: CodeOwned, http.StatusUnprocessableEntity: wire.CodeUnprocessable,
		}
		if code, known := codes[e.Status]; known {
			e.Code = code
		}
	case e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed:
		return wrap(doing, ErrForeign)
	}
	return err
}
