package httpd

import (
	"io"
	"net/http"
	"sync/atomic"
)

// Routes lists the route table as the API's description does: method and pattern of everything under /api.
func Routes() map[string][]string {
	all := make(map[string][]string)
	for _, r := range routes {
		if r.handle != nil {
			all[r.pattern] = append(all[r.pattern], r.method)
		}
	}
	return all
}

// NewWithMemory is New with another bound for bodies that are held whole; it is as large as one needs, at least.
func NewWithMemory(o Options, memory int64) (http.Handler, error) { return newHandler(o, memory) }

// HeldBody is a body of only-once-share's that shares held with others, at most most of it.
func HeldBody(r io.Reader, held *atomic.Int64, most int64) (body io.Reader, release func()) {
	b := &heldBody{Reader: r, held: held, most: most}
	return b, b.release
}
