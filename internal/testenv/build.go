// Package testenv runs the real server for tests, and looks for secrets where none may be.
// It is no part of what ships, and seals and opens nothing: to it payloads are bytes, as they are to the server.
//
// A package whose tests start servers removes the program they share when they have ended:
//
//	func TestMain(m *testing.M) {
//		defer testenv.Clean()
//		m.Run()
//	}
package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

const serverPackage = "github.com/hushpost/hushpost/cmd/server"

// program is the server, built at most once a process: the tests of one package share it.
var program struct {
	sync.Mutex

	dir  string
	path string
	err  error
}

// Binary gives the path of the server's program and builds it when it is first asked for, with the race detector
// if the test has it.
func Binary(t testing.TB) string {
	t.Helper()
	program.Lock()
	defer program.Unlock()
	if program.path == "" && program.err == nil {
		program.path, program.err = build(t.Context())
	}
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

func build(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "hushpost-testenv-")
	if err != nil {
		return "", err
	}
	program.dir = dir
	path := filepath.Join(dir, "server.exe") // a name that every platform runs
	args := []string{"build", "-o", path}
	if raceDetector {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, serverPackage)...).CombinedOutput() //nolint:gosec // arguments of ours
	if err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return path, nil
}

// Clean removes the program.
func Clean() {
	program.Lock()
	defer program.Unlock()
	if program.dir != "" {
		_ = os.RemoveAll(program.dir)
		program.dir, program.path = "", ""
	}
}
