package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/seal"
)

// hexBytes and b64Bytes are fields of the vectors; a malformed one stops the test while it reads.
type (
	hexBytes []byte
	b64Bytes []byte
)

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (b *b64Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = base64.StdEncoding.DecodeString(string(text))
	return err
}

type vector struct {
	Name            string   `json:"name"`
	Key             string   `json:"key_b64url"`
	ID              string   `json:"id"`
	Passphrase      *string  `json:"passphrase"`
	IV              hexBytes `json:"iv_hex"`
	Envelope        hexBytes `json:"envelope_hex"`
	PaddedLength    int      `json:"padded_length"`
	LinkToken       string   `json:"link_token_b64url"`
	LinkHash        string   `json:"link_hash_b64url"`
	PassphraseToken string   `json:"passphrase_token_b64url"`
	PassphraseHash  string   `json:"passphrase_hash_b64url"`
	ContentKey      hexBytes `json:"content_key_hex"`
	Salt            hexBytes `json:"passphrase_salt_hex"`
	Stretched       hexBytes `json:"stretched_hex"`
	Payload         b64Bytes `json:"payload_b64"`
	OpensTo         struct {
		Text  string `json:"text"`
		Files []struct {
			Name string   `json:"name"`
			Mime string   `json:"mime"`
			Data hexBytes `json:"data_hex"`
		} `json:"files"`
	} `json:"opens_to"`
}

type vectorFile struct {
	Format   int      `json:"format"`
	Vectors  []vector `json:"vectors"`
	MustFail []vector `json:"must_fail"`
	Padding  []struct {
		Envelope int `json:"envelope_length"`
		Padded   int `json:"padded_length"`
	} `json:"padding"`
}

func readVectors(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
}

func loadVectors(t testing.TB, file string) vectorFile {
	t.Helper()
	var f vectorFile
	readVectors(t, file, &f)
	if len(f.Vectors) == 0 || len(f.MustFail) == 0 {
		t.Fatalf("%s holds no vectors", file)
	}
	return f
}

func (v vector) key(t testing.TB) (seal.Key, seal.ID) {
	t.Helper()
	k, err := seal.ParseKey(v.Key)
	if err != nil {
		t.Fatal(err)
	}
	id, err := seal.ParseID(v.ID)
	if err != nil {
		t.Fatal(err)
	}
	return k, id
}

func (v vector) keys(t testing.TB) seal.Keys {
	t.Helper()
	k, id := v.key(t)
	if v.Passphrase == nil {
		return k.Keys(id)
	}
	ks, err := k.LockedKeys(id, *v.Passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

// want is the payload that v opens to.
func (v vector) want() envelope.Payload {
	p := envelope.Payload{Text: v.OpensTo.Text}
	for _, f := range v.OpensTo.Files {
		p.Files = append(p.Files, envelope.File{Name: f.Name, Type: f.Mime, Data: f.Data})
	}
	return p
}

func equal(a, b envelope.Payload) bool {
	if a.Text != b.Text || len(a.Files) != len(b.Files) {
		return false
	}
	for i, f := range a.Files {
		g := b.Files[i]
		if f.Name != g.Name || f.Type != g.Type || !bytes.Equal(f.Data, g.Data) {
			return false
		}
	}
	return true
}

func TestVectorsOpen(t *testing.T) {
	for _, file := range []string{"v1.json", "v2.json"} {
		f := loadVectors(t, file)
		for _, v := range f.Vectors {
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				if version, err := seal.Version(v.Payload); version != f.Format || err != nil {
					t.Errorf("Version: %d, %v", version, err)
				}
				if seal.NeedsPassphrase(v.Payload) != (v.Passphrase != nil) {
					t.Error("NeedsPassphrase is wrong")
				}
				got, err := v.keys(t).Open(bytes.Clone(v.Payload))
				if err != nil {
					t.Fatal(err)
				}
				if !equal(got, v.want()) {
					t.Errorf("opened to %q and %d files", got.Text, len(got.Files))
				}
			})
		}
	}
}

// A vector whose envelope is not the lowest type is for readers alone: no writer makes it.
func TestVectorsSeal(t *testing.T) {
	sealed := 0
	for _, file := range []string{"v1.json", "v2.json"} {
		for _, v := range loadVectors(t, file).Vectors {
			e, err := v.want().AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(e, v.Envelope) {
				continue
			}
			sealed++
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				seal.FixRandom(t, v.IV)
				ks := v.keys(t)
				sealOne := ks.Seal
				if file == "v1.json" {
					sealOne = ks.SealV1
				}
				got, err := sealOne(v.want())
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, v.Payload) {
					t.Errorf("sealed to\n%x, want\n%x", got, v.Payload)
				}
				if v.PaddedLength != 0 && len(got) != 2+12+v.PaddedLength+16 {
					t.Errorf("%d bytes for a padded length of %d", len(got), v.PaddedLength)
				}
			})
		}
	}
	if sealed != 11 {
		t.Errorf("sealed %d vectors, of 14 three are for readers alone", sealed)
	}
}

func TestVectorsTokens(t *testing.T) {
	for _, v := range loadVectors(t, "v2.json").Vectors {
		t.Run(v.Name, func(t *testing.T) {
			ks := v.keys(t)
			if got := ks.LinkToken(); got.Reveal() != v.LinkToken || got.HashText() != v.LinkHash {
				t.Error("the link token or its hash is wrong")
			}
			got, ok := ks.PassphraseToken()
			if ok != (v.Passphrase != nil) {
				t.Fatalf("PassphraseToken: %v", ok)
			}
			if ok && (got.Reveal() != v.PassphraseToken || got.HashText() != v.PassphraseHash) {
				t.Error("the passphrase token or its hash is wrong")
			}
		})
	}
}

func TestVectorsDerivations(t *testing.T) {
	for _, file := range []string{"v1.json", "v2.json"} {
		f := loadVectors(t, file)
		for _, v := range f.Vectors {
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				if got := seal.ContentKey(v.keys(t), f.Format); !bytes.Equal(got, v.ContentKey) {
					t.Error("the content key is wrong")
				}
				if v.Passphrase == nil {
					return
				}
				k, id := v.key(t)
				salt, stretched := seal.Stretched(k, id, *v.Passphrase)
				if !bytes.Equal(salt, v.Salt) || !bytes.Equal(stretched, v.Stretched) {
					t.Error("the salt or the stretched passphrase is wrong")
				}
			})
		}
	}
}

// whyFail is the error of each must_fail vector: one that fails for another reason proves nothing about its own.
var whyFail = map[string]error{
	"sealed for another id":                       seal.ErrOpen,
	"wrong key":                                   seal.ErrOpen,
	"flipped tag bit":                             seal.ErrOpen,
	"unknown version":                             seal.ErrVersion,
	"shorter than header and tag":                 seal.ErrFormat,
	"empty":                                       seal.ErrFormat,
	"image envelope cut inside the text":          seal.ErrFormat,
	"image envelope without mime length":          seal.ErrFormat,
	"padding without its 0x80 mark":               seal.ErrFormat,
	"padding with a non-zero byte after the mark": seal.ErrFormat,
	"unknown flag":                                seal.ErrFormat,
	"flag changed after sealing":                  seal.ErrMismatch,
	"unknown envelope type":                       seal.ErrFormat,
	"file count beyond the data":                  seal.ErrFormat,
	"file length beyond the data":                 seal.ErrFormat,
	"bytes left after the last file":              seal.ErrFormat,
}

func TestVectorsMustFail(t *testing.T) {
	for _, file := range []string{"v1.json", "v2.json"} {
		for _, v := range loadVectors(t, file).MustFail {
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				want, ok := whyFail[v.Name]
				if !ok {
					t.Fatal("a new vector: say in whyFail why it must fail")
				}
				k, id := v.key(t)
				if _, err := k.Keys(id).Open(bytes.Clone(v.Payload)); !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
				if !seal.NeedsPassphrase(v.Payload) {
					return
				}
				// The flag alone has refused it; with keys that agree with the flag the tag must.
				locked, err := k.LockedKeys(id, "Tr0ub4dor&3")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := locked.Open(bytes.Clone(v.Payload)); !errors.Is(err, seal.ErrOpen) {
					t.Errorf("with a passphrase: got %v", err)
				}
			})
		}
	}
}

func TestVectorsPadding(t *testing.T) {
	table := loadVectors(t, "v2.json").Padding
	if len(table) == 0 {
		t.Fatal("the padding table is empty")
	}
	for _, row := range table {
		if got := seal.PaddedLen(row.Envelope); got != row.Padded {
			t.Errorf("%d bytes are padded to %d, want %d", row.Envelope, got, row.Padded)
		}
	}
}

func TestVectorsClaimable(t *testing.T) {
	var f struct {
		Vectors []struct {
			Key     string   `json:"symmetric_key"`
			Salt    string   `json:"salt_b64"`
			IV      string   `json:"iv_b64"`
			Derived hexBytes `json:"derived_key_hex"`
			Text    string   `json:"plaintext"`
			Message string   `json:"encrypted_message_b64"`
		} `json:"vectors"`
	}
	readVectors(t, "claimable.json", &f)
	if len(f.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range f.Vectors {
		t.Run(v.Text, func(t *testing.T) {
			k, err := seal.ParseKept(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			salt, _ := base64.StdEncoding.DecodeString(v.Salt)
			if !bytes.Equal(seal.KeptKey(k, salt), v.Derived) {
				t.Error("the derived key is wrong")
			}
			text, err := k.Open(seal.Claimable{Message: v.Message, IV: v.IV, Salt: v.Salt})
			if err != nil || text != v.Text {
				t.Errorf("opened to %q, %v", text, err)
			}
		})
	}
}
