package httpd

import (
	"net/http"
	"net/netip"
	"time"
)

// What the tests outside need of source, limits, deadline and json, under names of their own.

// SourceBehind says who sent r to a server that trusts these proxies.
func SourceBehind(trusted []netip.Prefix, r *http.Request) Source { return proxies(trusted).source(r) }

// NewSmallLimits is NewLimits with room for fewer sources.
func NewSmallLimits(now func() time.Time, b Budgets, sources, shared int) *Limits {
	return newLimits(now, b, sources, shared)
}

// Rows is how many sources l remembers.
func (l *Limits) Rows() int { return len(l.rows) }

// MaxSources is how many sources Limits remember at most.
const MaxSources = maxSources

// Pace is paced with other numbers.
func Pace(grace time.Duration, rate, step int64, next http.Handler) http.Handler {
	return pace{grace: grace, rate: rate, step: step}.wrap(next)
}

// ErrSlow and the decoders, for tests.
var (
	ErrSlow       = errSlow
	Decode        = decode
	DecodeLenient = decodeLenient
	IsBase64      = isBase64
)

// BodyError is what the decoders return.
type BodyError = bodyError

// Parts of a BodyError.
func (e *bodyError) Status() int {
	return [...]int{
		faultSyntax: 400, faultShape: 422, faultType: 415, faultTooLarge: 413, faultSlow: 408,
	}[e.fault]
}

// Member is the JSON pointer of the member at fault.
func (e *bodyError) Member() string { return e.member }
