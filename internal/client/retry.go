package client

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

const (
	// A refused connection is nearly always a server that is not there; three tries outlive a quick restart.
	maxDials = 3
	// A server may ask for patience, but not for more than a person in front of a terminal has.
	maxRetryAfter = 30 * time.Second
	maxBackoff    = 5 * time.Second
)

// Retry says how often a request is made in all, and how long to wait before the next time.
type Retry struct {
	Attempts int                                 // in all; 0 means 6
	Backoff  func(attempt int) time.Duration     // after the attempt-th failure, from 1; nil means doubling from 250 ms, with jitter
	Notify   func(err error, wait time.Duration) // before each wait; may be nil
}

func (r Retry) notify(err error, wait time.Duration) {
	if r.Notify != nil {
		r.Notify(err, wait)
	}
}

func (r Retry) orDefault() Retry {
	if r.Attempts == 0 {
		r.Attempts = 6
	}
	if r.Backoff == nil {
		r.Backoff = doubling
	}
	return r
}

func doubling(attempt int) time.Duration {
	d := min(250*time.Millisecond<<min(attempt-1, 10), maxBackoff)
	return d/2 + rand.N(d/2) //nolint:gosec // jitter spreads clients in time; it keeps no secret
}

// next decides about another attempt. Inside a lease the clock decides (PROTOCOL 4.3), elsewhere the count.
func (r Retry) next(attempt int, err error, deadline time.Time) (time.Duration, bool) {
	wait := r.Backoff(attempt)
	refusal, refused := errors.AsType[*Error](err)
	switch {
	case refused:
		if !refusal.temporary() {
			return 0, false
		}
		wait = max(wait, min(refusal.RetryAfter, maxRetryAfter))
	case !isTransport(err) || permanent(err):
		return 0, false
	case neverSent(err) && deadline.IsZero() && attempt >= maxDials:
		return 0, false
	}
	if !deadline.IsZero() {
		return wait, time.Now().Add(wait).Before(deadline)
	}
	return wait, attempt < r.Attempts
}

// temporary: the same request may be answered otherwise in a moment.
func (e *Error) temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests:
		return e.RetryAfter > 0 && e.RetryAfter <= maxRetryAfter
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// neverSent: no connection was made, so the server cannot have seen the request.
func neverSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") || permanent(err)
}

// permanent: a name that does not exist and a certificate that does not fit are no accidents of the line.
func permanent(err error) bool {
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	dns, ok := errors.AsType[*net.DNSError](err)
	return cert || ok && dns.IsNotFound
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
