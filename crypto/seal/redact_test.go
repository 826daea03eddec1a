package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/seal"
)

// canaries spells bytes in every way a careless print could: each is 32 bytes that nothing else contains.
func canaries(b []byte) []string {
	list := []string{
		string(b), hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
		base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b),
		strings.Trim(fmt.Sprintf("%d", b), "[]"), // 64 65 66 ...
		fmt.Sprintf("% x", b), fmt.Sprintf("% X", b),
		strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}"), // 0x40, 0x41, ...
		strings.Trim(fmt.Sprintf("%o", b), "[]"), strings.Trim(fmt.Sprintf("%b", b), "[]"),
		strings.Trim(fmt.Sprintf("%c", b), "[]"), strings.Trim(fmt.Sprintf("%q", string(b)), `"`),
	}
	return list
}

var verbs = []string{
	"%v", "%+v", "%#v", "%T", "%s", "%q", "%x", "%X", "%d", "%o", "%O", "%b", "%c", "%U", "%e", "%f", "%g", "%t", "%p",
	"%w", "% x", "%#x", "%+q", "%#q", "%10v", "%-20s", "%.3s", "%!",
}

type exported struct{ V any }

// The field is unexported on purpose: fmt may not call its methods.
type hidden[T any] struct{ v T }

func shapes[T any](v T) map[string]any {
	return map[string]any{
		"itself":           v,
		"pointer":          &v,
		"exported field":   exported{v},
		"pointer to it":    &exported{&v},
		"unexported field": hidden[T]{v},
		"pointer to that":  &hidden[T]{v},
		"nested twice":     hidden[hidden[T]]{hidden[T]{v}},
		"pointer inside":   hidden[*T]{&v},
		"slice":            []T{v},
		"slice in a field": hidden[[]T]{[]T{v}},
		"array in a field": hidden[[1]T]{[1]T{v}},
		"map":              map[string]T{"k": v},
		"map in a field":   hidden[map[string]T]{map[string]T{"k": v}},
		"interface":        hidden[any]{v},
	}
}

func mustHide[T any](t *testing.T, v T, secrets ...[]byte) {
	t.Helper()
	var all []string
	for _, s := range secrets {
		all = append(all, canaries(s)...)
	}
	for shape, x := range shapes(v) {
		outputs := map[string]string{"Sprint": fmt.Sprint(x), "Sprintln": fmt.Sprintln(x)}
		for _, verb := range verbs {
			outputs[verb] = fmt.Sprintf(verb, x)
		}
		outputs["error"] = fmt.Errorf("opening %v: %+v", x, x).Error()
		if j, err := json.Marshal(x); err == nil {
			outputs["json"] = string(j)
		}
		var text, lines bytes.Buffer
		slog.New(slog.NewTextHandler(&text, nil)).Info("m", slog.Any("x", x), slog.Group("g", slog.Any("y", x)))
		slog.New(slog.NewJSONHandler(&lines, nil)).Info("m", slog.Any("x", x), slog.Group("g", slog.Any("y", x)))
		outputs["slog text"], outputs["slog json"] = text.String(), lines.String()
		for how, out := range outputs {
			for _, c := range all {
				if strings.Contains(out, c) {
					t.Errorf("%T as %s by %s shows itself", v, shape, how)
				}
			}
		}
	}
}

func TestNothingPrints(t *testing.T) {
	v := loadVectors(t, "v2.json").Vectors[1]
	raw := func(s string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, _ := v.key(t)
	keys := v.keys(t)
	token, _ := keys.PassphraseToken()
	const material = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
	kept, err := seal.ParseKept(material)
	if err != nil {
		t.Fatal(err)
	}
	mustHide(t, key, raw(v.Key))
	mustHide(t, keys, raw(v.Key), raw(v.LinkToken), raw(v.PassphraseToken), v.ContentKey)
	mustHide(t, token, raw(v.PassphraseToken))
	mustHide(t, keys.LinkToken(), raw(v.LinkToken))
	mustHide(t, kept, []byte(material))
	for want, got := range map[string]any{
		"seal.Key(...)": key, "seal.Keys(...)": keys, "seal.Token(...)": token, "seal.Kept(...)": kept,
	} {
		if s := fmt.Sprintf("%#x", got); s != want {
			t.Errorf("prints %s, want %s", s, want)
		}
		if j, err := json.Marshal(exported{got}); err != nil || string(j) != `{"V":"`+want+`"}` {
			t.Errorf("marshals to %s, %v", j, err)
		}
	}
}

// The canaries are worth something only if an unprotected value trips them.
func TestCanariesSing(t *testing.T) {
	b := bytes.Repeat([]byte{0x40, 0x41, 0xfe}, 11)[:32]
	for _, out := range []string{
		fmt.Sprintf("%v", b), fmt.Sprintf("%x", b), fmt.Sprintf("%#v", b), fmt.Sprintf("%v", hidden[[32]byte]{[32]byte(b)}),
		string(b), fmt.Sprintf("%d", b), base64.RawURLEncoding.EncodeToString(b),
	} {
		found := false
		for _, c := range canaries(b) {
			found = found || strings.Contains(out, c)
		}
		if !found {
			t.Errorf("not noticed: %s", out)
		}
	}
}
