package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// Events implements vault.EventStore.
func (s *Store) Events(ctx context.Context, creator string, limit int, hide time.Duration) ([]vault.Event, error) {
	var out []vault.Event
	err := s.writer.do(ctx, &job{run: func(c *conn) error {
		out = out[:0]
		now := s.clock()
		row := make([]driver.Value, 5)
		if err := c.events.rows(row, func() error {
			e, err := scanEvent(row)
			e.Creator = creator
			out = append(out, e)
			return err
		}, creator, int64(now), int64(limit)); err != nil {
			return err
		}
		for _, e := range out {
			seq, err := strconv.ParseInt(e.ID, 10, 64)
			if err != nil {
				return err
			}
			if _, err := c.eventHide.exec(int64(now.Add(hide)), seq); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return nil, fmt.Errorf("handing out events: %w", err)
	}
	return out, nil
}

func scanEvent(row []driver.Value) (vault.Event, error) {
	seq, ok1 := row[0].(int64)
	at, ok2 := row[1].(int64)
	kind, ok3 := row[2].(string)
	id, ok4 := row[3].([]byte)
	if !ok1 || !ok2 || !ok3 || !ok4 || len(id) != len(vault.ID{}) {
		return vault.Event{}, errDamaged
	}
	note, _ := row[4].([]byte) // NULL is no context
	return vault.Event{ID: strconv.FormatInt(seq, 10), At: vault.Time(at), Type: kind, Secret: vault.ID(id), Context: note}, nil
}

// AckEvents implements vault.EventStore.
func (s *Store) AckEvents(ctx context.Context, creator string, ids []string) error {
	err := s.writer.do(ctx, &job{run: func(c *conn) error {
		for _, id := range ids {
			seq, err := strconv.ParseInt(id, 10, 64)
			if err != nil {
				continue // never one of ours
			}
			if _, err := c.eventOut.exec(seq, creator); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("dropping events: %w", err)
	}
	return nil
}

// SweepEvents implements vault.EventStore.
func (s *Store) SweepEvents(ctx context.Context, limit int, keep time.Duration) (n int, err error) {
	err = s.writer.do(ctx, &job{run: func(c *conn) error {
		r, err := c.eventsSweep.exec(int64(s.clock().Add(-keep)), int64(limit))
		if err != nil {
			return err
		}
		dropped, err := r.RowsAffected()
		n = int(dropped)
		return err
	}})
	if err != nil {
		return 0, fmt.Errorf("sweeping events: %w", err)
	}
	return n, nil
}
