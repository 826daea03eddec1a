package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

// onSmallDisk runs test in a process of its own, whose dir is a file system of 48 MiB. It is mounted in a
// namespace of that process, and goes with it.
func onSmallDisk(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	const variable = "HUSHPOST_TEST_SMALL_DISK"
	if dir := os.Getenv(variable); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=48m"); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) { test(t, dir) })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), variable+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	switch err := cmd.Start(); {
	case errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "true":
		t.Fatal("CI must be allowed to mount a file system: without it nobody tests full disks")
	case errors.Is(err, syscall.EPERM):
		t.Skip("only root may mount the small file system that this test fills")
	case err != nil:
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}

// fillDisk leaves no byte free, and gives what frees the room again.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "somebody else's file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// refuses creates until there is no room for it: the log's last page may have had some left.
func (s *server) refuses(payload []byte) {
	s.Helper()
	for range 500 {
		switch err := s.tryCreate(payload); {
		case kind(err) == vault.KindFull:
			return
		case err != nil:
			s.Fatalf("creating on a full disk: %v, want KindFull", err)
		}
	}
	s.Fatal("a full disk takes 500 secrets")
}

// TestFullDisk: on a full disk new secrets are refused, and those that wait are opened, acked, declined and
// revoked all the same. When there is room again, secrets are taken again.
func TestFullDisk(t *testing.T) { onSmallDisk(t, fullDisk) }

func fullDisk(t *testing.T, dir string) {
	s := open(t, dir, sqlite.Options{})
	settle(time.Second) // until the reserve is made
	small, inline, large := noise(256), noise(64<<10), noise(1<<20)
	payloads := [][]byte{small, inline, large}
	var refs []vault.Ref
	for range 4 {
		for _, p := range payloads {
			refs = append(refs, s.create(p))
		}
	}
	free := fillDisk(t, dir)
	for _, p := range payloads {
		s.refuses(p)
	}
	for i, p := range payloads { // each way to end all of them
		s.read(refs[i], p)
		for verb, err := range map[string]error{
			"decline": s.vault.Decline(t.Context(), refs[3+i], link),
			"revoke":  s.vault.Revoke(t.Context(), refs[6+i], manage),
		} {
			if err != nil {
				t.Errorf("%s of %d bytes on a full disk: %v", verb, len(p), err)
			}
		}
	}
	for i, ref := range refs[9:] { // what waits still waits
		if m, err := s.vault.Meta(t.Context(), ref, link); err != nil || m.State != vault.Waiting || m.Size != int64(len(payloads[i])) {
			t.Errorf("on a full disk: %+v, %v", m, err)
		}
	}
	free()
	settle(15 * time.Second)
	for i, p := range payloads {
		s.read(s.create(p), p)
		s.read(refs[9+i], p)
	}
	if info, err := os.Stat(filepath.Join(dir, "reserve")); err != nil || info.Size() < 1<<20 {
		t.Errorf("with room again there is no reserve: %v", err)
	}
	if in, err := s.vault.Inspect(t.Context()); err != nil || in.Warning != "" {
		t.Errorf("with room again: %+v, %v", in, err)
	}
	s.close()
}

// TestFullDiskSpent: once the reserve is in use, only a free disk ends the refusals, and the operator is told.
func TestFullDiskSpent(t *testing.T) { onSmallDisk(t, fullDiskSpent) }

func fullDiskSpent(t *testing.T, dir string) {
	s, payload := open(t, dir, sqlite.Options{}), noise(60_000)
	settle(time.Second)
	var refs []vault.Ref
	for i := range 225 { // more than the reserve
		if refs = append(refs, s.create(payload)); i%50 == 49 {
			settle(2 * time.Second)
		}
	}
	free := fillDisk(t, dir)
	s.refuses(payload)
	for _, ref := range refs { // takes more room than is left by chance
		s.read(ref, payload)
	}
	if err := s.tryCreate(nil); kind(err) != vault.KindFull {
		t.Errorf("while the reserve is in use: %v, want KindFull", err)
	}
	if in, err := s.vault.Inspect(t.Context()); err != nil || in.Warning == "" {
		t.Errorf("Inspect does not warn: %+v, %v", in, err)
	}
	free()
	settle(15 * time.Second)
	if err := s.tryCreate(nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
	s.close()
}

// TestFullDiskErases: the log can be written back and emptied on a full disk, so that erased bytes leave it in
// time (PROTOCOL 4.7). For that the database has to grow.
func TestFullDiskErases(t *testing.T) { onSmallDisk(t, fullDiskErases) }

func fullDiskErases(t *testing.T, dir string) {
	s, payload := open(t, dir, sqlite.Options{}), noise(60_000)
	settle(time.Second)
	create := func(n int) {
		for range n {
			s.create(noise(60_000))
		}
	}
	create(90)
	settle(5 * time.Second) // from here on the log has room that the database has not
	create(30)
	early, late := s.create(payload), s.create(payload)
	s.read(early, payload)
	fillDisk(t, dir)
	settle(50 * time.Second)
	s.read(late, payload)
	settle(50 * time.Second)
	if found := holders(t, dir, payload[:64]); len(found) > 0 {
		t.Errorf("50 s after the ack the payload is still in %v", found)
	}
	s.close()
}

// TestFullDiskRestart: a killed server starts again on a full disk, and gives out what waits.
func TestFullDiskRestart(t *testing.T) { onSmallDisk(t, fullDiskRestart) }

func fullDiskRestart(t *testing.T, dir string) {
	s, payload := open(t, filepath.Join(dir, "data"), sqlite.Options{}), noise(60_000)
	settle(time.Second)
	var refs []vault.Ref
	for range 50 {
		refs = append(refs, s.create(payload))
	}
	killed := s.killed()
	free := fillDisk(t, dir)
	s = open(t, killed, sqlite.Options{})
	for _, ref := range refs {
		s.read(ref, payload)
	}
	free()
	settle(15 * time.Second)
	s.read(s.create(payload), payload)
	s.close()
}
