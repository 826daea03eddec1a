package sqlite

import (
	"context"
	"errors"
	"io"

	"github.com/hushpost/hushpost/internal/vault"
)

// Put implements vault.Store.
func (s *Store) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	if s.files.room.spent() { // before the payload is read: there is no room for it
		return vault.Secret{}, false, vault.ErrFull
	}
	in, err := s.files.receive(payload)
	if err != nil {
		return vault.Secret{}, false, err
	}
	var made vault.Secret
	var created bool
	var again *twin // the same creation as far as the records tell
	var erased []fileRef
	err = s.writer.do(ctx, &job{mayFill: true, files: in.file != nil, run: func(c *conn) (err error) {
		made, again, erased = d.Secret(s.clock(), in.size), nil, erased[:0]
		if created, err = s.insert(c, &made, in); err != nil || created {
			return err
		}
		f, err := s.writer.find(made.Alias)
		switch {
		case err != nil:
			return err
		case vault.Gone(made.Created, f.secret):
			created, err = s.supplant(c, f, &made, in, &erased)
		case vault.SameCreation(&f.secret, &made) && f.secret.Size == in.size:
			again, err = findTwin(c, f)
		}
		return err
	}})
	if err == nil {
		s.files.remove(erased)
	}
	same := false
	if err == nil && again != nil {
		same, err = s.samePayload(&again.payload, in)
	}
	if !created || err != nil {
		in.discard(s.files)
	} else {
		in.release()
	}
	switch {
	case err != nil:
		return vault.Secret{}, false, err
	case created:
		return made, true, nil
	case same:
		return again.secret, false, nil
	default:
		return vault.Secret{}, false, vault.ErrConflict
	}
}

func (s *Store) insert(c *conn, m *vault.Secret, in *incoming) (bool, error) {
	r, err := c.insert.exec(int64(m.Alias), m.AppendRecord(make([]byte, 0, vault.RecordSize)))
	if err != nil {
		return false, err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	seq, err := r.LastInsertId()
	if err != nil {
		return false, err
	}
	s.agenda.add(m.Due(), seq)
	s.writer.remember(found{seq, *m})
	if err := list(c, seq, new(vault.Secret), m); err != nil {
		return false, err
	}
	err = in.keep(c, seq)
	return err == nil, err
}

// supplant puts m in the place of f, which time has forgotten before a sweep came by: as if it had.
func (s *Store) supplant(c *conn, f found, m *vault.Secret, in *incoming, erased *[]fileRef) (bool, error) {
	before := f.secret
	if err := vault.Settle(m.Created, &f.secret); err != nil {
		return false, err
	}
	if err := s.save(c, &before, f, erased); err != nil {
		return false, err
	}
	return s.insert(c, m, in)
}

// twin is a secret that a creation may repeat, with its payload as it was in the same moment.
type twin struct {
	secret  vault.Secret
	payload outgoing
}

func findTwin(c *conn, f found) (*twin, error) {
	payload, err := load(c, f.seq)
	return &twin{f.secret, payload}, err
}

// samePayload compares what a repeated creation brought with what is kept.
func (s *Store) samePayload(kept *outgoing, in *incoming) (bool, error) {
	a, err := kept.open(s.files)
	if errors.Is(err, errNoFile) {
		return false, nil // ended in the meantime: then it is no longer the same
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = a.Close() }()
	b, err := in.reopen(s.files)
	if err != nil {
		return false, err
	}
	defer func() { _ = b.Close() }()
	return equal(a, b)
}
