package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hushpost/hushpost/"

// linked lists the packages of this module that a program links.
func linked(t *testing.T, program string) (all []string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+program).Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if name, ours := strings.CutPrefix(path, module); ours {
			all = append(all, name)
		}
	}
	return all
}

// TestServerCannotOpen: no code that could open a secret is in the server. The other half of the same promise is that
// what opens secrets knows the server by its protocol alone.
func TestServerCannotOpen(t *testing.T) {
	for _, c := range []struct {
		program string
		needs   []string // otherwise this test would be about nothing
		never   []string
	}{
		{"cmd/server", []string{"internal/vault", "internal/httpd", "internal/wire"}, []string{"crypto/", "internal/client", "integrations", "cmd/hush"}},
		{"cmd/hush", []string{"crypto/seal", "internal/client", "internal/wire"}, []string{"internal/vault", "internal/store/", "internal/httpd", "cmd/server"}},
	} {
		packages := linked(t, c.program)
		for _, name := range c.needs {
			if !slices.Contains(packages, name) {
				t.Errorf("%s does not link %s", c.program, name)
			}
		}
		for _, name := range packages {
			for _, prefix := range c.never {
				if strings.HasPrefix(name, prefix) {
					t.Errorf("%s links %s", c.program, name)
				}
			}
			if name == "internal/testenv" || strings.HasSuffix(name, "/storetest") {
				t.Errorf("%s links what is for tests: %s", c.program, name)
			}
		}
	}
}
