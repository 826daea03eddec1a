package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"
)

// floor is what must be done at least: take a payload, give it back, forget it, each step durable where the server's
// is. It knows no tokens, rules, limits, logs or headers.
type floor interface {
	put(id string, payload []byte) error
	open(id string) ([]byte, error)
	ack(id string) error
}

// serveFloor is the main of a floor's process: it prints its address and serves until it is killed.
func serveFloor(kind string) error {
	var f floor = &mapFloor{m: make(map[string][]byte)}
	if url, ok := strings.CutPrefix(kind, "redis "); ok {
		o, err := redis.ParseURL(url)
		if err != nil {
			return err
		}
		o.PoolSize = 64
		f = &redisFloor{redis.NewClient(o)}
	}
	if kind == "sqlite" {
		dir, err := os.MkdirTemp("", "floor")
		if err != nil {
			return err
		}
		if f, err = newSQLFloor(dir + "/floor.db"); err != nil {
			return err
		}
	}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, body []byte, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}
	mux.HandleFunc("PUT /api/secrets/{id}", func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err == nil {
			err = f.put(r.PathValue("id"), payload)
		}
		answer(w, http.StatusCreated, []byte("{}\n"), err)
	})
	mux.HandleFunc("POST /api/secrets/{id}/open", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		payload, err := f.open(r.PathValue("id"))
		w.Header().Set("Content-Length", fmt.Sprint(len(payload)))
		answer(w, http.StatusOK, payload, err)
	})
	mux.HandleFunc("POST /api/secrets/{id}/ack", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, http.StatusNoContent, nil, f.ack(r.PathValue("id")))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "address=%s \n", l.Addr())
	return http.Serve(l, mux)
}

type mapFloor struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (f *mapFloor) put(id string, payload []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.m[id] = payload
	return nil
}

func (f *mapFloor) open(id string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.m[id], nil
}

func (f *mapFloor) ack(id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.m, id)
	return nil
}

// redisFloor is Redis as one would use it: a round trip a step, the payload in one key and what became of it in another.
type redisFloor struct{ client *redis.Client }

var (
	floorOpen = redis.NewScript(`redis.call('SET', KEYS[2], 'leased', 'PX', 120000) return redis.call('GET', KEYS[1])`)
	floorAck  = redis.NewScript(`redis.call('UNLINK', KEYS[1]) return redis.call('SET', KEYS[2], 'read', 'PX', 604800000)`)
)

func floorKeys(id string) []string { return []string{"{" + id + "}", "{" + id + "}:state"} }

func (f *redisFloor) put(id string, payload []byte) error {
	return f.client.SetNX(context.Background(), floorKeys(id)[0], payload, time.Hour).Err()
}

func (f *redisFloor) open(id string) ([]byte, error) {
	text, err := floorOpen.Run(context.Background(), f.client, floorKeys(id)).Text()
	return []byte(text), err
}

func (f *redisFloor) ack(id string) error {
	return floorAck.Run(context.Background(), f.client, floorKeys(id)).Err()
}

// sqlFloor is SQLite as one would use it from database/sql: one table, prepared statements, group commit.
type sqlFloor struct {
	queue chan *step
}

type step struct {
	kind    byte
	id      string
	payload []byte
	err     error
	done    chan struct{}
}

func newSQLFloor(path string) (*sqlFloor, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE s (id TEXT PRIMARY KEY, state INTEGER NOT NULL, payload BLOB NOT NULL)`); err != nil {
		return nil, err
	}
	conn, err := db.Conn(context.Background())
	if err != nil {
		return nil, err
	}
	f := &sqlFloor{queue: make(chan *step, 128)}
	var stmts [6]*sql.Stmt
	for i, q := range []string{
		`BEGIN IMMEDIATE`, `COMMIT`, `INSERT INTO s VALUES (?, 0, ?)`, `UPDATE s SET state = 1 WHERE id = ?`,
		`SELECT payload FROM s WHERE id = ?`, `DELETE FROM s WHERE id = ?`,
	} {
		if stmts[i], err = conn.PrepareContext(context.Background(), q); err != nil { //nolint:sqlclosecheck // lives as long as the process
			return nil, err
		}
	}
	go f.loop(stmts)
	return f, nil
}

func (f *sqlFloor) loop(stmts [6]*sql.Stmt) {
	for s := range f.queue {
		group := []*step{s}
	gather:
		for len(group) < 128 {
			select {
			case s := <-f.queue:
				group = append(group, s)
			default:
				break gather
			}
		}
		_, err := stmts[0].Exec()
		for _, s := range group {
			switch s.kind {
			case 'p':
				_, s.err = stmts[2].Exec(s.id, s.payload)
			case 'o':
				if _, s.err = stmts[3].Exec(s.id); s.err == nil {
					s.err = stmts[4].QueryRow(s.id).Scan(&s.payload)
				}
			case 'a':
				_, s.err = stmts[5].Exec(s.id)
			}
		}
		if err == nil {
			_, err = stmts[1].Exec()
		}
		for _, s := range group {
			if err != nil {
				s.err = err
			}
			close(s.done)
		}
	}
}

func (f *sqlFloor) do(s *step) error {
	s.done = make(chan struct{})
	f.queue <- s
	<-s.done
	return s.err
}

func (f *sqlFloor) put(id string, payload []byte) error {
	return f.do(&step{kind: 'p', id: id, payload: payload})
}

func (f *sqlFloor) open(id string) ([]byte, error) {
	s := &step{kind: 'o', id: id}
	err := f.do(s)
	return s.payload, err
}

func (f *sqlFloor) ack(id string) error { return f.do(&step{kind: 'a', id: id}) }
