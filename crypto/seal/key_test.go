package seal_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/seal"
)

func TestKeySpelling(t *testing.T) {
	k := seal.NewKey()
	s := k.Encode()
	if got, err := seal.ParseKey(s); err != nil || !got.Equal(k) {
		t.Fatalf("reading it back: %v", err)
	}
	if seal.NewKey().Equal(k) || (seal.Key{}).Equal(seal.Key{}) || !(seal.Key{}).IsZero() || k.IsZero() {
		t.Error("Equal or IsZero is wrong")
	}
	if (seal.Key{}).Encode() != "" {
		t.Error("the zero key has characters")
	}
	const good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	bad := map[string]string{
		"empty": "", "short": good[:42], "long": good + "A", "padded": good + "=",
		"trailing bits": good[:42] + "9", "standard alphabet": "+" + good[1:], "slash": "/" + good[1:],
		"line break": good[:42] + "\n", "line break inside": good[:20] + "\n" + good[20:42], "space": " " + good[1:], "not ASCII": "ä" + good[2:],
	}
	for name, s := range bad {
		if _, err := seal.ParseKey(s); !errors.Is(err, seal.ErrKey) {
			t.Errorf("key, %s: %v", name, err)
		}
		if _, err := seal.ParseToken(s); !errors.Is(err, seal.ErrToken) {
			t.Errorf("token, %s: %v", name, err)
		}
	}
}

func TestToken(t *testing.T) {
	a := seal.NewToken()
	b, err := seal.ParseToken(a.Reveal())
	if err != nil || !a.Equal(b) || a.Equal(seal.NewToken()) {
		t.Fatalf("reading it back: %v", err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(a.Reveal())
	if h := sha256.Sum256(raw); a.Hash() != h || a.HashText() != base64.RawURLEncoding.EncodeToString(h[:]) {
		t.Error("the hash is not SHA-256 of the token")
	}
	var zero seal.Token
	if zero.Reveal() != "" || zero.Equal(zero) || !zero.IsZero() || zero.Hash() == sha256.Sum256(nil) {
		t.Error("the zero token proves something")
	}
}

func TestID(t *testing.T) {
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[seal.ID]bool{}
	for range 1000 {
		id := seal.NewID()
		if !v4.MatchString(string(id)) || seen[id] {
			t.Fatal("a malformed or repeated id")
		}
		seen[id] = true
		if got, err := seal.ParseID(string(id)); err != nil || got != id {
			t.Fatalf("reading it back: %v", err)
		}
	}
	for s, good := range map[string]bool{
		"10000000-1000-4000-8000-100000000000":   true,
		"01890a5d-ac96-774b-bcce-b302099a8057":   true, // version 7
		"F47AC10B-58CC-4372-A567-0E02B2C3D479":   false,
		"{f47ac10b-58cc-4372-a567-0e02b2c3d479}": false,
		"f47ac10b58cc4372a5670e02b2c3d479":       false,
		"f47ac10b-58cc-4372-a567-0e02b2c3d47":    false,
		"f47ac10b-58cc-4372-a5670-e02b2c3d479":   false,
		"f47ac10b-58cc-4372-a567-0e02b2c3d47g":   false,
		"":                                       false,
	} {
		if _, err := seal.ParseID(s); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestKept(t *testing.T) {
	k := seal.NewKept()
	if len(k.Encode()) != 32 || k.Equal(seal.NewKept()) {
		t.Fatal("no fresh key of 32 characters")
	}
	for _, text := range []string{"", "Ωμέγα 🔐"} {
		c, err := k.Seal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(c); err != nil || got != text {
			t.Errorf("opened to %q, %v", got, err)
		}
	}
	c, err := k.Seal("x")
	if err != nil {
		t.Fatal(err)
	}
	flipped := strings.Map(func(r rune) rune {
		if r == 'A' {
			return 'B'
		}
		return 'A'
	}, c.Message[:4]) + c.Message[4:]
	if _, err := k.Open(seal.Claimable{Message: flipped, IV: c.IV, Salt: c.Salt}); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("altered: %v", err)
	}
	if _, err := seal.NewKept().Open(c); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another key: %v", err)
	}
	for name, bad := range map[string]seal.Claimable{
		"message":     {Message: "!", IV: c.IV, Salt: c.Salt},
		"no message":  {IV: c.IV, Salt: c.Salt},
		"short iv":    {Message: c.Message, IV: "AAAA", Salt: c.Salt},
		"short salt":  {Message: c.Message, IV: c.IV, Salt: "AAAA"},
		"line breaks": {Message: c.Message, IV: c.IV, Salt: c.Salt + "\n"},
	} {
		if _, err := k.Open(bad); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Seal("\xff"); !errors.Is(err, seal.ErrFormat) {
		t.Errorf("no text: %v", err)
	}
}

func TestKeptSpelling(t *testing.T) {
	for s, good := range map[string]bool{
		strings.Repeat("a", 15):               false,
		strings.Repeat("a", 16):               true,
		"0123456789-_abcdefghijklmnopqrstu":   true, // 33 characters, as in a vector
		strings.Repeat("Z", 128):              true,
		strings.Repeat("Z", 129):              false,
		"0123456789-_abcdefghijklmnopqrst=":   false,
		"0123456789-_abcdefghijklmnopqrs tu":  false,
		"0123456789-_abcdefghijklmnopqrsätu":  false,
		"0123456789-_abcdefghijklmnopqrstu\n": false,
	} {
		k, err := seal.ParseKept(s)
		if (err == nil) != good || (good && k.Encode() != s) {
			t.Errorf("%q: %v", s, err)
		}
	}
	var zero seal.Kept
	if _, err := zero.Seal(""); !errors.Is(err, seal.ErrKey) {
		t.Errorf("zero key seals: %v", err)
	}
	if _, err := zero.Open(seal.Claimable{}); !errors.Is(err, seal.ErrKey) {
		t.Errorf("zero key opens: %v", err)
	}
	if zero.Encode() != "" || zero.Equal(zero) || !zero.IsZero() || !zero.ClaimToken("x").IsZero() {
		t.Error("the zero key is a key")
	}
}

// Every character turns up about equally often: 64,000 draws of 64 characters, 1,000 expected of each, six deviations of 31.
func TestKeptIsUnbiased(t *testing.T) {
	count := map[rune]int{}
	for range 2000 {
		for _, c := range seal.NewKept().Encode() {
			count[c]++
		}
	}
	if len(count) != 64 {
		t.Errorf("%d different characters", len(count))
	}
	for c, n := range count {
		if n < 810 || n > 1190 {
			t.Errorf("%c turns up %d times", c, n)
		}
	}
}

// Computed apart from this code, by the formula of PROTOCOL 5.1.
func TestClaimToken(t *testing.T) {
	k, err := seal.ParseKept("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef")
	if err != nil {
		t.Fatal(err)
	}
	const want = "RgH04AEqad26KmmREk2cHwwCV3jnjvAzc-NU74G8ffo"
	if got := k.ClaimToken("AwQFBgcICQoLDA0ODxAREg==").Reveal(); got != want {
		t.Error("the claim token is wrong")
	}
	if k.ClaimToken("AwQFBgcICQoLDA0ODxAREg").Equal(k.ClaimToken("AwQFBgcICQoLDA0ODxAREg==")) {
		t.Error("the salt's characters are not bound")
	}
}
