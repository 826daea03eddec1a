package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/hushpost/hushpost/internal/vault"
)

// incoming is a payload that was read to its end.
type incoming struct {
	size   int64
	data   []byte // if it is small
	key    string // else where it was uploaded to, under the secret's hash tag; "" once it has been put in its place
	buffer *[]byte
}

const (
	smallMax  = 64 << 10        // larger ones would be slow to pass through a script
	chunkSize = 9 << 17         // of an upload, and what it takes of our memory: a mebibyte with its padding goes in one piece
	chunkTime = 2 * time.Minute // between two chunks; an upload that stops ends by itself
)

// buffers are of two sizes: for what is small with a byte more, to see that it is, and for chunks.
var (
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, smallMax+1); return &b }}
	chunkBuffers = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}
)

// receive reads a payload to its end. If it has more than most bytes, it goes to Redis piece by piece.
func (s *Store) receive(ctx context.Context, a vault.Alias, payload io.Reader, most int) (*incoming, error) {
	buffer := smallBuffers.Get().(*[]byte)
	n, err := fill(payload, *buffer)
	if err == io.EOF && n <= most { //nolint:errorlint // bare is the end, wrapped is a body that was cut
		return &incoming{size: int64(n), data: (*buffer)[:n], buffer: buffer}, nil
	}
	defer smallBuffers.Put(buffer)
	end := err == io.EOF //nolint:errorlint // as above
	if err != nil && !end {
		return nil, fmt.Errorf("receiving a payload: %w", err)
	}
	in := &incoming{key: payloadUpload(a)}
	if err := s.upload(ctx, in, payload, (*buffer)[:n], end); err != nil {
		s.release(ctx, in)
		return nil, err
	}
	return in, nil
}

func payloadUpload(a vault.Alias) string { return recordKey(a) + ":u:" + rand.Text() }

// fill reads until b is full or the reader ends. It gives the reader's error bare: io.ReadFull says of a short body what
// net/http says of a cut one.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = r.Read(b[n:])
		n += more
	}
	return n, err //nolint:wrapcheck // bare, see above
}

func (s *Store) upload(ctx context.Context, in *incoming, payload io.Reader, head []byte, all bool) error {
	chunk := chunkBuffers.Get().(*[]byte)
	defer chunkBuffers.Put(chunk)
	n := copy(*chunk, head)
	for {
		if !all {
			more, err := fill(payload, (*chunk)[n:])
			n += more
			if all = err == io.EOF; err != nil && !all { //nolint:errorlint // as above
				return fmt.Errorf("receiving a payload: %w", err)
			}
		}
		if n > 0 || in.size == 0 {
			if err := s.appendTo(ctx, in, (*chunk)[:n]); err != nil {
				return storing(err)
			}
		}
		if all {
			return nil
		}
		n = 0
	}
}

// appendTo adds a chunk. It is sent once, so no chunk is there twice; and if what came before it has gone, in a failover or
// because its time was over, the length tells.
func (s *Store) appendTo(ctx context.Context, in *incoming, chunk []byte) error {
	first := in.size == 0
	in.size += int64(len(chunk))
	cmd, err := s.call(ctx, in.key, false, func(b *batch) *redis.Cmd {
		if first {
			return b.command(ctx, "SET", in.key, chunk, "PX", chunkTime.Milliseconds())
		}
		write := b.command(ctx, "APPEND", in.key, chunk)
		b.command(ctx, "PEXPIRE", in.key, chunkTime.Milliseconds())
		return write
	})
	if err != nil || first {
		return err
	}
	if n, err := cmd.Int64(); err != nil || n != in.size {
		return errors.Join(errLost, err)
	}
	return nil
}

// release lets go of what a payload took on its way in.
func (s *Store) release(ctx context.Context, in *incoming) {
	if in.buffer != nil {
		smallBuffers.Put(in.buffer)
		in.buffer, in.data = nil, nil
	}
	if in.key != "" { // nobody took it; if this fails it ends by itself
		_, _ = s.call(context.WithoutCancel(ctx), in.key, false, func(b *batch) *redis.Cmd {
			return b.command(ctx, "UNLINK", in.key)
		})
	}
}

// samePayload compares what a repeated creation brought with what is kept.
func (s *Store) samePayload(ctx context.Context, v *seen, in *incoming) (bool, error) {
	if v.inside != "" || in.size == 0 {
		return v.inside == string(in.data), nil
	}
	key := payloadKey(v.secret.Alias)
	for from := int64(0); from < in.size; from += chunkSize {
		to := from + chunkSize - 1
		mine := new(redis.StringCmd)
		kept, err := s.call(ctx, key, false, func(b *batch) *redis.Cmd {
			if in.key != "" {
				mine = redis.NewStringCmd(ctx, "GETRANGE", in.key, from, to)
				b.do(ctx, mine)
			}
			return b.command(ctx, "GETRANGE", key, from, to)
		})
		if err != nil {
			return false, fmt.Errorf("reading from Redis: %w", err)
		}
		if in.key == "" {
			mine.SetVal(string(in.data))
		}
		if text, err := kept.Text(); err != nil || mine.Err() != nil || text != mine.Val() {
			return false, errors.Join(err, mine.Err()) // or it has ended in the meantime: then it is no longer the same
		}
	}
	return true, nil
}
