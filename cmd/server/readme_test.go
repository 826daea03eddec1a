package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The README shows the table of settings as --help prints it.
func TestReadmeShowsTheSettings(t *testing.T) {
	var help bytes.Buffer
	usage(&help)
	_, table, _ := strings.Cut(help.String(), "SETTING")
	table, _, _ = strings.Cut("SETTING"+table, "\n\n--version")
	if !strings.Contains(readme(t), "```text\n"+table+"\n```") {
		t.Error("README.md has another table of settings than --help; replace it by:\n" + table)
	}
}

// Every promise of the README names tests that exist.
func TestReadmePromisesHaveTests(t *testing.T) {
	have := make(map[string]bool)
	definition := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range definition.FindAllStringSubmatch(string(b), -1) {
			have[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	promises := 0
	for line := range strings.Lines(readme(t)) {
		names := regexp.MustCompile("`(Test\\w+)").FindAllStringSubmatch(line, -1)
		if len(names) > 0 {
			promises++
		}
		for _, m := range names {
			if !have[m[1]] {
				t.Errorf("README.md names %s, which is no test", m[1])
			}
		}
	}
	if promises < 10 {
		t.Errorf("README.md promises %d things with a test; has the table gone?", promises)
	}
}
