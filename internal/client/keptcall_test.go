package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

func TestRefusalsOfKeptSecretsAreMapped(t *testing.T) {
	const proxy = "<html>no</html>"
	for _, test := range []struct {
		status  int
		body    string
		code    string
		message string
		is      error
	}{
		{404, `{"message":"No such secret","redirect_root":"true"}`, wire.CodeNotFound, "No such secret", nil},
		{410, `{"message":"expired","redirect_root":"true"}`, wire.StateExpired, "expired", nil},
		{403, `{"message":"denied","redirect_root":"true"}`, client.CodeNotOwner, "denied", nil},
		{409, `{"status":"failed","message":"owned"}`, client.CodeOwned, "owned", nil},
		{422, `{"detail":[{"loc":["body","ttl"],"msg":"too long","type":"value_error"},{"loc":[],"msg":"no","type":"x"}]}`, wire.CodeUnprocessable, "ttl: too long; no", nil},
		{422, `{"detail":"Unprocessable"}`, wire.CodeUnprocessable, "Unprocessable", nil},
		{429, `{"error":"slow down","code":"rate_limited"}`, wire.CodeRateLimited, "slow down", nil},
		{403, proxy, "", "", nil}, // says nothing about an owner
		{410, proxy, "", "", nil},
		{409, proxy, "", "", nil},
		{404, proxy, "", "", client.ErrForeign},
		{404, `{"error":"There is no such page or API route.","code":"not_found"}`, "", "", client.ErrForeign},
		{405, proxy, "", "", client.ErrForeign},
		{200, proxy, "", "", client.ErrAnswer},
		{200, `{"message":"denied","redirect_root":"true"}`, "", "", client.ErrAnswer}, // inigma said so once
	} {
		c := inMemory(t, func(r *http.Request) (*http.Response, error) { return answer(r, test.status, test.body), nil })
		_, err := c.View(t.Context(), "abcdefghijklmnopqrstuvwxy", client.Anonymous(), nil)
		e, refused := errors.AsType[*client.Error](err)
		if err == nil || test.is != nil && !errors.Is(err, test.is) || client.Code(err) != test.code {
			t.Errorf("%d %s: %v", test.status, test.body, err)
		}
		if test.is == nil && (!refused || e.Message != test.message) {
			t.Errorf("%d %s: %+v", test.status, test.body, e)
		}
	}
}

func TestKeptAnswersAreChecked(t *testing.T) {
	endless := strings.Repeat("A", 3<<20)
	for name, body := range map[string]string{
		"a name of no secret": `{"secrets":[{"id":"../../etc/passwd"}]}`,
		"a list without end":  `{"secrets":[],"x":"` + endless + `"}`,
	} {
		c := inMemory(t, func(r *http.Request) (*http.Response, error) { return answer(r, 200, body), nil })
		if _, err := c.ListOwned(t.Context(), client.Anonymous(), 1, 10); !errors.Is(err, client.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := inMemory(t, func(r *http.Request) (*http.Response, error) {
		return answer(r, 200, `{"encrypted_message":"`+endless+`"}`), nil
	})
	if _, err := c.View(t.Context(), "v", client.Anonymous(), nil); !errors.Is(err, client.ErrAnswer) {
		t.Errorf("a message without end: %v", err)
	}
	long := `{"secrets":[{"id":"abcdefghijklmnopqrstuvwxy","custom_name":"` + strings.Repeat(`\ud83d\ude00`, 100*100) + `"}]}`
	c = inMemory(t, func(r *http.Request) (*http.Response, error) { return answer(r, 200, long), nil })
	if _, err := c.ListPending(t.Context(), client.Anonymous(), 1, 100); err != nil {
		t.Errorf("a long list: %v", err)
	}
	c = inMemory(t, func(r *http.Request) (*http.Response, error) {
		return answer(r, 200, `{"url":"https://h.example/","view":"x#key=y"}`), nil
	})
	if _, err := c.SendKept(t.Context(), owner(), client.KeptDraft{Text: text}); !errors.Is(err, client.ErrAnswer) {
		t.Errorf("a view that is none: %v", err)
	}
}

// TestErrorsOfKeptSecretsTellNothing looks for every secret of a request in the error that each kind of failure makes.
func TestErrorsOfKeptSecretsTellNothing(t *testing.T) {
	const view = client.View("abcdefghijklmnopqrstuvwxy")
	o := client.Owner{Key: seal.NewKept(), Inigma: true}
	key, sealed := readySealed()
	token := key.ClaimToken(sealed.Salt)
	secrets := []string{string(view), o.UID().Reveal(), o.UIDs()[1].Reveal(), o.Key.Encode(), key.Encode(), token.Reveal(), sealed.Message, "secrets.example.com/"}
	failures := map[string]wireFunc{
		"network": func(*http.Request) (*http.Response, error) { return nil, errReset },
		"echo": func(r *http.Request) (*http.Response, error) {
			all := strings.Join(secrets, " ")
			return answer(r, 422, fmt.Sprintf(`{"message":%q,"code":%q,"detail":[{"loc":["body",%q],"msg":%q}]}`, all, view, all, all)), nil
		},
		"malformed": func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, r.URL.String()+token.Reveal()), nil
		},
		"unfit": func(r *http.Request) (*http.Response, error) {
			return answer(r, 200, fmt.Sprintf(`{"status":%q,"view":%q,"secrets":[{"id":%q}]}`, view, token.Reveal(), view+view)), nil
		},
		"redirect": func(r *http.Request) (*http.Response, error) {
			return answer(r, 302, "", "Location", r.URL.String()), nil
		},
	}
	for name, failure := range failures {
		c, err := client.New("https://secrets.example.com", client.Options{HTTP: &http.Client{Transport: failure}, Retry: client.Retry{Attempts: 1}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, u := t.Context(), o.UID()
		errs := map[string]error{
			"claim": c.Claim(ctx, client.NewClaim{View: view, UID: u, Sealed: sealed, Token: token}, nil),
			"undo":  c.UndoClaim(ctx, view, u), "relabel": c.Relabel(ctx, view, u, "x"), "delete": c.Delete(ctx, view, u),
		}
		_, errs["keep"] = c.Keep(ctx, client.NewKept{Sealed: sealed, Creator: u, Claim: token}, nil)
		_, errs["view"] = c.View(ctx, view, u, nil)
		_, errs["owned"] = c.ListOwned(ctx, u, 1, 10)
		_, errs["pending"] = c.ListPending(ctx, u, 1, 10)
		l, err := link.NewKept(c.Base(), view.Reveal(), key)
		if err != nil {
			t.Fatal(err)
		}
		_, errs["receive"] = c.ReceiveKept(ctx, l, o, nil)
		_, errs["claim whole"] = c.ClaimKept(ctx, l, o, nil)
		for route, err := range errs {
			if err == nil {
				t.Errorf("%s, %s: no error", name, route)
				continue
			}
			var log bytes.Buffer
			slog.New(slog.NewJSONHandler(&log, nil)).Error("x", slog.Any("err", err))
			printed := fmt.Sprintf("%v %+v %s %q", err, err, err, err) + log.String()
			for _, s := range secrets {
				if strings.Contains(printed, s) {
					t.Errorf("%s, %s: the error holds a secret", name, route)
				}
			}
		}
	}
}

func TestNamesPrintRedacted(t *testing.T) {
	o := client.Owner{Key: seal.NewKept(), Inigma: true}
	const view = client.View("abcdefghijklmnopqrstuvwxy")
	type outer struct {
		V client.View
		U []client.UID
		O client.Owner
		P *client.Owner
	}
	var printed strings.Builder
	all := outer{view, o.UIDs(), o, &o}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&printed, strings.Repeat(verb+" ", 4), view, o.UID(), o, all)
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(b)
	slog.New(slog.NewTextHandler(&printed, nil)).Info("x", slog.Any("v", view), slog.Any("u", o.UID()), slog.Any("o", all))
	s := strings.ToLower(printed.String())
	for _, secret := range []string{string(view), fmt.Sprintf("%x", []byte(view)), o.UIDs()[0].Reveal(), o.UIDs()[1].Reveal(), o.Key.Encode()} {
		if strings.Contains(s, strings.ToLower(secret)) {
			t.Error("a secret was printed")
		}
	}
	if len(o.Short()) != 12 || !strings.HasPrefix(o.UID().Reveal(), o.Short()) || (client.Owner{}).Short() != "" {
		t.Error("what people are shown is not the beginning of the UID")
	}
	for _, bad := range []string{"", "short", strings.Repeat("a", 26), strings.Repeat("!", 25), "abcdefghijklmnopqrstuvwx\n"} {
		if _, err := client.ParseView(bad); !errors.Is(err, client.ErrView) {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := client.ParseView(string(view)); err != nil {
		t.Error(err)
	}
}
