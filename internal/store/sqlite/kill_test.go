package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/store/sqlite"
	"github.com/hushpost/hushpost/internal/vault"
)

const victimDir = "HUSHPOST_TEST_VICTIM"

// TestMain makes the test binary a victim of the tests below, if they ask for it.
func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := victim(context.Background(), dir, os.Getenv(victimDir+"_MODE")); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// start runs a victim over dir and gives what it says, line by line. It lives until kill, or until the test ends.
func start(t *testing.T, dir, mode string) (said *bufio.Scanner, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimDir+"_MODE="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return bufio.NewScanner(out), func() { cmd.Process.Kill() }
}

// victim says what it was promised, as soon as it was promised, until it is killed.
func victim(ctx context.Context, dir, mode string) error {
	store, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		return err
	}
	v := vault.New(store, vault.Options{Key: store.Key()})
	if mode == "upload" {
		halfway := readerFunc(func([]byte) (int, error) { fmt.Println("halfway"); select {} })
		_, _, err := v.Create(ctx, draft(), io.MultiReader(bytes.NewReader(noise(1<<20)), halfway))
		return err
	}
	life := live
	if mode == "kept" {
		life = liveKept
	}
	trouble := make(chan error)
	for worker := range 8 {
		go func() {
			for i := worker; ; i++ {
				if err := life(ctx, v, i); err != nil {
					trouble <- err
				}
			}
		}()
	}
	return <-trouble
}

// payloadOf makes the payload of an id, inline or a file.
func payloadOf(id vault.ID) []byte { return bytes.Repeat(id[:], 10+int(id[0]&1)*9990) }

// live goes some way through a secret's life.
func live(ctx context.Context, v *vault.Vault, i int) error {
	d := draft()
	if _, _, err := v.Create(ctx, d, bytes.NewReader(payloadOf(d.ID))); err != nil {
		return err
	}
	fmt.Println("created", d.ID)
	ref, _ := v.Ref(d.ID.String())
	if i%4 == 0 {
		return nil
	}
	_, payload, err := v.Open(ctx, ref, link, ann, vault.Hash{})
	if err != nil {
		return err
	}
	fmt.Println("opened", d.ID)
	if i%4 == 1 {
		return payload.Close()
	}
	if err := v.Ack(ctx, ref, link, ann); err != nil {
		return err
	}
	fmt.Println("acked", d.ID)
	return payload.Close()
}

// TestKill: after kill -9 at any moment, everything that was promised holds (PROTOCOL 4.7): created secrets are
// there, opened ones have no second reader, acked ones are gone, and no file is left that nobody needs.
func TestKill(t *testing.T) {
	dir, said := t.TempDir(), make(map[string]string)
	for round := range 12 {
		lines, kill := start(t, dir, "")
		for n := 0; lines.Scan(); n++ {
			if n == 20+17*round {
				kill() // and what was said before is still in the pipe
			}
			if what, id, ok := strings.Cut(lines.Text(), " "); ok && len(id) == 36 {
				said[id] = what
			}
		}
		s := open(t, dir, sqlite.Options{})
		large := 0
		for id, last := range said {
			if s.holds(id, last) {
				large++
			}
		}
		if got := len(files(t, dir)); got < large || got > large+8*(round+1) { // a worker each may not have come to say so
			t.Errorf("%d files for %d large payloads", got, large)
		}
		s.close()
	}
	if len(said) < 300 {
		t.Errorf("only %d secrets in 12 rounds", len(said))
	}
}

// holds checks a secret of which last was said last, and reports whether its payload should be a file.
func (s *server) holds(id, last string) (file bool) {
	s.Helper()
	ref, _ := s.vault.Ref(id)
	m, err := s.vault.Meta(s.Context(), ref, link)
	allowed := map[string]string{"created": "waiting leased read", "opened": "leased read", "acked": "read"}[last]
	if err != nil || !strings.Contains(allowed, m.State.String()) {
		s.Errorf("a secret that was %s is %v, %v", last, m.State, err)
		return false
	}
	if m.State == vault.Leased {
		if got, err := s.open(ref, ann); err != nil || !bytes.Equal(got, payloadOf(m.ID)) {
			s.Errorf("its reader gets %d bytes, %v", len(got), err)
		}
	}
	want := map[vault.State]vault.Kind{vault.Waiting: 0, vault.Leased: vault.KindLeased, vault.Read: vault.KindEnded}[m.State]
	if m.State != vault.Waiting { // which stays waiting for the next rounds
		if _, err := s.open(ref, bob); kind(err) != want {
			s.Errorf("a second reader of a secret that was %s: %v", last, err)
		}
	}
	return m.Held() && m.Size > 64<<10
}

// TestKillUpload: what was uploaded by half when the kill came is gone after the next start.
func TestKillUpload(t *testing.T) {
	dir := t.TempDir()
	lines, kill := start(t, dir, "upload")
	if !lines.Scan() || lines.Text() != "halfway" {
		t.Fatalf("the victim says %q, %v", lines.Text(), lines.Err())
	}
	kill()
	for lines.Scan() { // until it is dead
		t.Logf("the victim says %q", lines.Text())
	}
	if left := files(t, dir); len(left) != 1 {
		t.Fatalf("%d files of half an upload: it was not under way", len(left))
	}
	s := open(t, dir, sqlite.Options{})
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("%d files of half an upload after the start", len(left))
	}
	s.close()
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
