package lifetime_test

import (
	"errors"
	"testing"
	"time"

	"github.com/hushpost/hushpost/cmd/hush/internal/lifetime"
)

func TestParse(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"60s": time.Minute, "1m": time.Minute, "15m": 15 * time.Minute, "1h": time.Hour, "1d": day, "2w": 14 * day, "30d": 30 * day,
		"1y": 365 * day, "365d": 365 * day, "8760h": 365 * day, "31536000s": 365 * day, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute,
		"0d1h": time.Hour, "007m": 7 * time.Minute,
	} {
		if got, err := lifetime.Parse(s); err != nil || got != want {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
	for s, want := range map[string]error{
		"": lifetime.ErrForm, "1": lifetime.ErrForm, "d": lifetime.ErrForm, "1 d": lifetime.ErrForm, "-1d": lifetime.ErrForm, "+1d": lifetime.ErrForm,
		"1.5d": lifetime.ErrForm, "1D": lifetime.ErrForm, "1M": lifetime.ErrForm, "1dd": lifetime.ErrForm, "1d1d": lifetime.ErrForm,
		"1m1d": lifetime.ErrForm, "1d1": lifetime.ErrForm, "１d": lifetime.ErrForm, "tomorrow": lifetime.ErrForm, "123456789s": lifetime.ErrForm,
		"99999999999999999999y": lifetime.ErrForm, "0s": lifetime.ErrRange, "59s": lifetime.ErrRange, "31536001s": lifetime.ErrRange,
		"2y": lifetime.ErrRange, "1y1s": lifetime.ErrRange, "99999999y": lifetime.ErrRange, "1y99999999s": lifetime.ErrRange,
	} {
		if got, err := lifetime.Parse(s); !errors.Is(err, want) {
			t.Errorf("%q: %s, %v", s, got, err)
		}
	}
}

func TestDays(t *testing.T) {
	for s, want := range map[string]int{
		"0": 0, "never": 0, "1": 1, "7": 7, "30": 30, "365": 365, "7d": 7, "2w": 14, "1y": 365, "24h": 1, "1w1d": 8, "86400s": 1, "007": 7,
	} {
		if got, err := lifetime.Days(s); err != nil || got != want {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "366", "12h", "1d1h", "-1", "1.5", "00", "0d", "Never", "forever", "1 ", "99999999999999999999", "1d1d"} {
		if got, err := lifetime.Days(s); !errors.Is(err, lifetime.ErrDays) {
			t.Errorf("%q: %d, %v", s, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1d", "1d12h", "31536000s", "99999999y", "1y1y", "0s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := lifetime.Parse(s)
		if err == nil && (d < lifetime.Min || d > lifetime.Max) || err != nil && d != 0 {
			t.Errorf("%q: %s, %v", s, d, err)
		}
	})
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		365 * 24 * time.Hour: "365 days", 24 * time.Hour: "1 day", 47 * time.Hour: "1 day", 23 * time.Hour: "23 hours",
		time.Hour: "1 hour", 90 * time.Second: "1 minute", 15 * time.Minute: "15 minutes", time.Second: "less than a minute", -time.Hour: "less than a minute",
	} {
		if got := lifetime.Format(d); got != want {
			t.Errorf("%s: %q", d, got)
		}
	}
}
