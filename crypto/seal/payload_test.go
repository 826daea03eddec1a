package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/seal"
)

const png = "\x89PNG\r\n\x1a\n"

func TestRoundTrip(t *testing.T) {
	locked, err := seal.NewKey().LockedKeys(seal.NewID(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	open := seal.NewKey().Keys(seal.NewID())
	payloads := map[string]envelope.Payload{
		"nothing":        {},
		"text":           {Text: "Grüße 🔐"},
		"ends in zeros":  {Text: "a\x00\x00\x00"},
		"ends in a mark": {Files: []envelope.File{{Name: "a", Data: []byte{0x80, 0x80, 0, 0}}}},
		"image":          {Text: "see", Files: []envelope.File{{Type: "image/png", Data: []byte(png)}}},
		"empty file":     {Files: []envelope.File{{Name: "empty"}}},
		"two files":      {Text: "x", Files: []envelope.File{{Name: "a", Type: "text/plain", Data: []byte("1")}, {Name: "b"}}},
		"over a bucket":  {Text: strings.Repeat("y", 70_000)},
	}
	for name, p := range payloads {
		t.Run(name, func(t *testing.T) {
			for _, ks := range []seal.Keys{open, locked} {
				sealed, err := ks.Seal(p)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := ks.Open(sealed); err != nil || !equal(got, p) {
					t.Errorf("opened to another payload, %v", err)
				}
			}
		})
	}
}

func TestRoundTripV1(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	for _, p := range []envelope.Payload{{}, {Text: "x"}, {Text: "x", Files: []envelope.File{{Type: "image/png", Data: []byte(png)}}}} {
		sealed, err := ks.SealV1(p)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := p.Size(); len(sealed) != 1+12+n+16 {
			t.Errorf("%d bytes for an envelope of %d", len(sealed), n)
		}
		if got, err := ks.Open(sealed); err != nil || !equal(got, p) {
			t.Errorf("opened to another payload, %v", err)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	locked, err := seal.NewKey().LockedKeys(seal.NewID(), "p")
	if err != nil {
		t.Fatal(err)
	}
	named := envelope.Payload{Files: []envelope.File{{Name: "a.png", Data: []byte(png)}}}
	bad := envelope.Payload{Text: "\xff"}
	tests := []struct {
		name string
		seal func(envelope.Payload) ([]byte, error)
		p    envelope.Payload
		want error
	}{
		{"zero keys", seal.Keys{}.Seal, envelope.Payload{}, seal.ErrKey},
		{"zero keys, version 1", seal.Keys{}.SealV1, envelope.Payload{}, seal.ErrKey},
		{"zero key", seal.Key{}.Keys(seal.NewID()).Seal, envelope.Payload{}, seal.ErrKey},
		{"no text", ks.Seal, bad, envelope.ErrText},
		{"no text, version 1", ks.SealV1, bad, envelope.ErrText},
		{"named file in version 1", ks.SealV1, named, seal.ErrV1},
		{"passphrase in version 1", locked.SealV1, envelope.Payload{}, seal.ErrV1},
	}
	for _, tt := range tests {
		if b, err := tt.seal(tt.p); !errors.Is(err, tt.want) || b != nil {
			t.Errorf("%s: %d bytes, %v", tt.name, len(b), err)
		}
	}
}

// The server learns nothing of what is under 256 bytes, and beyond that the bucket.
func TestSealedSizeTellsTheBucketOnly(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	sizes := map[int]bool{}
	for n := range 255 {
		b, err := ks.Seal(envelope.Payload{Text: strings.Repeat("x", n)})
		if err != nil {
			t.Fatal(err)
		}
		sizes[len(b)] = true
	}
	if len(sizes) != 1 || !sizes[2+12+256+16] {
		t.Errorf("texts under 255 bytes have sizes %v", sizes)
	}
	for n := 255; n < 2_000_000; n += 1 + n/50 {
		if p := seal.PaddedLen(n); p <= n || float64(p) > 1.12*float64(n+1) {
			t.Errorf("%d bytes are padded to %d", n, p)
		}
	}
}

func TestTamperingWithAnyByte(t *testing.T) {
	key, id := seal.NewKey(), seal.NewID()
	ks := key.Keys(id)
	v1, err := ks.SealV1(envelope.Payload{Text: "attack at dawn"})
	if err != nil {
		t.Fatal(err)
	}
	v2, err := ks.Seal(envelope.Payload{Text: "attack at dawn"})
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range [][]byte{v1, v2} {
		for i := range payload {
			for bit := range 8 {
				b := bytes.Clone(payload)
				b[i] ^= 1 << bit
				if _, err := ks.Open(b); err == nil {
					t.Errorf("version %d: opened with bit %d of byte %d flipped", payload[0], bit, i)
				}
			}
		}
		for n := range payload {
			if _, err := ks.Open(bytes.Clone(payload[:n])); err == nil {
				t.Errorf("version %d: opened when cut to %d bytes", payload[0], n)
			}
		}
		if _, err := ks.Open(append(bytes.Clone(payload), 0)); err == nil {
			t.Errorf("version %d: opened with a byte appended", payload[0])
		}
		for name, other := range map[string]seal.Keys{"another id": key.Keys(seal.NewID()), "another key": seal.NewKey().Keys(id)} {
			if _, err := other.Open(bytes.Clone(payload)); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("version %d: with %s: %v", payload[0], name, err)
			}
		}
	}
}

func TestPassphrase(t *testing.T) {
	key, id := seal.NewKey(), seal.NewID()
	for _, p := range []string{"", "\xff"} {
		if _, err := key.LockedKeys(id, p); !errors.Is(err, seal.ErrPassphrase) {
			t.Errorf("passphrase %q: %v", p, err)
		}
	}
	if _, err := (seal.Key{}).LockedKeys(id, "p"); !errors.Is(err, seal.ErrKey) {
		t.Errorf("zero key: %v", err)
	}
	locked := func(p string) seal.Keys {
		ks, err := key.LockedKeys(id, p)
		if err != nil {
			t.Fatal(err)
		}
		return ks
	}
	composed, decomposed, wrong, none := locked("\u00e9"), locked("e\u0301"), locked("e"), key.Keys(id)
	sealed, err := composed.Seal(envelope.Payload{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decomposed.Open(bytes.Clone(sealed)); err != nil {
		t.Errorf("the same passphrase in other bytes: %v", err)
	}
	if _, err := wrong.Open(bytes.Clone(sealed)); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := none.Open(bytes.Clone(sealed)); !errors.Is(err, seal.ErrMismatch) {
		t.Errorf("no passphrase: %v", err)
	}
	for name, sealOne := range map[string]func(envelope.Payload) ([]byte, error){"1": none.SealV1, "2": none.Seal} {
		unlocked, err := sealOne(envelope.Payload{Text: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := composed.Open(unlocked); !errors.Is(err, seal.ErrMismatch) {
			t.Errorf("version %s, a passphrase where none is needed: %v", name, err)
		}
	}
	if !none.LinkToken().Equal(composed.LinkToken()) {
		t.Error("the link token depends on the passphrase")
	}
}

func TestOpenLeavesNothingOnFailure(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	sealed, err := ks.Seal(envelope.Payload{Text: "attack at dawn"})
	if err != nil {
		t.Fatal(err)
	}
	sealed[len(sealed)-1] ^= 1
	if p, err := ks.Open(sealed); err == nil || p.Text != "" || p.Files != nil {
		t.Errorf("gave a payload with %v", err)
	}
	if bytes.Contains(sealed, []byte("attack")) {
		t.Error("unauthenticated text lies in the buffer")
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	a, _ := ks.Seal(envelope.Payload{Text: "x"})
	b, _ := ks.Seal(envelope.Payload{Text: "x"})
	if bytes.Equal(a[2:14], b[2:14]) {
		t.Error("the IV repeats")
	}
}

func FuzzOpen(f *testing.F) {
	k, id := loadVectors(f, "v2.json").Vectors[0].key(f)
	for _, file := range []string{"v1.json", "v2.json"} {
		vectors := loadVectors(f, file)
		for _, v := range append(vectors.Vectors, vectors.MustFail...) {
			f.Add([]byte(v.Payload), []byte(v.Envelope))
		}
	}
	ks := k.Keys(id)
	f.Fuzz(func(t *testing.T, payload, content []byte) {
		// A fuzzer cannot forge a tag. What it can reach is everything in front of it...
		if p, err := ks.Open(bytes.Clone(payload)); err == nil {
			again, err := ks.Seal(p)
			if err != nil {
				t.Fatalf("what opened cannot be sealed: %v", err)
			}
			if q, err := ks.Open(again); err != nil || !equal(p, q) {
				t.Fatalf("sealed again it opens to something else: %v", err)
			}
		}
		// ...and, sealed for it, everything behind.
		p, err := ks.Open(seal.Raw(ks, content))
		if err != nil {
			if !errors.Is(err, seal.ErrFormat) {
				t.Fatalf("got %v", err)
			}
			return
		}
		again, err := ks.Seal(p)
		if err != nil {
			t.Fatalf("what opened cannot be sealed: %v", err)
		}
		if q, err := ks.Open(again); err != nil || !equal(p, q) {
			t.Fatalf("sealed again it opens to something else: %v", err)
		}
	})
}

var sizes = []struct {
	name string
	n    int
}{{"256B", 256}, {"1MiB", 1 << 20}, {"16MiB", 16 << 20}}

func BenchmarkSeal(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			ks := seal.NewKey().Keys(seal.NewID())
			p := envelope.Payload{Files: []envelope.File{{Name: "a", Data: make([]byte, size.n)}}}
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ks.Seal(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range sizes {
		b.Run(size.name, func(b *testing.B) {
			ks := seal.NewKey().Keys(seal.NewID())
			sealed, err := ks.Seal(envelope.Payload{Files: []envelope.File{{Name: "a", Data: make([]byte, size.n)}}})
			if err != nil {
				b.Fatal(err)
			}
			buffer := make([]byte, len(sealed)) // Open overwrites it, so each round starts with a copy
			b.SetBytes(int64(size.n))
			b.ReportAllocs()
			for b.Loop() {
				copy(buffer, sealed)
				if _, err := ks.Open(buffer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One buffer for sealing, none for opening: the rest is small change (PROTOCOL 4.3: payloads may be large).
func TestMemoryOfLargePayloads(t *testing.T) {
	ks := seal.NewKey().Keys(seal.NewID())
	const n = 1 << 20
	p := envelope.Payload{Files: []envelope.File{{Name: "a", Data: make([]byte, n)}}}
	sealed, err := ks.Seal(p)
	if err != nil {
		t.Fatal(err)
	}
	sealing := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			_, _ = ks.Seal(p)
		}
	})
	if got := sealing.AllocedBytesPerOp(); got > int64(len(sealed))+64<<10 {
		t.Errorf("sealing takes %d bytes for a payload of %d", got, len(sealed))
	}
	buffer := make([]byte, len(sealed))
	opening := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			copy(buffer, sealed)
			if _, err := ks.Open(buffer); err != nil {
				b.Fatal(fmt.Errorf("opening: %w", err))
			}
		}
	})
	if got := opening.AllocedBytesPerOp(); got > 16<<10 {
		t.Errorf("opening takes %d bytes", got)
	}
}
