package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/hushpost/hushpost/internal/vault"
)

// list follows a change of a record from one list to another. A one-time secret is in none, before and after, and
// costs no statement.
func list(c *conn, seq int64, before, after *vault.Secret) error {
	from, was := vault.Listed(before)
	to, until := vault.Listed(after)
	if from == to && was == until {
		return nil
	}
	if !from.IsZero() {
		if _, err := c.listOut.exec(from[:], int64(before.Created), seq); err != nil {
			return err
		}
	}
	if to.IsZero() {
		return nil
	}
	_, err := c.listIn.exec(to[:], int64(after.Created), seq, int64(until))
	return err
}

// List implements vault.Store. It reads what is committed, beside the writer.
func (s *Store) List(ctx context.Context, list vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	c, err := s.reader(ctx)
	if err != nil {
		return nil, 0, reading(err)
	}
	page, total, err := listed(c, list, s.clock(), skip, limit)
	s.reads <- c
	if err != nil {
		return nil, 0, reading(err)
	}
	return page, total, nil
}

// listed reads a page and the total in one transaction: both are of one moment, so that no total is less than what a
// page shows, and a walk through the pages ends.
func listed(c *conn, list vault.Hash, now vault.Time, skip, limit int) (page []vault.Secret, total int, err error) {
	if _, err := c.beginRead.exec(); err != nil {
		return nil, 0, err
	}
	defer func() {
		_, end := c.rollback.exec() // there is nothing to commit
		err = errors.Join(err, end)
	}()
	count := make([]driver.Value, 1)
	if _, err := c.listCount.row(count, list[:], int64(now)); err != nil {
		return nil, 0, err
	}
	n, ok := count[0].(int64)
	if !ok {
		return nil, 0, fmt.Errorf("counting a list: want a number, got %T", count[0])
	}
	row := make([]driver.Value, 2)
	err = c.listPage.rows(row, func() error {
		f, err := scan(row)
		page = append(page, f.secret)
		return err
	}, list[:], int64(now), int64(limit), int64(skip))
	return page, int(n), err
}
