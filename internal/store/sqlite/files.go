package sqlite

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/hushpost/hushpost/internal/vault"
)

// inlineMax is the largest payload that goes into the database. Above it, a file is faster: BLOBs of 1 MiB
// were measured at 60 round trips a second, files at 400.
const inlineMax = 64 << 10

// files is the folder of large payloads. Each file is encrypted with AES-256-CTR under a key of its own, which
// lives in the row: deleting the row erases the content, whatever becomes of the disk's blocks. A key is used
// once, so the counter starts at zero. No tag: whoever reads the payload authenticates it (FORMAT 2.3).
type files struct {
	dir  string
	room *reserve
}

// fileRef is name[16] || key[32], random both.
type fileRef [48]byte

func (r fileRef) path(f files) string { return filepath.Join(f.dir, hex.EncodeToString(r[:16])) }

func (r fileRef) stream() (cipher.Stream, error) {
	block, err := aes.NewCipher(r[16:])
	if err != nil {
		return nil, err
	}
	return cipher.NewCTR(block, make([]byte, aes.BlockSize)), nil //nolint:gosec // G407: no key is used twice
}

var errNoFile = errors.New("a payload's file is gone")

// incoming is a payload on its way into the store: inline, or a synced file that no row names yet.
type incoming struct {
	size   int64
	inline []byte
	file   *fileRef
	buf    *[]byte // behind inline
}

// buffers hold one payload that is small enough, or one step of one that is not. One byte more than
// inlineMax tells the two apart.
var buffers = sync.Pool{New: func() any { b := make([]byte, inlineMax+1); return &b }}

// receive reads r to its end. An error leaves nothing behind.
func (f files) receive(r io.Reader) (*incoming, error) {
	buf := buffers.Get().(*[]byte)
	n, all, err := fill(r, *buf)
	if err == nil && all && n <= inlineMax { // a reader may give its last byte and its end at once
		return &incoming{size: int64(n), inline: (*buf)[:n], buf: buf}, nil
	}
	defer buffers.Put(buf)
	if err != nil {
		return nil, err
	}
	in := &incoming{file: new(fileRef)}
	_, _ = rand.Read(in.file[:]) // never fails
	if in.size, err = f.write(*in.file, r, *buf); err != nil {
		f.remove([]fileRef{*in.file})
		return nil, err
	}
	return in, nil
}

// write makes the file of buf, which is full, and the rest of r, and syncs it.
func (f files) write(ref fileRef, r io.Reader, buf []byte) (size int64, err error) {
	stream, err := ref.stream()
	if err != nil {
		return 0, err
	}
	out, err := os.OpenFile(ref.path(f), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, writing(err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	for n, all := len(buf), false; ; {
		if f.room.spent() { // what is freed for erasing is not for new payloads
			return 0, writing(vault.ErrFull)
		}
		stream.XORKeyStream(buf[:n], buf[:n])
		if _, err := out.Write(buf[:n]); err != nil {
			return 0, writing(err)
		}
		size += int64(n)
		if all {
			return size, writing(out.Sync())
		}
		if n, all, err = fill(r, buf); err != nil {
			return 0, err
		}
	}
}

// fill reads until buf is full or r ends, which all tells. Not io.ReadFull: it reports a short end as
// io.ErrUnexpectedEOF, and net/http reports a cut upload by the same name.
func fill(r io.Reader, buf []byte) (n int, all bool, err error) {
	for n < len(buf) {
		k, err := r.Read(buf[n:])
		n += k
		if err == io.EOF { // bare, as io.Reader has it: anything wrapped is trouble
			return n, true, nil
		}
		if err != nil {
			return n, false, fmt.Errorf("receiving a payload: %w", err)
		}
	}
	return n, false, nil
}

// writing describes trouble with a file without naming it.
func writing(err error) error {
	var path *fs.PathError
	switch {
	case err == nil:
		return nil
	case isNoSpace(err):
		return fmt.Errorf("writing a payload: %w", errors.Join(vault.ErrFull, err))
	case errors.As(err, &path):
		err = path.Err
	}
	return fmt.Errorf("writing a payload: %w", err)
}

func isNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// release gives the buffer back: the payload is kept.
func (in *incoming) release() {
	if in.buf != nil {
		buffers.Put(in.buf)
		in.buf, in.inline = nil, nil
	}
}

// discard takes back a payload that no row names.
func (in *incoming) discard(f files) {
	in.release()
	if in.file != nil {
		f.remove([]fileRef{*in.file})
	}
}

func (in *incoming) reopen(f files) (io.ReadCloser, error) {
	if in.file != nil {
		return f.open(*in.file)
	}
	return io.NopCloser(bytes.NewReader(in.inline)), nil
}

// open reads a file back; errNoFile if it is not there.
func (f files) open(ref fileRef) (io.ReadCloser, error) {
	stream, err := ref.stream()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(ref.path(f))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errNoFile
		}
		return nil, errors.New("opening a payload's file")
	}
	return &struct {
		cipher.StreamReader
		io.Closer
	}{cipher.StreamReader{S: stream, R: file}, file}, nil
}

// remove unlinks files whose rows are gone. What it cannot unlink is unreadable all the same, and goes at
// the next start.
func (f files) remove(refs []fileRef) {
	for _, ref := range refs {
		_ = os.Remove(ref.path(f))
	}
}

// sync makes the names of new files durable.
func (f files) sync() error {
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// removeOrphans unlinks every file that no row names: creations and deletions that a kill interrupted.
func (f files) removeOrphans(c *conn) error {
	named := make(map[string]bool)
	row := make([]driver.Value, 1)
	if err := c.allOfFiles.rows(row, func() error {
		ref, ok := row[0].([]byte)
		if !ok || len(ref) != len(fileRef{}) {
			return errDamaged
		}
		named[hex.EncodeToString(ref[:16])] = true
		return nil
	}); err != nil {
		return err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !named[e.Name()] {
			if err := os.Remove(filepath.Join(f.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// equal compares two payloads to their ends.
func equal(a, b io.Reader) (bool, error) {
	x, y := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer buffers.Put(x)
	defer buffers.Put(y)
	for {
		n, allA, errA := fill(a, *x)
		m, allB, errB := fill(b, *y)
		if errA != nil || errB != nil {
			return false, errors.Join(errA, errB)
		}
		if allA != allB || !bytes.Equal((*x)[:n], (*y)[:m]) {
			return false, nil
		}
		if allA {
			return true, nil
		}
	}
}
