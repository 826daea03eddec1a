package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"

	sqlite3 "modernc.org/sqlite"
)

// conn is one connection with its prepared statements, used by one goroutine at a time.
//
// It stands on the driver itself, not on database/sql: with a single writer there is nothing to pool, and
// what database/sql adds to each statement (locks, conversions, a goroutine that waits for the context) costs
// as much as the statement. For the same reason statements run without a context: they last microseconds.
type conn struct {
	raw driver.Conn

	begin, beginRead, commit, rollback                *stmt
	insert, payloadIn                                 *stmt
	byAlias, bySeq, page, update, remove              *stmt
	payload, payloadOut, allOfFiles                   *stmt
	listIn, listOut, listCount, listPage              *stmt
	eventIn, events, eventHide, eventOut, eventsSweep *stmt
}

// pragmas of every connection. Checkpoints are made by keepHouse: SQLite's own would stop a commit for them.
// busy_timeout covers the moments when the log is restarted.
var pragmas = []string{
	"journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "busy_timeout(10000)",
	"wal_autocheckpoint(0)", "cache_size(-8192)", "temp_store(MEMORY)", "trusted_schema(OFF)",
}

func openConn(path string) (*conn, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	raw, err := (&sqlite3.Driver{}).Open(dsn.String())
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw}, nil
}

func (c *conn) close() error {
	for _, p := range c.statements() {
		if p.to != nil && *p.to != nil {
			if err := (*p.to).raw.Close(); err != nil {
				return err
			}
		}
	}
	return c.raw.Close()
}

// background is the context of every statement: none of them is worth ending early, and an ended one would undo
// the group it is in.
var background = context.Background()

// exec runs SQL that is not worth preparing.
func (c *conn) exec(sql string) error {
	_, err := c.raw.(driver.ExecerContext).ExecContext(background, sql, nil)
	return err
}

// numbers runs SQL that answers with one row of integers.
func (c *conn) numbers(sql string) (ns []int64, err error) {
	r, err := c.raw.(driver.QueryerContext).QueryContext(background, sql, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	row := make([]driver.Value, len(r.Columns()))
	if err := r.Next(row); err != nil {
		return nil, err
	}
	for _, v := range row {
		n, ok := v.(int64)
		if !ok {
			return nil, fmt.Errorf("want a number, got %T", v)
		}
		ns = append(ns, n)
	}
	return ns, nil
}

type statement struct {
	to  **stmt
	sql string
}

func (c *conn) statements() []statement {
	return []statement{
		{&c.begin, `BEGIN IMMEDIATE`},
		{&c.beginRead, `BEGIN`},
		{&c.commit, `COMMIT`},
		{&c.rollback, `ROLLBACK`},
		{&c.insert, `INSERT INTO secrets (alias, record) VALUES (?, ?) ON CONFLICT (alias) DO NOTHING`},
		{&c.payloadIn, `INSERT INTO payloads (secret, data, file) VALUES (?, ?, ?)`},
		{&c.byAlias, `SELECT seq, record FROM secrets WHERE alias = ?`},
		{&c.bySeq, `SELECT seq, record FROM secrets WHERE seq = ?`},
		{&c.page, `SELECT seq, record FROM secrets WHERE seq > ? ORDER BY seq LIMIT ?`},
		{&c.update, `UPDATE secrets SET record = ? WHERE seq = ?`},
		{&c.remove, `DELETE FROM secrets WHERE seq = ?`},
		{&c.payload, `SELECT data, file FROM payloads WHERE secret = ?`},
		{&c.payloadOut, `DELETE FROM payloads WHERE secret = ?`},
		{&c.listIn, `INSERT INTO lists (list, created, seq, until) VALUES (?, ?, ?, ?)`},
		{&c.listOut, `DELETE FROM lists WHERE list = ? AND created = ? AND seq = ?`},
		{&c.listCount, `SELECT count(*) FROM lists WHERE list = ? AND until > ?`},
		// Not a join: that would look up the record of every row that is skipped. A row without its record comes as
		// NULL, and is trouble.
		{&c.listPage, `SELECT seq, (SELECT record FROM secrets WHERE secrets.seq = lists.seq) FROM lists
			WHERE list = ? AND until > ? ORDER BY created DESC, seq DESC LIMIT ? OFFSET ?`},
		{&c.eventIn, `INSERT INTO events (creator, at, type, secret, context) VALUES (?, ?, ?, ?, ?)`},
		{&c.events, `SELECT seq, at, type, secret, context FROM events WHERE creator = ? AND hidden <= ? ORDER BY seq LIMIT ?`},
		{&c.eventHide, `UPDATE events SET hidden = ? WHERE seq = ?`},
		{&c.eventOut, `DELETE FROM events WHERE seq = ? AND creator = ?`},
		{&c.eventsSweep, `DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at <= ? ORDER BY seq LIMIT ?)`},
		{&c.allOfFiles, `SELECT file FROM payloads WHERE file IS NOT NULL`},
	}
}

func (c *conn) prepare() error {
	for _, p := range c.statements() {
		s, err := c.prepareOne(p.sql)
		if err != nil {
			return fmt.Errorf("preparing a statement: %w", err)
		}
		*p.to = s
	}
	return nil
}

func (c *conn) prepareOne(sql string) (*stmt, error) {
	raw, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, err
	}
	return &stmt{raw: raw.(driverStmt)}, nil
}

type driverStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type stmt struct {
	raw  driverStmt
	args []driver.NamedValue // reused: a connection runs one statement at a time
}

func (s *stmt) bind(args []driver.Value) []driver.NamedValue {
	s.args = s.args[:0]
	for i, v := range args {
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.args
}

func (s *stmt) exec(args ...driver.Value) (driver.Result, error) {
	r, err := s.raw.ExecContext(background, s.bind(args))
	clear(s.args) // keeps no payload alive
	return r, err
}

// row reads at most one row into dest.
func (s *stmt) row(dest []driver.Value, args ...driver.Value) (found bool, err error) {
	err = s.rows(dest, func() error { found = true; return errEnough }, args...)
	return found, err
}

var errEnough = errors.New("enough")

// rows calls each after each row was read into dest; errEnough ends it early and well.
func (s *stmt) rows(dest []driver.Value, each func() error, args ...driver.Value) (err error) {
	r, err := s.raw.QueryContext(background, s.bind(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		switch err := r.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		switch err := each(); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
	}
}

// isFull tells a full disk from other trouble.
func isFull(err error) bool {
	const full, ioErrSHMSize = 13, 10 | 19<<8 // SQLITE_FULL, SQLITE_IOERR_SHMSIZE
	var e *sqlite3.Error
	return isNoSpace(err) || errors.As(err, &e) && (e.Code()&0xff == full || e.Code() == ioErrSHMSize)
}
