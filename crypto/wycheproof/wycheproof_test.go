package wycheproof_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"github.com/hushpost/hushpost/crypto/internal/primitive"
)

// hexBytes is a field of the vectors that holds bytes in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	*h = b
	return err
}

// load reads the test groups of one file. Each carries its own kind of cases.
func load[Case any](t *testing.T, file string) [][]Case {
	t.Helper()
	data, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		NumberOfTests int `json:"numberOfTests"`
		TestGroups    []struct {
			Tests []Case `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	var groups [][]Case
	n := 0
	for _, g := range vectors.TestGroups {
		groups = append(groups, g.Tests)
		n += len(g.Tests)
	}
	// A file that changed its shape would otherwise pass with nothing run.
	if n == 0 || n != vectors.NumberOfTests {
		t.Fatalf("read %d cases, the file states %d", n, vectors.NumberOfTests)
	}
	return groups
}

type gcmCase struct {
	ID              int `json:"tcId"`
	Comment, Result string
	Key, IV, AAD    hexBytes
	Msg, Ct, Tag    hexBytes
}

func TestAESGCM(t *testing.T) {
	ran, refused := 0, 0
	for _, group := range load[gcmCase](t, "aes_gcm_test.json") {
		for _, c := range group {
			if len(c.Key) == primitive.KeySize && (len(c.IV) == primitive.IVSize || len(c.IV) == primitive.LongIVSize) {
				ran++
				c.run(t)
			} else {
				refused++
				c.mustBeRefused(t)
			}
		}
	}
	mustRun(t, ran)
	mustRun(t, refused)
}

func (c gcmCase) run(t *testing.T) {
	box := append(bytes.Clone(c.Ct), c.Tag...)
	text, err := primitive.OpenInPlace(c.Key, c.IV, c.AAD, bytes.Clone(box))
	if c.Result != "valid" {
		if err == nil {
			t.Errorf("case %d (%s): opened", c.ID, c.Comment)
		}
		return
	}
	if err != nil || !bytes.Equal(text, c.Msg) {
		t.Errorf("case %d (%s): opening gave %x, %v", c.ID, c.Comment, text, err)
	}
	sealed, err := primitive.SealInPlace(c.Key, c.IV, c.AAD, bytes.Clone(c.Msg))
	if len(c.IV) == primitive.LongIVSize { // which is only for reading
		if !errors.Is(err, primitive.ErrSize) {
			t.Errorf("case %d: sealing with a long IV: %v", c.ID, err)
		}
		return
	}
	if err != nil || !bytes.Equal(sealed, box) {
		t.Errorf("case %d (%s): sealing gave %x, %v", c.ID, c.Comment, sealed, err)
	}
}

// mustBeRefused is for key and IV sizes that the protocol does not know: no result, right or wrong, may come back.
func (c gcmCase) mustBeRefused(t *testing.T) {
	if _, err := primitive.SealInPlace(c.Key, c.IV, c.AAD, bytes.Clone(c.Msg)); !errors.Is(err, primitive.ErrSize) {
		t.Errorf("case %d: sealing with a key of %d and an IV of %d bytes: %v", c.ID, len(c.Key), len(c.IV), err)
	}
	if _, err := primitive.OpenInPlace(c.Key, c.IV, c.AAD, append(bytes.Clone(c.Ct), c.Tag...)); !errors.Is(err, primitive.ErrSize) {
		t.Errorf("case %d: opening with a key of %d and an IV of %d bytes: %v", c.ID, len(c.Key), len(c.IV), err)
	}
}

func TestHKDF(t *testing.T) {
	type hkdfCase struct {
		ID              int `json:"tcId"`
		Comment, Result string
		IKM, Salt, Info hexBytes
		Size            int
		OKM             hexBytes
	}
	ran := 0
	for _, group := range load[hkdfCase](t, "hkdf_sha256_test.json") {
		for _, c := range group {
			ran++
			okm, err := primitive.HKDF(c.IKM, c.Salt, c.Info, c.Size)
			if c.Result != "valid" {
				if err == nil {
					t.Errorf("case %d (%s): derived %d bytes", c.ID, c.Comment, c.Size)
				}
				continue
			}
			if err != nil || !bytes.Equal(okm, c.OKM) {
				t.Errorf("case %d (%s): got %x, %v", c.ID, c.Comment, okm, err)
			}
		}
	}
	mustRun(t, ran)
}

func TestPBKDF2(t *testing.T) {
	type pbkdf2Case struct {
		ID              int `json:"tcId"`
		Comment, Result string
		Password, Salt  hexBytes
		IterationCount  int
		DkLen           int
		DK              hexBytes
	}
	ran := 0
	for _, group := range load[pbkdf2Case](t, "pbkdf2_hmacsha256_test.json") {
		for _, c := range group {
			ran++
			dk, err := primitive.PBKDF2(string(c.Password), c.Salt, c.IterationCount, c.DkLen)
			if c.Result != "valid" {
				if err == nil {
					t.Errorf("case %d (%s): stretched", c.ID, c.Comment)
				}
				continue
			}
			if err != nil || !bytes.Equal(dk, c.DK) {
				t.Errorf("case %d (%s): got %x, %v", c.ID, c.Comment, dk, err)
			}
		}
	}
	mustRun(t, ran)
}

func mustRun(t *testing.T, cases int) {
	t.Helper()
	if cases == 0 {
		t.Fatal("no case ran")
	}
	t.Logf("%d cases", cases)
}
