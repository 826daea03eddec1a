package keyring_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/keyring"
	"github.com/hushpost/hushpost/crypto/seal"
)

func kept(t *testing.T, s string) seal.Kept {
	t.Helper()
	k, err := seal.ParseKept(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestVectorsUID(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "testdata", "claimable.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Vectors []struct {
			Key string `json:"symmetric_key"`
			UID string `json:"uid"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(data, &f); err != nil || len(f.Vectors) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	for _, v := range f.Vectors {
		if got := keyring.LegacyUID(kept(t, v.Key)); got != v.UID {
			t.Errorf("uid %s, want %s", got, v.UID)
		}
	}
}

func TestUID(t *testing.T) {
	// printf 'hushpost-uid:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef' | sha256sum
	const want = "c9257bd75387eeafe977c9794b46014995d685c3f197d5ce529950ee0e9e40f2"
	k := kept(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef")
	if got := keyring.UID(k); got != want {
		t.Errorf("uid %s, want %s", got, want)
	}
	if strings.HasPrefix(keyring.UID(k), keyring.LegacyUID(k)) {
		t.Error("our uid gives seed B's away")
	}
}

func TestReseal(t *testing.T) {
	from, to := seal.NewKept(), seal.NewKept()
	c, err := from.Seal("attack at dawn")
	if err != nil {
		t.Fatal(err)
	}
	own, err := keyring.Reseal(c, from, to)
	if err != nil {
		t.Fatal(err)
	}
	if own.Salt == c.Salt || own.IV == c.IV {
		t.Error("salt or IV is used again")
	}
	if text, err := to.Open(own); err != nil || text != "attack at dawn" {
		t.Errorf("opened to %q, %v", text, err)
	}
	if _, err := from.Open(own); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("the link still opens what was claimed: %v", err)
	}
	if _, err := keyring.Reseal(c, to, from); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("with the wrong key: %v", err)
	}
	if _, err := keyring.Reseal(c, from, seal.Kept{}); !errors.Is(err, seal.ErrKey) {
		t.Errorf("to no key: %v", err)
	}
}

func identity(t *testing.T) keyring.Identity {
	t.Helper()
	i, err := keyring.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestWrap(t *testing.T) {
	mine := identity(t)
	spki, err := mine.Recipient().Encode()
	if err != nil {
		t.Fatal(err)
	}
	r, err := keyring.ParseRecipient(spki)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := mine.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	again, err := keyring.ParseIdentity(pkcs8)
	if err != nil {
		t.Fatal(err)
	}
	k := seal.NewKey()
	w, err := r.Wrap(k)
	if err != nil || len(w) != 256 {
		t.Fatalf("wrapped to %d bytes, %v", len(w), err)
	}
	for name, i := range map[string]keyring.Identity{"itself": mine, "read back": again} {
		if got, err := i.Unwrap(w); err != nil || !got.Equal(k) {
			t.Errorf("%s: unwrapped to another key, %v", name, err)
		}
	}
	if _, err := identity(t).Unwrap(w); !errors.Is(err, keyring.ErrUnwrap) {
		t.Errorf("another identity: %v", err)
	}
	for name, bad := range map[string][]byte{"nothing": nil, "cut": w[:255], "longer": append(bytes.Clone(w), 0), "altered": append([]byte{w[0] ^ 1}, w[1:]...)} {
		if _, err := mine.Unwrap(bad); !errors.Is(err, keyring.ErrUnwrap) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if other, _ := r.Wrap(k); bytes.Equal(other, w) {
		t.Error("wrapping is not randomised")
	}
}

// Made by WebCrypto, which is what browsers seal and open with.
func TestVectorRecipient(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "recipient.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Key     string `json:"key_b64url"`
		PKCS8   []byte `json:"pkcs8_b64"`
		SPKI    []byte `json:"spki_b64"`
		Wrapped []byte `json:"wrapped_b64"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	i, err := keyring.ParseIdentity(v.PKCS8)
	if err != nil {
		t.Fatal(err)
	}
	k, err := i.Unwrap(v.Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if k.Encode() != v.Key {
		t.Error("unwrapped to another key")
	}
	if spki, err := i.Recipient().Encode(); err != nil || !bytes.Equal(spki, v.SPKI) {
		t.Errorf("the public key is encoded in another way, %v", err)
	}
}

func TestKeysThatAreRefused(t *testing.T) {
	der := func(pub any) []byte {
		b, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "noise": []byte("noise"), "1024 bits": der(&small.PublicKey), "a curve": der(&curve.PublicKey),
		"exponent 3": der(&rsa.PublicKey{N: good.N, E: 3}), "a private key": x509.MarshalPKCS1PrivateKey(good),
		"trailing bytes": append(der(&good.PublicKey), 0),
	} {
		if _, err := keyring.ParseRecipient(b); !errors.Is(err, keyring.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := keyring.ParseIdentity(b); !errors.Is(err, keyring.ErrKey) {
			t.Errorf("%s as a private key: %v", name, err)
		}
	}
}

func TestZeroValues(t *testing.T) {
	var i keyring.Identity
	if _, err := i.Unwrap(nil); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("Unwrap: %v", err)
	}
	if _, err := i.Reveal(); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("Reveal: %v", err)
	}
	if _, err := i.Recipient().Wrap(seal.NewKey()); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("Wrap: %v", err)
	}
	if _, err := i.Recipient().Encode(); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("Encode: %v", err)
	}
	if _, err := identity(t).Recipient().Wrap(seal.Key{}); !errors.Is(err, keyring.ErrKey) {
		t.Errorf("Wrap of the zero key: %v", err)
	}
}

func TestNothingPrints(t *testing.T) {
	i := identity(t)
	der, err := i.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	priv := k.(*rsa.PrivateKey)
	secrets := []string{priv.D.String(), priv.D.Text(16), priv.Primes[0].String(), priv.N.String(), priv.N.Text(16), hex.EncodeToString(der[100:140])}
	// A number that is printed as memory shows its words.
	for _, w := range priv.D.Bits()[:2] {
		secrets = append(secrets, fmt.Sprint(uint(w)), fmt.Sprintf("%x", uint(w)))
	}
	type hidden struct {
		i keyring.Identity
		r keyring.Recipient
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", slog.Any("i", i), slog.Any("r", i.Recipient()))
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", slog.Any("i", i), slog.Any("h", hidden{i, i.Recipient()}))
	for _, x := range []any{i, &i, i.Recipient(), hidden{i, i.Recipient()}, &hidden{i, i.Recipient()}, []keyring.Identity{i}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%e", "%p"} {
			fmt.Fprintf(&log, verb+"\n", x)
		}
		if j, err := json.Marshal(x); err == nil {
			log.Write(j)
		}
	}
	out := strings.ToLower(log.String())
	for _, s := range secrets {
		if strings.Contains(out, s) {
			t.Errorf("shows %.12s…", s)
		}
	}
}
