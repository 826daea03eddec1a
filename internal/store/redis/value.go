package redis

import (
	"encoding/binary"
	"errors"
	"sync"

	"github.com/hushpost/hushpost/internal/vault"
)

// insideMax is the largest payload that stands behind its record while nobody has opened the secret: one key instead of
// two is a third of the memory of a padded text. Opening moves it out, so that Redis itself can end it with the lease.
const insideMax = 1 << 10

// Keys of a secret.
func recordKey(a vault.Alias) string  { return "hp:{" + a.String() + "}" }
func payloadKey(a vault.Alias) string { return recordKey(a) + ":p" }
func eventsKey(a vault.Alias) string  { return recordKey(a) + ":e" }

var errDamaged = errors.New("a value in Redis is damaged, or its payload is gone")

// seen is a record as it stands in Redis.
type seen struct {
	secret vault.Secret
	head   string // u16 length of the record || record: what a change is compared with
	inside string // what stands behind it
}

// headOf gives the stored form of a record.
func headOf(s *vault.Secret) string {
	b := s.AppendRecord(append(make([]byte, 0, 2+vault.RecordSize), 0, 0))
	binary.BigEndian.PutUint16(b, uint16(len(b)-2)) //nolint:gosec // G115: a record is at most 5 KiB
	return string(b)
}

func parseValue(a vault.Alias, value string) (seen, error) {
	if len(value) < 2 {
		return seen{}, errDamaged
	}
	n := 2 + int(value[0])<<8 + int(value[1])
	if n > len(value) {
		return seen{}, errDamaged
	}
	secret, err := vault.ParseRecord([]byte(value[2:n]))
	if err != nil || secret.Alias != a {
		return seen{}, errors.Join(errDamaged, err)
	}
	return seen{secret, value[:n], value[n:]}, nil
}

// goesInside says whether the payload of a new secret stands behind its record. A kept one is read again and again, and
// replaced.
func goesInside(s *vault.Secret) bool { return s.Type == vault.OneTime && s.Size <= insideMax }

// payloadEnd is when time ends the payload. What never ends, ends for Redis in the year 287396.
func payloadEnd(s *vault.Secret) vault.Time { return s.Due() }

// recent remembers what this process has seen of records a moment ago: an open follows its create, an ack its open. It may
// be out of date: that costs no more than not knowing.
type recent struct {
	mu   sync.Mutex
	seen map[vault.Alias]seen
}

const recentMax = 4096

func (r *recent) get(a vault.Alias) (seen, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.seen[a]
	return v, ok
}

func (r *recent) put(a vault.Alias, v seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil || len(r.seen) >= recentMax {
		r.seen = make(map[vault.Alias]seen)
	}
	r.seen[a] = v
}

func (r *recent) drop(a vault.Alias) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, a)
}
