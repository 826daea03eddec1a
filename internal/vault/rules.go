package vault

// A Rule decides what happens to one secret at one moment: it changes s and returns nil, or returns why not.
// What it changed is kept in both cases: a wrong passphrase is refused and counted. A rule is a pure function,
// because a store may run it more than once until its write succeeds.
type Rule func(now Time, s *Secret) error

// settled runs rule on what time has left of the secret. Nothing is said about one whose tombstone is gone.
func settled(rule Rule) Rule {
	return func(now Time, s *Secret) error {
		if err := Settle(now, s); err != nil {
			return err
		}
		if s.State == Forgotten {
			return errNotFound
		}
		return rule(now, s)
	}
}

// named checks that the record found under the alias is the one asked for by id, and a one-time secret.
func named(r Ref, rule Rule) Rule {
	return settled(func(now Time, s *Secret) error {
		if r.byID && s.ID != r.id || s.Type != OneTime {
			return errNotFound
		}
		return rule(now, s)
	})
}

// withLink lets only holders of the link token further (PROTOCOL 4.2).
func withLink(link Hash, rule Rule) Rule {
	return func(now Time, s *Secret) error {
		if !s.Link.matches(link) {
			return errRefused
		}
		return rule(now, s)
	}
}

// withManage lets only the sender further (PROTOCOL 4.5).
func withManage(manage Hash, rule Rule) Rule {
	return func(now Time, s *Secret) error {
		if !s.Manage.matches(manage) {
			return errNotFound
		}
		return rule(now, s)
	}
}

func look(Time, *Secret) error { return nil }

// open binds a waiting secret to its first reader, and answers that reader again while the lease lasts
// (PROTOCOL 4.3). The bound reader need not prove the passphrase twice: its token is as hard to guess as the
// link's, and nobody else may ask at all, so a lease gives no further guesses.
func open(reader, passphrase Hash) Rule {
	return func(now Time, s *Secret) error {
		switch {
		case s.State == Leased && s.Reader.matches(reader):
			return nil
		case s.State == Leased:
			return &Error{Kind: KindLeased, State: Leased, RetryAt: s.LeaseEnds}
		case s.State != Waiting:
			return ended(s)
		}
		if err := checkPassphrase(now, s, passphrase); err != nil {
			return err
		}
		s.State, s.Reader, s.Opened = Leased, reader, now
		s.LeaseEnds = now.Add(leaseFor(s.Size)) // may outlive Expires: who opened in time may finish reading
		return nil
	}
}

func checkPassphrase(now Time, s *Secret, passphrase Hash) error {
	switch {
	case s.Passphrase.IsZero():
		return nil
	case passphrase.IsZero():
		return &Error{Kind: KindPassphraseRequired, State: Waiting, AttemptsLeft: s.AttemptsLeft()}
	case s.Passphrase.matches(passphrase):
		return nil
	}
	if s.Wrong++; s.Wrong >= MaxPassphrases {
		s.end(Locked, now)
	}
	return &Error{Kind: KindPassphraseWrong, State: s.State, AttemptsLeft: s.AttemptsLeft()}
}

// ack ends the lease of the reader that holds it, and may be repeated (PROTOCOL 4.4).
func ack(reader Hash) Rule {
	return func(now Time, s *Secret) error {
		mine := s.Reader.matches(reader)
		switch {
		case s.State == Leased && mine:
			s.end(Read, now)
			return nil
		case s.State == Read && mine:
			return nil
		case s.State == Leased:
			return &Error{Kind: KindLeased, State: Leased, RetryAt: s.LeaseEnds}
		case s.State == Waiting:
			return &Error{Kind: KindNotOpened, State: Waiting}
		default:
			return ended(s)
		}
	}
}

// decline is "I did not expect this": it ends what nobody has opened (PROTOCOL 4.4).
func decline(now Time, s *Secret) error {
	switch s.State {
	case Waiting:
		s.end(Declined, now)
		return nil
	case Declined:
		return nil
	case Leased:
		return &Error{Kind: KindLeased, State: Leased, RetryAt: s.LeaseEnds}
	default:
		return ended(s)
	}
}

// revoke ends what nobody has opened; the sender of an opened one is told so (PROTOCOL 4.5).
func revoke(now Time, s *Secret) error {
	switch s.State {
	case Waiting:
		s.end(Revoked, now)
		return nil
	case Revoked:
		return nil
	case Leased, Read, Unconfirmed:
		return &Error{Kind: KindRead, State: s.State, Opened: s.Opened, Ended: s.Ended}
	default:
		return ended(s)
	}
}

// takeUnguarded is only-once-share's read: whoever knows the alias uses it up, at once (PROTOCOL 4.8).
// A secret that is guarded by a link hash does not exist for it.
func takeUnguarded(now Time, s *Secret) error {
	if !s.Link.IsZero() || s.State != Waiting {
		return errNotFound
	}
	s.Opened = now
	s.end(Read, now)
	return nil
}
