package sqlite

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"io"
)

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

// keep writes the row of a payload that came in.
func (in *incoming) keep(c *conn, seq int64) error {
	var file driver.Value
	var data driver.Value = in.inline
	if in.file != nil {
		data, file = nil, in.file[:]
	}
	_, err := c.payloadIn.exec(seq, data, file)
	return err
}

// erase drops the row of a payload, and adds its file to those that go once this is on the disk.
func (s *Store) erase(c *conn, f found, erased *[]fileRef) error {
	if f.secret.Size > inlineMax {
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
	return nil
}
