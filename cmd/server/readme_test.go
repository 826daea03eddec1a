package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// The README shows the table of settings as --help prints it.
func TestReadmeShowsTheSettings(t *testing.T) {
	var help bytes.Buffer
	usage(&help)
	_, table, _ := strings.Cut(help.String(), "SETTING")
	table, _, _ = strings.Cut("SETTING"+table, "\n\n--version")
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```text\n"+strings.TrimRight(table, "\n")+"\n```") {
		t.Error("README.md has another table of settings than --help; replace it by:\n" + table)
	}
}
