package storetest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hushpost/hushpost/internal/vault"
)

// memory is the least that keeps the contract: one lock, one map. It shows that the suite can be passed, and
// mutants of it show what the suite notices.
type memory struct {
	mu     sync.Mutex
	now    func() time.Time
	late   time.Duration // of its sweeps
	closed bool
	kept   map[vault.Alias]entry
}

type entry struct {
	secret  vault.Secret
	payload []byte
}

var errClosed = errors.New("closed")

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, kept: make(map[vault.Alias]entry)}
}

func (m *memory) Put(_ context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	payload, err := io.ReadAll(r)
	if err != nil {
		return vault.Secret{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return vault.Secret{}, false, errClosed
	}
	made := d.Secret(vault.At(m.now()), int64(len(payload)))
	have, taken := m.kept[made.Alias]
	switch {
	case !taken || vault.Gone(made.Created, have.secret):
		m.kept[made.Alias] = entry{made, payload}
		return made, true, nil
	case vault.SameCreation(&have.secret, &made) && bytes.Equal(have.payload, payload):
		return have.secret, false, nil
	default:
		return vault.Secret{}, false, vault.ErrConflict
	}
}

func (m *memory) Get(_ context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, known := m.kept[a]
	switch {
	case m.closed:
		return vault.Secret{}, errClosed
	case !known:
		return vault.Secret{}, vault.ErrNotFound
	}
	err := rule(vault.At(m.now()), &have.secret)
	return have.secret, err
}

func (m *memory) Update(_ context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	s, _, err := m.change(a, rule, nil)
	return s, err
}

var errGone = errors.New("the payload is gone")

func (m *memory) Take(_ context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	s, payload, err := m.change(a, rule, func(e *entry) error {
		if e.payload == nil {
			return errGone
		}
		return nil
	})
	if err != nil {
		return s, nil, err
	}
	return s, io.NopCloser(bytes.NewReader(payload)), nil
}

func (m *memory) Replace(_ context.Context, a vault.Alias, rule vault.Rule, r io.Reader) (vault.Secret, error) {
	payload, err := io.ReadAll(r)
	if err != nil {
		return vault.Secret{}, err
	}
	s, _, err := m.change(a, rule, func(e *entry) error {
		if e.secret.Held() {
			e.payload, e.secret.Size = payload, int64(len(payload))
		}
		return nil
	})
	return s, err
}

func (m *memory) List(_ context.Context, list vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, 0, errClosed
	}
	var all []vault.Secret
	for _, e := range m.kept {
		if in, until := vault.Listed(&e.secret); in == list && until > vault.At(m.now()) {
			all = append(all, e.secret)
		}
	}
	slices.SortFunc(all, func(a, b vault.Secret) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.Alias, b.Alias))
	})
	return all[min(skip, len(all)):min(skip+limit, len(all))], len(all), nil
}

// change runs rule, and then if it allows what else the verb does; it gives the payload as it was before.
func (m *memory) change(a vault.Alias, rule vault.Rule, then func(*entry) error) (vault.Secret, []byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	have, known := m.kept[a]
	switch {
	case m.closed:
		return vault.Secret{}, nil, errClosed
	case !known:
		return vault.Secret{}, nil, vault.ErrNotFound
	}
	payload := have.payload
	err := rule(vault.At(m.now()), &have.secret)
	if then != nil && err == nil {
		if err := then(&have); err != nil {
			return vault.Secret{}, nil, err
		}
	}
	m.keep(a, have)
	return have.secret, payload, err
}

func (m *memory) keep(a vault.Alias, e entry) {
	if !e.secret.Held() {
		e.payload = nil
	}
	m.kept[a] = e
	if e.secret.State == vault.Forgotten {
		delete(m.kept, a)
	}
}

func (m *memory) Sweep(_ context.Context, limit int, rule vault.Rule) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, errClosed
	}
	now := vault.At(m.now())
	var due []vault.Alias
	for a, e := range m.kept {
		if len(due) < limit && e.secret.Due() <= now.Add(-m.late) {
			due = append(due, a)
		}
	}
	for _, a := range slices.Clone(due) {
		e := m.kept[a]
		if err := rule(now, &e.secret); err != nil {
			return 0, err
		}
		m.keep(a, e)
	}
	return len(due), nil
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
