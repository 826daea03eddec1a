package redis

import (
	"context"
	"fmt"

	"github.com/hushpost/hushpost/internal/vault"
)

// step is what a change does besides running its rule.
type step struct {
	take bool      // hands out the payload if the rule lets it
	in   *incoming // takes the payload's place if the rule lets it
}

// change runs rule on the record as it was last seen, and puts what came of it in the place of exactly that record. If
// something else is there by now, or time has passed over the record, it starts again with that.
func (s *Store) change(ctx context.Context, a vault.Alias, rule vault.Rule, st step) (vault.Secret, string, error) {
	v, known := s.recent.get(a)
	var now vault.Time // of v, if it is known to be what is there
	for try := range maxTries {
		if try == 1 { // whoever lost a race in this process lets no more of its own kind in before it
			lock := &s.turns[int(a)%len(s.turns)]
			lock.Lock()
			defer lock.Unlock()
		}
		if !known {
			var err error
			if v, now, err = s.read(ctx, a); err != nil {
				return vault.Secret{}, "", err
			}
			known = true
		}
		o, err := s.attempt(ctx, v, now, rule, st)
		if err != nil {
			s.recent.drop(a)
			return vault.Secret{}, "", fmt.Errorf("changing a record in Redis: %w", full(err))
		}
		if o.done {
			return o.secret, o.payload, o.refusal
		}
		if o.there == nil {
			s.recent.drop(a)
			return vault.Secret{}, "", vault.ErrNotFound
		}
		if v, err = parseValue(a, *o.there); err != nil {
			return vault.Secret{}, "", err
		}
		now = o.now
	}
	return vault.Secret{}, "", errClock
}

// attempt is one run of a rule, and what came of it.
type attempt struct {
	done    bool
	secret  vault.Secret
	payload string
	refusal error // the rule's

	now   vault.Time // if not done: the time, and the value that is there
	there *string
}

// attempt runs rule at now, or, if that is 0, at an estimate of the time on a record that may be out of date.
func (s *Store) attempt(ctx context.Context, v seen, now vault.Time, rule vault.Rule, st step) (o attempt, err error) {
	a := v.secret.Alias
	fresh := now != 0
	if !fresh {
		n, err := s.nodeOf(ctx, recordKey(a))
		if err != nil {
			return o, err
		}
		now = n.now()
	}
	after := v.secret
	o.refusal = rule(now, &after)
	o.secret = after
	take := st.take && o.refusal == nil
	if st.in != nil && (o.refusal != nil || !after.Held()) {
		st.in = nil
	}
	if !v.secret.Held() && after.Held() {
		return o, errDamaged // no rule brings a payload back
	}
	if st.in != nil {
		after.Size, o.secret.Size = st.in.size, st.in.size
	}
	// What was just read and stays as it is needs no more to be done, unless replicas may lack what it is about.
	near := v.inside != "" || after.Size == 0
	if fresh && after == v.secret && st.in == nil && (!take || near) && (s.wait == 0 || o.refusal != nil) {
		o.done, o.payload = true, v.inside
		return o, nil //nolint:nilerr // the refusal goes along in o
	}
	c := s.plan(&v, after, now, take, st.in)
	r, payload, err := s.send(ctx, c)
	if err != nil {
		return o, err
	}
	err = s.conclude(ctx, &o, c, &r, payload)
	return o, err
}

// conclude reads what the script said.
func (s *Store) conclude(ctx context.Context, o *attempt, c *planned, r *reply, payload string) error {
	switch r.word(0) {
	case "lost":
		return errDamaged
	case "other":
		o.now = r.now
		if value, ok := r.rest[1].(string); ok {
			o.there = &value
		}
		return nil
	}
	o.done, o.payload = true, payload
	if c.inside {
		o.payload = r.word(1)
	}
	if c.in != nil {
		c.in.key = ""
	}
	s.settle(c)
	s.tell(ctx, c)
	return nil
}
