package primitive_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hushpost/hushpost/crypto/internal/primitive"
)

// The known answers are Wycheproof's, in crypto/wycheproof; here is what they do not ask.

func TestSizes(t *testing.T) {
	key, iv := make([]byte, primitive.KeySize), make([]byte, primitive.IVSize)
	for n := range 65 {
		if _, err := primitive.SealInPlace(make([]byte, n), iv, nil, nil); (err == nil) != (n == 32) || (n != 32 && !errors.Is(err, primitive.ErrSize)) {
			t.Errorf("key of %d bytes: %v", n, err)
		}
		if _, err := primitive.SealInPlace(key, make([]byte, n), nil, nil); (err == nil) != (n == 12) {
			t.Errorf("IV of %d bytes: %v", n, err)
		}
		if _, err := primitive.OpenInPlace(key, make([]byte, n), nil, make([]byte, 16)); err == nil || (n != 12 && n != 16 && !errors.Is(err, primitive.ErrSize)) {
			t.Errorf("IV of %d bytes to open: %v", n, err)
		}
	}
	for _, n := range []int{-1, 0, 255*32 + 1} {
		if _, err := primitive.HKDF(key, nil, nil, n); !errors.Is(err, primitive.ErrSize) {
			t.Errorf("HKDF of %d bytes: %v", n, err)
		}
	}
	for _, c := range [][2]int{{0, 32}, {-1, 32}, {1, 0}, {1, -1}} {
		if _, err := primitive.PBKDF2("p", key, c[0], c[1]); !errors.Is(err, primitive.ErrSize) {
			t.Errorf("PBKDF2 of %d iterations to %d bytes: %v", c[0], c[1], err)
		}
	}
}

func TestInPlace(t *testing.T) {
	key, iv := make([]byte, primitive.KeySize), make([]byte, primitive.IVSize)
	buffer := make([]byte, 100, 100+primitive.TagSize)
	copy(buffer, "attack at dawn")
	box, err := primitive.SealInPlace(key, iv, []byte("aad"), buffer)
	if err != nil || &box[0] != &buffer[0] || len(box) != 116 {
		t.Fatalf("sealing moved the data or gave %d bytes: %v", len(box), err)
	}
	cut := bytes.Clone(box)
	if text, err := primitive.OpenInPlace(key, iv, []byte("aad"), box); err != nil || &text[0] != &buffer[0] || !bytes.HasPrefix(text, []byte("attack")) {
		t.Fatalf("opening moved the data: %v", err)
	}
	if _, err := primitive.OpenInPlace(key, iv, []byte("aae"), cut); !errors.Is(err, primitive.ErrAuth) || bytes.Contains(cut, []byte("attack")) {
		t.Errorf("other associated data: %v", err)
	}
	if _, err := primitive.OpenInPlace(key, iv, nil, make([]byte, primitive.TagSize-1)); !errors.Is(err, primitive.ErrAuth) {
		t.Errorf("shorter than a tag: %v", err)
	}
}
