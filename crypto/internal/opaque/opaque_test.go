package opaque_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/internal/opaque"
)

func TestFmtDoesNotLookInside(t *testing.T) {
	type inner struct{ Word string }
	v := opaque.Of(&inner{"canary"})
	if v.Get().Word != "canary" {
		t.Fatal("Get does not give what Of was given")
	}
	for _, x := range []any{v, &v, struct{ v opaque.Value[inner] }{v}, &struct{ V any }{v}} {
		for c := 'A'; c <= 'z'; c++ {
			for _, flag := range []string{"%", "%+", "%#", "% "} {
				if out := fmt.Sprintf(flag+string(c), x); strings.Contains(out, "canary") || strings.Contains(out, "63616e617279") {
					t.Errorf("%s%c shows %s", flag, c, out)
				}
			}
		}
	}
}

// If this fails, fmt no longer follows single pointers under verbs that do not fit, and Value may become simpler.
func TestFmtFollowsOnePointer(t *testing.T) {
	word := [1]string{"canary"}
	verbs := []string{"%d"} // a variable: vet rightly objects to the wrong verb
	if out := fmt.Sprintf(verbs[0], struct{ p *[1]string }{&word}); strings.Contains(out, "canary") {
		t.Errorf("%%d fits a pointer and shows %s", out)
	}
	verbs = []string{"%s"}
	if out := fmt.Sprintf(verbs[0], struct{ p *[1]string }{&word}); !strings.Contains(out, "canary") {
		t.Errorf("%%s does not fit and shows only %s", out)
	}
}

func TestZero(t *testing.T) {
	var v opaque.Value[int]
	if v.Get() != nil || opaque.Of[int](nil).Get() != nil {
		t.Error("the zero value holds something")
	}
}
