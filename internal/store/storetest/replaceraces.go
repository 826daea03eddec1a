package storetest

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// numbered is a payload that knows its number, of a length that goes with it; half of them are kept elsewhere.
func numbered(n byte) []byte { return bytes.Repeat([]byte{n}, 100+int(n)+int(n)%2*100_000) }

// number is a rule that says in the record which payload it comes with.
func number(n byte) vault.Rule {
	return func(_ vault.Time, s *vault.Secret) error {
		if !s.Held() {
			return errRule
		}
		s.IV = string([]byte{n})
		s.Revision++
		return nil
	}
}

// numberedDraft gives the draft of a secret that is kept with payload 0.
func (k *kit) numberedDraft() vault.Draft {
	k.Helper()
	d := k.keptDraft("author", time.Hour)
	d.IV = "\x00"
	k.put(d, numbered(0))
	return d
}

// fits says what is wrong with a payload that was taken with s.
func fits(s vault.Secret, payload io.ReadCloser, err error) string {
	switch {
	case errors.Is(err, errRule):
		return "refused"
	case err != nil:
		return err.Error()
	}
	b, err := io.ReadAll(payload)
	switch err = errors.Join(err, payload.Close()); {
	case err != nil:
		return err.Error()
	case int64(len(b)) != s.Size:
		return "a payload of another size than the record's"
	case !bytes.Equal(b, numbered(s.IV[0])):
		return "a payload of another revision, or a mix"
	}
	return "whole"
}

// raceReplaces: whoever takes, gets one payload whole, and it is the one of the record beside it.
func raceReplaces(k *kit) {
	const replacers, takers, each = 8, 8, 6
	for range 3 {
		d := k.numberedDraft()
		call := func(i int) string {
			if i >= replacers {
				return fits(k.store.Take(k.Context(), d.Alias(), keep))
			}
			return k.replaces(d, i)
		}
		got := together(replacers+takers, func(i int) string {
			for range each {
				if o := call(i); o != "whole" {
					return o
				}
			}
			return "whole"
		})
		s, r, err := k.store.Take(k.Context(), d.Alias(), keep)
		if last := fits(s, r, err); got["whole"] != replacers+takers || last != "whole" || s.Revision != replacers*each {
			k.Errorf("%v, at last %s, and revision %d, want %d", got, last, s.Revision, replacers*each)
		}
	}
}

// replaces puts payload i+1 into the place of what is there.
func (k *kit) replaces(d vault.Draft, i int) string {
	n := []byte{1, 2, 3, 4, 5, 6, 7, 8}[i]
	switch _, err := k.store.Replace(k.Context(), d.Alias(), number(n), bytes.NewReader(numbered(n))); {
	case errors.Is(err, errRule):
		return "refused"
	case err != nil:
		return err.Error()
	}
	return "whole"
}

// raceReplaceEnd: no payload outlives its secret, whichever of many replacements came last.
func raceReplaceEnd(k *kit) {
	for range 10 {
		d := k.numberedDraft()
		got := together(8, func(i int) string {
			if i == 4 { // as the first reader of a one-time secret
				return "end " + fits(k.store.Take(k.Context(), d.Alias(), end))
			}
			return k.replaces(d, i)
		})
		if got["end whole"] != 1 || got["whole"]+got["refused"] != 7 {
			k.Errorf("%v", got)
		}
		if s := k.get(d.Alias()); s.Held() {
			k.Error("the end was undone")
		}
		k.empty(d.Alias())
	}
}
