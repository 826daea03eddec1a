package main_test

import (
	"flag"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
)

// TestMain lets more tests run at once than there are processors: they mostly wait, for uploads that do not come, for
// servers that do not answer, for files to be erased.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	defer testenv.Clean()
	m.Run()
}
