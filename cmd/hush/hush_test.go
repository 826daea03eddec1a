package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	main "github.com/hushpost/hushpost/cmd/hush"
	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// server is the real one, for all scripts; each of them is a user of its own.
var server string

// atExit shortens what a program under the race detector sleeps before it ends: a second each time, for hundreds of runs.
const atExit = "atexit_sleep_ms=10"

// suite starts the server around the tests, and not around the command that testscript starts by this binary.
type suite struct{ m *testing.M }

func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "hush-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	defer testenv.Clean()
	if err := os.Setenv("GORACE", atExit); err != nil {
		panic(err)
	}
	stop, err := startServer(dir)
	if err != nil {
		panic(err)
	}
	defer stop()
	return s.m.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(suite{m}, map[string]func(){"hush": main.Main})
}

var listening = regexp.MustCompile(`address="?(127\.0\.0\.1:\d+)`)

// startServer builds ../server, starts it on a free port and learns the port from its log.
func startServer(dir string) (stop func(), err error) {
	binary := filepath.Join(dir, "server")
	if out, err := exec.Command("go", "build", "-o", binary, "../server").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the server: %w\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, "data"), "--limits", "off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	log, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	stop = func() { cancel(); _ = cmd.Wait() }
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			server = "http://" + m[1]
			go func() { _, _ = io.Copy(io.Discard, log) }() // ends with the server
			return stop, nil
		}
	}
	stop()
	return nil, errors.New("the server ended without listening")
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HUSHPOST_SERVER", server)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", atExit)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"compat": compat,
			"edit":   edit,
			"inigma": inigma,
		},
	})
}

// TestRoutesThatHushHasNoCommandFor covers what only the bot asks for.
func TestRoutesThatHushHasNoCommandFor(t *testing.T) {
	c, err := client.New(server, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Health(t.Context()); err != nil {
		t.Error(err)
	}
	sent, err := c.Send(t.Context(), client.Draft{Payload: envelope.Payload{Text: "x"}})
	if err != nil {
		t.Fatal(err)
	}
	key, _ := sent.Link.Key()
	for range 2 { // the second time as after a lost answer
		if err := c.Decline(t.Context(), sent.ID, key.Keys(sent.ID).LinkToken()); err != nil {
			t.Error(err)
		}
	}
	s, err := c.Status(t.Context(), sent.ID, sent.ManageToken)
	if err != nil || s.State != wire.StateDeclined || s.EndedAt == nil {
		t.Errorf("%+v, %v", s, err)
	}
	out, err := exec.CommandContext(t.Context(), "hush", "open", sent.Link.Reveal()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "it was declined") {
		t.Errorf("opening: %s", out)
	}
}

// exits N command args… runs a command that must end with code N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N command args…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d", got)
	}
}

// compat file text stores a secret as a client of only-once-share does (PROTOCOL 4.8) and writes its link to file. With a
// third argument, that file behind a PNG signature becomes the secret's image.
func compat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: compat file text [image]")
	}
	p := envelope.Payload{Text: args[1]}
	if len(args) == 3 {
		p.Files = []envelope.File{{Type: "image/png", Data: []byte("\x89PNG\r\n\x1a\n" + ts.ReadFile(args[2]))}}
	}
	key, id := seal.NewKey(), seal.NewID()
	payload, err := key.Keys(id).SealV1(p)
	ts.Check(err)
	body, err := json.Marshal(map[string]string{"id": string(id), "ciphertext": base64.StdEncoding.EncodeToString(payload)})
	ts.Check(err)
	resp, err := http.Post(server+"/api/secrets", "application/json", bytes.NewReader(body))
	ts.Check(err)
	defer resp.Body.Close()
	var made wire.CompatCreated
	ts.Check(json.NewDecoder(resp.Body).Decode(&made))
	l, err := link.NewOneTime(server, made.Alias, key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(l.Reveal()+"\n"), 0o600))
}

// edit file pattern replacement rewrites a file; \x1b and the like may stand in the replacement.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit file pattern replacement")
	}
	replacement, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	before := ts.ReadFile(args[0])
	after := regexp.MustCompile(args[1]).ReplaceAllString(before, replacement)
	if before == after {
		ts.Fatalf("nothing to replace")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(after), 0o600))
}

// TestInterruptedCreateSaysWhatIsStored presses Ctrl-C while the server has the payload and has not answered.
func TestInterruptedCreateSaysWhatIsStored(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusNoContent: "hush: interrupted; nothing was stored\n",
		http.StatusForbidden: "hush: interrupted; the sealed payload may have been stored. Nobody has its link, so nobody can open it, and it expires by itself. Try again\n",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) { interrupt(t, status, want) })
	}
}

// interrupt has the server answer with status when hush asks it to erase the secret.
func interrupt(t *testing.T, status int, want string) {
	stored, erased := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			_, _ = io.Copy(io.Discard, r.Body)
			close(stored)
			<-r.Context().Done()
		case http.MethodDelete:
			w.WriteHeader(status)
			close(erased)
		}
	}))
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), "hush", "create", "--server", srv.URL, "--text", "x")
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-stored
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	<-erased
	if code := cmd.ProcessState.ExitCode(); code != 1 || stdout.Len() > 0 {
		t.Errorf("exit code %d, standard output %q", code, stdout.String())
	}
	if !strings.HasSuffix(stderr.String(), want) {
		t.Errorf("said %q", stderr.String())
	}
}
