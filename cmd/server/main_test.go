package main_test

import (
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
)

func TestMain(m *testing.M) {
	defer testenv.Clean()
	m.Run()
}
