package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/hushpost/hushpost/internal/vault"
)

var errDamaged = errors.New("a row of the database is damaged")

func (s *Store) clock() vault.Time { return vault.At(s.now()) }

// found is a row of secrets.
type found struct {
	seq    int64
	secret vault.Secret
}

// scan reads a row of (seq, record).
func scan(row []driver.Value) (found, error) {
	seq, ok := row[0].(int64)
	record, ok2 := row[1].([]byte)
	if !ok || !ok2 {
		return found{}, errDamaged
	}
	secret, err := vault.ParseRecord(record)
	if err != nil {
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	return found{seq, secret}, err
}

// one reads the row that q finds.
func one(q *stmt, arg int64) (f found, ok bool, err error) {
	row := make([]driver.Value, 2)
	if ok, err = q.row(row, arg); ok && err == nil {
		f, err = scan(row)
	}
	return f, ok, err
}

func find(c *conn, a vault.Alias) (found, error) {
	f, ok, err := one(c.byAlias, int64(a))
	switch {
	case err == nil && !ok:
		err = vault.ErrNotFound
	case err == nil && f.secret.Alias != a:
		err = errDamaged
	}
	return f, err
}

// Get implements vault.Store. It reads what is committed, beside the writer.
func (s *Store) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	c, err := s.reader(ctx)
	if err != nil {
		return vault.Secret{}, reading(err)
	}
	f, err := find(c, a)
	s.reads <- c
	if err != nil {
		return vault.Secret{}, reading(err)
	}
	err = rule(s.clock(), &f.secret)
	return f.secret, err
}

func reading(err error) error {
	if errors.Is(err, vault.ErrNotFound) {
		return err
	}
	return fmt.Errorf("reading the database: %w", err)
}

// Update implements vault.Store.
func (s *Store) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	c, err := s.change(ctx, a, rule, &job{}, nil)
	return c.secret, err
}

// Take implements vault.Store.
func (s *Store) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	// In the writer's turn: later, another call may have ended the secret and removed the file, and this one would
	// have opened a secret without handing it out.
	c, err := s.change(ctx, a, rule, &job{}, func(c *conn, _, f *found, out *changed) (err error) {
		out.payload, err = s.open(c, f.seq)
		return err
	})
	return c.secret, c.payload, err
}

// Replace implements vault.Store. It brings new bytes, so it gets no more room than Put does.
func (s *Store) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, payload io.Reader) (vault.Secret, error) {
	if s.files.room.spent() {
		return vault.Secret{}, vault.ErrFull
	}
	in, err := s.files.receive(payload)
	if err != nil {
		return vault.Secret{}, err
	}
	c, err := s.change(ctx, a, rule, &job{mayFill: true, files: in.file != nil}, func(c *conn, before, f *found, out *changed) error {
		if !f.secret.Held() {
			return nil
		}
		if before.secret.Held() {
			if err := s.erase(c, *before, &out.erased); err != nil {
				return err
			}
		}
		f.secret.Size, out.replaced = in.size, true
		return in.keep(c, f.seq)
	})
	if c.replaced {
		in.release()
	} else {
		in.discard(s.files)
	}
	return c.secret, err
}

// changed is what one run of a rule did.
type changed struct {
	secret   vault.Secret
	payload  io.ReadCloser // open, if it was to be taken
	replaced bool
	erased   []fileRef
	refusal  error
}

// drop lets go of a run that does not count.
func (c *changed) drop() {
	if c.payload != nil {
		_ = c.payload.Close()
	}
	*c = changed{}
}

// change runs rule as j, then what else the verb does if rule allows it, and keeps what both have changed.
func (s *Store) change(ctx context.Context, a vault.Alias, rule vault.Rule, j *job, then func(c *conn, before, f *found, out *changed) error) (changed, error) {
	var out changed
	j.run = func(c *conn) error {
		out.drop()
		f, err := s.writer.find(a)
		if errors.Is(err, vault.ErrNotFound) {
			out.refusal = err
			return nil
		}
		if err != nil {
			return err
		}
		before := f
		out.refusal = rule(s.clock(), &f.secret)
		if then != nil && out.refusal == nil {
			if err := then(c, &before, &f, &out); err != nil {
				return err
			}
		}
		out.secret = f.secret
		return s.save(c, &before.secret, f, &out.erased)
	}
	if err := s.writer.do(ctx, j); err != nil {
		out.drop()
		return out, fmt.Errorf("changing the database: %w", err)
	}
	s.files.remove(out.erased) // only the names go: a file that was opened before can be read to its end
	return out, out.refusal
}

// save writes what a rule changed and erases a payload that nobody may read any more.
func (s *Store) save(c *conn, before *vault.Secret, f found, erased *[]fileRef) error {
	if f.secret == *before {
		return nil
	}
	if e, ok := vault.Happened(before, &f.secret); ok {
		if _, err := c.eventIn.exec(e.Creator, int64(e.At), e.Type, e.Secret[:], e.Context); err != nil {
			return err
		}
	}
	if before.Held() && !f.secret.Held() {
		if err := s.erase(c, found{f.seq, *before}, erased); err != nil {
			return err
		}
	}
	if err := list(c, f.seq, before, &f.secret); err != nil {
		return err
	}
	if f.secret.State == vault.Forgotten {
		delete(s.writer.recent, f.secret.Alias)
		_, err := c.remove.exec(f.seq)
		return err
	}
	s.agenda.add(f.secret.Due(), f.seq)
	s.writer.remember(f)
	_, err := c.update.exec(f.secret.AppendRecord(make([]byte, 0, vault.RecordSize)), f.seq)
	return err
}
