// Package lifetime reads and writes how long a secret lives, as people say it: 15m, 1h, 1d, 2w, 30d, 1y.
// It is no calendar: a day has 24 hours and a year 365 days, because the protocol counts seconds.
package lifetime

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Bounds of PROTOCOL 4.1.
const (
	Min = time.Minute
	Max = 365 * day
)

const day = 24 * time.Hour

// Errors of Parse and Days.
var (
	ErrForm  = errors.New("a lifetime is a number and a unit: 15m, 1h, 1d, 2w, 1y, or several: 1d12h")
	ErrRange = errors.New("a lifetime is at least 1m and at most 1y")
	ErrDays  = errors.New("a kept secret lives for whole days: 7, 7d, 2w, up to 1y; or for ever: never")
)

var units = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': day, 'w': 7 * day, 'y': 365 * day,
}

// Parse reads a lifetime. Units must come from large to small, so that a slip like 1m1d is asked about and not summed.
func Parse(s string) (time.Duration, error) {
	var sum time.Duration
	last := 2 * Max
	for rest := s; rest != ""; {
		i := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
		if i < 1 || i > 8 { // eight digits: all seconds of a year, and no overflow with any unit
			return 0, ErrForm
		}
		n, err := strconv.ParseInt(rest[:i], 10, 64)
		unit := units[rest[i]]
		if err != nil || unit == 0 || unit >= last {
			return 0, ErrForm
		}
		if n > int64(Max/unit) {
			return 0, ErrRange
		}
		sum, last, rest = sum+time.Duration(n)*unit, unit, rest[i+1:]
	}
	if s == "" {
		return 0, ErrForm
	}
	if sum < Min || sum > Max {
		return 0, ErrRange
	}
	return sum, nil
}

// Days reads the lifetime of a kept secret (PROTOCOL 5): a number of days or a lifetime of whole days; 0 or never is 0.
// Nothing is rounded: it would be kept for longer or shorter than was said.
func Days(s string) (int, error) {
	if s == "never" || s == "0" {
		return 0, nil
	}
	if strings.Trim(s, "0123456789") == "" && s != "" {
		s += "d"
	}
	d, err := Parse(s)
	if err != nil || d%day != 0 {
		return 0, ErrDays
	}
	return int(d / day), nil
}

// Format says how long d is in its largest unit, rounded down so that it never promises time that is not there.
func Format(d time.Duration) string {
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		switch n := int64(d / u.unit); {
		case n == 1:
			return "1 " + u.name
		case n > 1:
			return strconv.FormatInt(n, 10) + " " + u.name + "s"
		}
	}
	return "less than a minute"
}
