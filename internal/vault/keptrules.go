package vault

// kept lets rule see the kept secret that a view names. One that was deleted does not exist (PROTOCOL 5).
func kept(view View, rule Rule) Rule {
	return settled(func(now Time, s *Secret) error {
		switch {
		case s.Type != Kept, s.ID != view.id, s.State == Revoked:
			return errNotFound
		case !s.Held():
			return ended(s)
		}
		return rule(now, s)
	})
}

// readable: a message that nobody has claimed is for whoever has its link, as often as they like.
func readable(u User) Rule {
	return func(_ Time, s *Secret) error {
		if s.State == Claimed && !u.Owns(s) {
			return &Error{Kind: KindNotOwner}
		}
		return nil
	}
}

// claimable says whether a claim may be made. Why not is nobody's business: seed B knows one answer (PROTOCOL 5.1).
func claimable(c Claim) Rule {
	return func(_ Time, s *Secret) error {
		switch {
		case s.State != Waiting,
			!s.Claim.IsZero() && !s.Claim.matches(c.Token),
			c.Revision >= 0 && c.Revision != s.Revision:
			return &Error{Kind: KindOwned}
		}
		return nil
	}
}

// claim gives the message to its first claimer. That they replace the payload is the store's part.
func claim(owner Hash, c Claim) Rule {
	return func(now Time, s *Secret) error {
		if err := claimable(c)(now, s); err != nil {
			return err
		}
		s.State, s.Opened, s.Owner = Claimed, now, owner
		s.IV, s.Salt, s.Copy = c.IV, c.Salt, c.copy
		s.Revision++
		return nil
	}
}

// undoable: only the author may undo a claim, if their UID is more than a name, and the claim was of the kind that
// proves nothing.
func undoable(u User) Rule {
	return func(_ Time, s *Secret) error {
		if s.Copy == (ID{}) || !u.proof || !s.Author.matches(u.hash) {
			return errNotFound
		}
		return nil
	}
}

// undo makes the message unclaimed again, as it was.
func undo(u User, was *Secret) Rule {
	return func(now Time, s *Secret) error {
		if err := undoable(u)(now, s); err != nil || s.Copy != was.ID {
			return errNotFound
		}
		s.State, s.Opened, s.Owner, s.Copy = Waiting, 0, Hash{}, ID{}
		s.IV, s.Salt, s.Label = was.IV, was.Salt, was.Label
		s.Revision++
		return nil
	}
}

func relabel(user Hash, label string) Rule {
	return func(_ Time, s *Secret) error {
		if !s.Owner.matches(user) { // nobody's, unless it was claimed
			return errNotFound
		}
		s.Label = label
		return nil
	}
}

func remove(user Hash) Rule {
	return func(now Time, s *Secret) error {
		if !s.Owner.matches(user) && (s.State != Waiting || !s.Author.matches(user)) {
			return errNotFound
		}
		s.end(Revoked, now)
		return nil
	}
}
