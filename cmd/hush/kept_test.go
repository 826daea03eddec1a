package main_test

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/wire"
)

// hush runs a command as a user whose state is in dir.
func hush(t *testing.T, dir, at, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "hush", args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir, "HUSHPOST_SERVER="+at)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// TestKeptCanary runs every command on kept secrets, on success and failure, and looks for what none of them may say on
// standard error or leave in a file.
func TestKeptCanary(t *testing.T) {
	t.Parallel() // nearly all of it is stretching
	const text = "the canary in the kept mine"
	sender, reader := t.TempDir(), t.TempDir()
	var said strings.Builder
	run := func(dir, stdin string, args ...string) string {
		t.Helper()
		stdout, stderr, err := hush(t, dir, server, stdin, args...)
		said.WriteString(stderr)
		if err != nil {
			said.WriteString(stdout) // of a failure, not even standard output
		}
		return strings.TrimSpace(stdout)
	}
	made := run(sender, text, "keep")
	l, err := link.Parse(made)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := l.Kept()
	run(reader, made, "open")
	run(reader, made, "claim")
	run(reader, made, "claim")
	run(sender, made, "open")
	run(sender, made, "claim")
	run(reader, "", "kept")
	run(reader, "", "kept", "show", "--", l.Ref)
	run(sender, "", "kept", "show", "--", l.Ref)
	run(sender, "", "label", "--", l.Ref, "x")
	run(reader, "", "label", "--", l.Ref, "x")
	own, err := seal.ParseKept(run(reader, "", "key", "export"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := seal.ParseKept(run(sender, "", "key", "export"))
	if err != nil {
		t.Fatal(err)
	}
	run(reader, other.Encode(), "key", "import")
	run(reader, "x"+other.Encode()+"!", "key", "import")
	run(sender, "", "delete", "--", l.Ref)
	run(reader, "", "delete", "--", l.Ref)
	run(reader, made, "open")
	run(reader, "", "kept", "--server", "http://127.0.0.1:1")

	var everywhere, files testenv.Canary
	for name, secret := range map[string]string{"the text": text, "the link's key": key.Encode(), "the id": l.Ref} {
		everywhere.Add(name, []byte(secret))
	}
	for name, k := range map[string]seal.Kept{"the reader": own, "the sender": other} {
		everywhere.Add(name+"'s short uid", []byte(keyring.LegacyUID(k)))
		everywhere.Add(name+"'s uid", []byte(keyring.UID(k)))
		files.Add(name+"'s key", []byte(k.Encode()))
	}
	for _, found := range append(everywhere.Search([]byte(said.String())), files.Search([]byte(said.String()))...) {
		t.Errorf("standard error shows %s", found)
	}
	for _, dir := range []string{sender, reader} {
		found, err := everywhere.SearchFolder(dir)
		if err != nil || len(found) > 0 {
			t.Errorf("left in a file: %v, %v", found, err)
		}
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
			if text, err := os.ReadFile(path); err == nil && filepath.Base(path) != "key" && len(files.Search(text)) > 0 {
				t.Errorf("a key is in %s", filepath.Base(path))
			}
			return nil
		})
	}
}

// TestStrictServer claims, at a server that wants a proof and counts misses, what was made without one and what was not.
func TestStrictServer(t *testing.T) {
	t.Parallel() // nearly all of it is stretching
	srv := testenv.StartServer(t, "--strict=on", "--limits=on")
	dir := t.TempDir()
	c, err := client.New(srv.URL, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := seal.NewKept()
	sealed, err := key.Seal("made by inigma")
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Keep(t.Context(), client.NewKept{Sealed: sealed, Creator: client.Anonymous(), Days: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.NewKept(srv.URL, v.Reveal(), key)
	if err != nil {
		t.Fatal(err)
	}
	const want = "nobody has claimed it, but this server lets nobody: what its maker used gave no proof to claim it by. hush open shows it"
	if out, stderr, err := hush(t, dir, srv.URL, l.Reveal(), "claim"); err == nil || out != "" || !strings.Contains(stderr, want) {
		t.Errorf("%q, %q, %v", out, stderr, err)
	}
	made, _, err := hush(t, dir, srv.URL, "ours", "keep")
	if err != nil {
		t.Fatal(err)
	}
	if out, stderr, err := hush(t, dir, srv.URL, made, "claim"); err != nil || out != "ours" {
		t.Errorf("%q, %q, %v", out, stderr, err)
	}
	// Looking at lists that are empty is no guessing, whatever one does at a terminal within a minute.
	for range 10 {
		if _, stderr, err := hush(t, dir, srv.URL, "", "kept"); err != nil {
			t.Fatal(stderr)
		}
	}
}

// TestIDsThatBeginWithADash needs ids that a server gives once in a while only.
func TestIDsThatBeginWithADash(t *testing.T) {
	const view = "--abcdefghijklmnopqrstuvw"
	var deleted atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/list-secrets":
			_ = json.NewEncoder(w).Encode(wire.KeptList{Total: 1, Secrets: []wire.KeptEntry{{ID: view, CustomName: "\x1b[31m", Display: "3\ndays", Type: "days"}}})
		case "/api/list-pending-secrets":
			_ = json.NewEncoder(w).Encode(wire.KeptList{})
		case "/api/delete-secret":
			var q wire.ViewRequest
			if json.NewDecoder(r.Body).Decode(&q) == nil && q.View == view {
				deleted.Add(1)
			}
			_ = json.NewEncoder(w).Encode(wire.KeptDone{Status: "success"})
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	if _, _, err := hush(t, dir, srv.URL, "hushpost "+seal.NewKept().Encode(), "key", "import"); err != nil {
		t.Fatal(err)
	}
	// What a server says of a secret does not control the terminal either.
	list, _, err := hush(t, dir, srv.URL, "", "kept")
	if err != nil || !strings.Contains(list, "\nabcdefgh  owned  3\\ndays    \\x1b[31m\n") {
		t.Errorf("%q, %v", list, err)
	}
	for i, args := range [][]string{{"abcdefgh"}, {"abc"}, {"--", "--abc"}, {"--", view}} {
		if _, stderr, err := hush(t, dir, srv.URL, "", append([]string{"delete"}, args...)...); err != nil || int(deleted.Load()) != i+1 {
			t.Errorf("%q: %q, %v", args, stderr, err)
		}
	}
}

// TestServersThatKeepNothing asks servers that know nothing of kept secrets, or are in trouble.
func TestServersThatKeepNothing(t *testing.T) {
	t.Parallel() // nearly all of it is stretching
	own := seal.NewKept()
	dir := t.TempDir()
	if _, _, err := hush(t, dir, server, "hushpost "+own.Encode(), "key", "import"); err != nil {
		t.Fatal(err)
	}
	const view, key = "abcdefghijklmnopqrstuvwxy", "abcdefghijklmnopqrstuvwxyzabcdef"
	for _, test := range []struct {
		name, body string
		status     int
		want       map[string]string
	}{
		{"another program", "404 page not found", http.StatusNotFound, map[string]string{
			"keep --text x": "no Hushpost server; nothing was stored", "kept": "keeps no secrets; nothing was changed. Check --server",
			"open": "no Hushpost server, or one that keeps no secrets; nothing was changed. Check the address", "claim": "keeps no secrets",
			"delete " + view: "keeps no secrets", "label " + view + " x": "keeps no secrets", "kept show " + view: "keeps no secrets",
		}},
		{"our own", `{"error":"There is no such page or API route.","code":"not_found"}`, http.StatusNotFound, map[string]string{
			"keep --text x": "nothing was stored", "open": "keeps no secrets", "delete " + view: "keeps no secrets",
		}},
		{"a full one", `{"detail":"The server has no room; nothing was stored."}`, http.StatusInsufficientStorage, map[string]string{
			"keep --text x": "the server has no room for new secrets; nothing was stored",
		}},
		{"a strict one", `{"detail":[{"loc":["body","ttl"],"msg":"Value error, this server does not keep secrets for so long","type":"value_error"}]}`, http.StatusUnprocessableEntity, map[string]string{
			"keep --text x":  "the server does not accept this: ttl: Value error, this server does not keep secrets for so long; nothing was stored",
			"delete " + view: "the server does not accept this.*nothing was deleted", "kept": "the server answered 422",
		}},
		{"one that has had enough", `{"detail":"Too many requests"}`, http.StatusTooManyRequests, map[string]string{
			"keep --text x": "nothing was stored", "delete " + view: "429.*may not be deleted yet; try again",
		}},
		{"an expired secret's", `{"message":"expired","redirect_root":"true"}`, http.StatusGone, map[string]string{
			"open": "it has expired and is erased. Ask the sender for a new one", "claim": "it has expired",
		}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		for args, want := range test.want {
			stdout, stderr, err := hush(t, dir, srv.URL, srv.URL+"/view?view="+view+"#key="+key, strings.Fields(args)...)
			if err == nil || stdout != "" || !matches(want, stderr) {
				t.Errorf("%s, %s: %q", test.name, args, stderr)
			}
			if strings.Contains(stderr, view) || strings.Contains(stderr, key) {
				t.Errorf("%s, %s: repeats an id or a key", test.name, args)
			}
		}
		srv.Close()
	}
}

// matches: the parts of want, between .*, stand in s one after the other.
func matches(want, s string) bool {
	for part := range strings.SplitSeq(want, ".*") {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}

// TestInterruptedKeepSaysWhatIsStored presses Ctrl-C while the server has the secret and has not answered.
func TestInterruptedKeepSaysWhatIsStored(t *testing.T) {
	t.Parallel() // nearly all of it is stretching
	for status, want := range map[int]string{
		http.StatusOK:        "hush: interrupted; nothing was stored\n",
		http.StatusForbidden: "hush: interrupted; the sealed payload may have been stored. Nobody has its link, so nobody can open it; hush kept --pending lists it if it is there. Try again\n",
	} {
		stored, asked := make(chan struct{}), atomic.Int32{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			switch {
			case asked.Add(1) == 1:
				close(stored)
				<-r.Context().Done()
			case r.URL.Path == "/api/create":
				_ = json.NewEncoder(w).Encode(wire.KeptCreated{View: "abcdefghijklmnopqrstuvwxy"})
			default:
				w.WriteHeader(status)
				_ = json.NewEncoder(w).Encode(wire.KeptDone{Status: "success"})
			}
		}))
		cmd := exec.CommandContext(t.Context(), "hush", "keep", "--server", srv.URL, "--text", "x")
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
		if code := cmd.ProcessState.ExitCode(); code != 1 || stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), want) {
			t.Errorf("exit code %d, standard output %q, said %q", code, stdout.String(), stderr.String())
		}
		srv.Close()
	}
}

// TestUndoneClaim covers a route that hush has no command for: our clients' secrets cannot be claimed without proof, so for
// their authors there is nothing to undo.
func TestUndoneClaim(t *testing.T) {
	c, err := client.New(server, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	author, thief, key := client.Owner{Key: seal.NewKept()}, client.Owner{Key: seal.NewKept()}, seal.NewKept()
	sealed, err := key.Seal("mine")
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Keep(t.Context(), client.NewKept{Sealed: sealed, Creator: author.UID(), Days: 1}, nil) // without a claim hash
	if err != nil {
		t.Fatal(err)
	}
	garbage, err := thief.Key.Seal("garbage")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Claim(t.Context(), client.NewClaim{View: v, UID: thief.UID(), Sealed: garbage}, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.UndoClaim(t.Context(), v, thief.UID()); client.Code(err) != wire.CodeNotFound {
		t.Errorf("undone by the thief: %v", err)
	}
	if err := c.UndoClaim(t.Context(), v, author.UID()); err != nil {
		t.Fatal(err)
	}
	if s, err := c.View(t.Context(), v, client.Anonymous(), nil); err != nil || s.Message != sealed.Message || s.IsOwner {
		t.Errorf("after that: %v", err)
	}
}
