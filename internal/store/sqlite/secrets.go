package sqlite

import (
	"bytes"
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
	return found{seq, secret}, err
}

func find(c *conn, a vault.Alias) (found, error) {
	row := make([]driver.Value, 2)
	ok, err := c.find.row(row, int64(a))
	switch {
	case err != nil:
		return found{}, err
	case !ok:
		return found{}, vault.ErrNotFound
	}
	return scan(row)
}

// Get implements vault.Store. It reads what is committed, beside the writer.
func (s *Store) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	select {
	case c := <-s.reads:
		f, err := find(c, a)
		s.reads <- c
		if err != nil {
			return vault.Secret{}, reading(err)
		}
		err = rule(s.clock(), &f.secret)
		return f.secret, err
	case <-ctx.Done():
		return vault.Secret{}, ctx.Err()
	}
}

func reading(err error) error {
	if errors.Is(err, vault.ErrNotFound) {
		return err
	}
	return fmt.Errorf("reading the database: %w", err)
}

// Put implements vault.Store.
func (s *Store) Put(ctx context.Context, d vault.Draft, payload io.Reader) (vault.Secret, bool, error) {
	if s.room.spent() { // before the payload is read: there is no room for it
		return vault.Secret{}, false, vault.ErrFull
	}
	in, err := s.files.receive(payload)
	if err != nil {
		return vault.Secret{}, false, err
	}
	var made vault.Secret
	var created bool
	var twin *found // the same creation as far as the records tell
	err = s.writer.do(ctx, &job{mayFill: true, files: in.file != nil, run: func(c *conn) error {
		made, twin = d.Secret(s.clock(), in.size), nil
		var err error
		if created, err = insert(c, &made, in); err != nil || created {
			return err
		}
		f, err := find(c, made.Alias)
		if err != nil {
			return err
		}
		if vault.SameCreation(&f.secret, &made) {
			twin = &f
		}
		return nil
	}})
	same := false
	if err == nil && twin != nil {
		same, err = s.samePayload(ctx, twin, in)
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
		return twin.secret, false, nil
	default:
		return vault.Secret{}, false, vault.ErrConflict
	}
}

func insert(c *conn, m *vault.Secret, in *incoming) (bool, error) {
	r, err := c.insert.exec(int64(m.Alias), int64(m.Due()), m.AppendRecord(nil))
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
	var file driver.Value
	var data driver.Value = in.inline
	if in.file != nil {
		data, file = nil, in.file[:]
	}
	_, err = c.payloadIn.exec(seq, data, file)
	return err == nil, err
}

// samePayload compares what a repeated creation brought with what is kept.
func (s *Store) samePayload(ctx context.Context, twin *found, in *incoming) (bool, error) {
	if twin.secret.Size != in.size {
		return false, nil
	}
	var kept outgoing
	if err := s.writer.do(ctx, &job{run: func(c *conn) (err error) {
		kept, err = load(c, twin.seq)
		return err
	}}); err != nil {
		return false, err
	}
	a, err := kept.open(s.files)
	if err != nil {
		return false, nil //nolint:nilerr // gone in the meantime: then it is no longer the same
	}
	defer func() { _ = a.Close() }()
	b, err := in.reopen(s.files)
	if err != nil {
		return false, err
	}
	defer func() { _ = b.Close() }()
	return equal(a, b)
}

// Update implements vault.Store.
func (s *Store) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	c, err := s.change(ctx, a, rule, false)
	s.files.remove(c.erased)
	return c.secret, err
}

// Take implements vault.Store.
func (s *Store) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	c, err := s.change(ctx, a, rule, true)
	if err != nil {
		s.files.remove(c.erased)
		return c.secret, nil, err
	}
	payload, err := c.payload.open(s.files) // before the name goes: an open file can be read to its end
	s.files.remove(c.erased)
	if errors.Is(err, errNoFile) {
		// Between our commit and the open, another call ended the secret. What the rule says to that is the answer.
		secret, again := s.Update(ctx, a, rule)
		return secret, nil, errors.Join(again, errIf(again == nil, err))
	}
	return c.secret, payload, err
}

func errIf(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// changed is what one run of a rule did.
type changed struct {
	secret  vault.Secret
	payload outgoing
	erased  []fileRef
	refusal error
}

func (s *Store) change(ctx context.Context, a vault.Alias, rule vault.Rule, take bool) (changed, error) {
	var out changed
	err := s.writer.do(ctx, &job{run: func(c *conn) error {
		out = changed{}
		f, err := find(c, a)
		if errors.Is(err, vault.ErrNotFound) {
			out.refusal = err
			return nil
		}
		if err != nil {
			return err
		}
		before := f.secret
		out.refusal = rule(s.clock(), &f.secret)
		out.secret = f.secret
		if take && out.refusal == nil {
			if out.payload, err = load(c, f.seq); err != nil {
				return err
			}
		}
		return s.save(c, &before, f, &out.erased)
	}})
	if err != nil {
		return changed{}, fmt.Errorf("changing the database: %w", err)
	}
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
		if before.Size > inlineMax {
			out, err := load(c, f.seq)
			if err != nil {
				return err
			}
			*erased = append(*erased, out.file)
		}
		if _, err := c.payloadOut.exec(f.seq); err != nil {
			return err
		}
		s.writer.erased.Store(true)
	}
	if f.secret.State == vault.Forgotten {
		_, err := c.remove.exec(f.seq)
		return err
	}
	_, err := c.update.exec(int64(f.secret.Due()), f.secret.AppendRecord(nil), f.seq)
	return err
}

// Sweep implements vault.Store.
func (s *Store) Sweep(ctx context.Context, limit int, rule vault.Rule) (int, error) {
	var erased []fileRef
	var due []found
	err := s.writer.do(ctx, &job{run: func(c *conn) error {
		erased, due = erased[:0], due[:0]
		now := s.clock()
		row := make([]driver.Value, 2)
		err := c.due.rows(row, func() error {
			f, err := scan(row)
			due = append(due, f)
			return err
		}, int64(now), int64(limit))
		if err != nil {
			return err
		}
		for _, f := range due {
			before := f.secret
			if err := rule(now, &f.secret); err != nil {
				return err
			}
			if err := s.save(c, &before, f, &erased); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return 0, fmt.Errorf("sweeping the database: %w", err)
	}
	s.files.remove(erased)
	return len(due), nil
}

// outgoing is a payload as its row has it.
type outgoing struct {
	data []byte
	file fileRef
	size int64
}

func load(c *conn, seq int64) (outgoing, error) {
	row := make([]driver.Value, 2)
	ok, err := c.payload.row(row, seq)
	if err != nil {
		return outgoing{}, err
	}
	var out outgoing
	if file, isFile := row[1].([]byte); ok && isFile && len(file) == len(out.file) {
		out.file = fileRef(file)
		return out, nil
	}
	data, isData := row[0].([]byte)
	if !ok || !isData {
		return outgoing{}, errDamaged
	}
	out.data = data
	return out, nil
}

func (o *outgoing) open(f files) (io.ReadCloser, error) {
	if o.file != (fileRef{}) {
		return f.open(o.file)
	}
	return io.NopCloser(bytes.NewReader(o.data)), nil
}
