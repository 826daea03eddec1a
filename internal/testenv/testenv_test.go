package testenv_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/hushpost/hushpost/internal/testenv"
)

// TestCanaryIsFound holds the search against every form it promises: a search that finds nothing proves nothing.
func TestCanaryIsFound(t *testing.T) {
	for range 50 {
		secret := testenv.Random(16)
		var c testenv.Canary
		c.Add("it", secret)
		if found := c.Search(testenv.Random(1 << 10)); found != nil {
			t.Fatalf("found in random bytes: %v", found)
		}
		for before := range 4 {
			for after := range 4 {
				text := append(append(testenv.Random(before), secret...), testenv.Random(after)...)
				for name, form := range map[string]string{
					"raw": string(text), "hex": hex.EncodeToString(text),
					"base64": base64.StdEncoding.EncodeToString(text), "base64url": base64.URLEncoding.EncodeToString(text),
					"unpadded": base64.RawURLEncoding.EncodeToString(text),
				} {
					if c.Search([]byte("x"+form+"y")) == nil {
						t.Errorf("%s with %d bytes before and %d behind is not found", name, before, after)
					}
				}
			}
		}
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "sub", hex.EncodeToString(secret)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sub", "file"), append([]byte("--"), secret...), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := c.SearchFolder(dir); err != nil || len(found) != 2 {
			t.Fatalf("want a file and a name, found %v, %v", found, err)
		}
	}
}
