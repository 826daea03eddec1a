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
	err = s.writer.do(ctx, &job{mayFill: true, files: in.file != nil, run: func(c *conn) error {
		made, again = d.Secret(s.clock(), in.size), nil
		var err error
		if created, err = s.insert(c, &made, in); err != nil || created {
			return err
		}
		f, err := s.writer.find(made.Alias)
		if err != nil {
			return err
		}
		if vault.SameCreation(&f.secret, &made) && f.secret.Size == in.size {
			again, err = findTwin(c, f)
		}
		return err
	}})
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
	var file driver.Value
	var data driver.Value = in.inline
	if in.file != nil {
		data, file = nil, in.file[:]
	}
	s.agenda.add(m.Due(), seq)
	s.writer.remember(found{seq, *m})
	_, err = c.payloadIn.exec(seq, data, file)
	return err == nil, err
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

// Update implements vault.Store.
func (s *Store) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	c, err := s.change(ctx, a, rule, false)
	s.files.remove(c.erased)
	return c.secret, err
}

// Take implements vault.Store.
func (s *Store) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	c, err := s.change(ctx, a, rule, true)
	s.files.remove(c.erased) // only the name goes: the open file can be read to its end
	return c.secret, c.payload, err
}

// changed is what one run of a rule did.
type changed struct {
	secret  vault.Secret
	payload io.ReadCloser // open, if it was to be taken
	erased  []fileRef
	refusal error
}

// drop lets go of a run that does not count.
func (c *changed) drop() {
	if c.payload != nil {
		_ = c.payload.Close()
	}
	*c = changed{}
}

func (s *Store) change(ctx context.Context, a vault.Alias, rule vault.Rule, take bool) (changed, error) {
	var out changed
	err := s.writer.do(ctx, &job{run: func(c *conn) error {
		out.drop()
		f, err := s.writer.find(a)
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
			// Here, in the writer's turn: later, another call may have ended the secret and removed the file, and
			// this one would have opened a secret without handing it out.
			if out.payload, err = s.open(c, f.seq); err != nil {
				return err
			}
		}
		return s.save(c, &before, f, &out.erased)
	}})
	if err != nil {
		out.drop()
		return out, fmt.Errorf("changing the database: %w", err)
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
			if err != nil && !errors.Is(err, errDamaged) { // a payload nobody can read is no reason to keep it
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
		delete(s.writer.recent, f.secret.Alias)
		_, err := c.remove.exec(f.seq)
		return err
	}
	s.agenda.add(f.secret.Due(), f.seq)
	s.writer.remember(f)
	_, err := c.update.exec(f.secret.AppendRecord(make([]byte, 0, vault.RecordSize)), f.seq)
	return err
}

// outgoing is a payload as its row has it.
type outgoing struct {
	data []byte
	file fileRef
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

func (s *Store) open(c *conn, seq int64) (io.ReadCloser, error) {
	kept, err := load(c, seq)
	if err != nil {
		return nil, err
	}
	return kept.open(s.files)
}

func (o *outgoing) open(f files) (io.ReadCloser, error) {
	if o.file != (fileRef{}) {
		return f.open(o.file)
	}
	return io.NopCloser(bytes.NewReader(o.data)), nil
}
