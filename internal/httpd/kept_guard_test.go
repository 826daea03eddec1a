package httpd_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hushpost/hushpost/internal/httpd"
	"github.com/hushpost/hushpost/internal/testenv"
	"github.com/hushpost/hushpost/internal/vault"
	"github.com/hushpost/hushpost/internal/wire"
)

// brittle is a store in which one verb fails.
type brittle struct {
	vault.Store

	verb string
}

var errDisk = errors.New("the disk is on fire")

func (b brittle) fails(verb string) error {
	if b.verb == verb {
		return errDisk
	}
	return nil
}

func (b brittle) Put(ctx context.Context, d vault.Draft, r io.Reader) (vault.Secret, bool, error) {
	if err := b.fails("Put"); err != nil {
		return vault.Secret{}, false, err
	}
	return b.Store.Put(ctx, d, r)
}

func (b brittle) Get(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	if err := b.fails("Get"); err != nil {
		return vault.Secret{}, err
	}
	return b.Store.Get(ctx, a, rule)
}

func (b brittle) Update(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, error) {
	if err := b.fails("Update"); err != nil {
		return vault.Secret{}, err
	}
	return b.Store.Update(ctx, a, rule)
}

func (b brittle) Replace(ctx context.Context, a vault.Alias, rule vault.Rule, r io.Reader) (vault.Secret, error) {
	if err := b.fails("Replace"); err != nil {
		return vault.Secret{}, err
	}
	return b.Store.Replace(ctx, a, rule, r)
}

func (b brittle) Take(ctx context.Context, a vault.Alias, rule vault.Rule) (vault.Secret, io.ReadCloser, error) {
	if err := b.fails("Take"); err != nil {
		return vault.Secret{}, nil, err
	}
	return b.Store.Take(ctx, a, rule)
}

func (b brittle) List(ctx context.Context, list vault.Hash, skip, limit int) ([]vault.Secret, int, error) {
	if err := b.fails("List"); err != nil {
		return nil, 0, err
	}
	return b.Store.List(ctx, list, skip, limit)
}

// TestKeptTrouble: whichever step fails, it is 503, never "not found" and never an empty list; and nothing was changed.
func TestKeptTrouble(t *testing.T) {
	for op, verbs := range map[string][]string{
		"POST /api/create": {"Put"}, "POST /api/view": {"Take"}, "POST /api/update": {"Get", "Take", "Put", "Replace"},
		"POST /api/undo-claim": {"Get", "Take", "Replace"}, "POST /api/list-secrets": {"List"}, "POST /api/list-pending-secrets": {"List"},
		"POST /api/update-custom-name": {"Update"}, "POST /api/delete-secret": {"Update"},
	} {
		for _, verb := range verbs {
			w := newWorld(t)
			state := "message"
			if op == "POST /api/undo-claim" || op == "POST /api/update-custom-name" {
				state = "claimed"
			}
			s := w.state(state)
			w.serve(brittle{w.store, verb})
			a := w.send(plain[op](w, s, nil, nil))
			if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" || strings.Contains(string(a.Body), "fire") {
				t.Errorf("%s without %s: %d, Retry-After %q, %s", op, verb, a.Status, a.Header.Get("Retry-After"), a.Body)
			}
			if log := w.log.String(); !strings.Contains(log, "trouble") || !strings.Contains(log, "fire") || strings.Contains(log, s.Alias) {
				t.Errorf("%s without %s: %s", op, verb, log)
			}
			w.serve(w.store)
			if got := w.view(s.Alias, ownerOf(s)); got.Message != b64(s.Payload) || got.IsOwner != (state == "claimed") {
				t.Errorf("%s without %s has changed the message: %+v", op, verb, got)
			}
		}
	}
}

// TestKeptAndOneTimeDoNotMix: neither kind of secret exists for the other's routes (PROTOCOL 4.2, 5).
func TestKeptAndOneTimeDoNotMix(t *testing.T) {
	w := newWorld(t)
	view := w.keep(asking())
	id := w.idOf(view)
	for _, token := range [][]byte{nil, make([]byte, 32), testenv.Random(32)} {
		s := testenv.Secret{Ref: id, ID: id, Link: token, Manage: token, Reader: testenv.Random(16)}
		for _, c := range []call{w.Meta, w.Open, w.Ack, w.Decline, w.Status, w.Revoke} {
			w.must(http.StatusNotFound, c, &s)
		}
	}
	if a := w.compatGet(id); a.Status != http.StatusNotFound {
		t.Errorf("by GET: %d", a.Status)
	}
	s := testenv.NewSecret(1)
	s.ID = id
	w.must(http.StatusConflict, w.Create, s)
	w.view(view, stranger)
	oneTime := w.created()
	for _, name := range []string{oneTime.ID, oneTime.Alias, strings.ReplaceAll(oneTime.ID, "-", "")} {
		w.unreadable(http.StatusNotFound, name, stranger)
		w.fails(http.StatusNotFound, "delete-secret", wire.ViewRequest{View: name, UID: stranger})
	}
	w.opens(oneTime)
}

// TestKeptSame404: what is unknown, made up or deleted has one answer, and so has everything that is not one's own.
func TestKeptSame404(t *testing.T) {
	w := newWorld(t)
	deleted, waiting, claimed := w.keep(asking()), w.keep(asking()), w.keep(asking())
	w.does("delete-secret", wire.ViewRequest{View: deleted, UID: creator})
	w.claims(claiming(claimed, recipient))
	flipped := []byte(waiting)
	flipped[24] ^= 1 // the mark
	made := []string{"x", "nonexistent_id_12345", strings.Repeat("A", 25), strings.Repeat("_", 50), deleted, string(flipped), waiting[:24], waiting + "A"}
	for _, route := range []string{"view", "update", "undo-claim", "update-custom-name", "delete-secret"} {
		names := made
		switch route {
		case "update-custom-name", "delete-secret", "undo-claim":
			names = append(slices.Clip(names), waiting, claimed)
		}
		want := ""
		for _, name := range names {
			body := strings.Replace(with(route, "uid", `"`+stranger+`"`), goodView, name, 1)
			got := w.exact("POST", "/api/"+route, "", body)
			if want == "" {
				want = got
			}
			if !strings.HasPrefix(got, "HTTP/1.1 404 ") || got != want {
				t.Errorf("%s %s:\n%s\nwant\n%s", route, name, got, want)
			}
		}
	}
}

// idOf is the id in a view, in the form of the one-time routes.
func (w *world) idOf(view string) string {
	w.t.Helper()
	b, err := b64u.DecodeString(view[:24])
	if err != nil {
		w.t.Fatal(err)
	}
	return vault.ID(b).String()
}

// TestKeptURL: what inigma's clients append "view?view=" to.
func TestKeptURL(t *testing.T) {
	proxied := func(o *httpd.Options) { o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	for _, c := range []struct {
		name   string
		change func(*httpd.Options)
		header http.Header
		want   string
	}{
		{"as asked", func(*httpd.Options) {}, nil, "http://HOST/"},
		{"behind a proxy", proxied, http.Header{"X-Forwarded-Proto": {"https"}}, "https://HOST/"},
		{"behind nobody's proxy", func(*httpd.Options) {}, http.Header{"X-Forwarded-Proto": {"https"}}, "http://HOST/"},
		{"as set", func(o *httpd.Options) { o.PublicURL = &url.URL{Scheme: "https", Host: "hush.example", Path: "/p"} }, nil, "https://hush.example/p/"},
	} {
		w := newWorld(t, c.change)
		a := w.send(keptOperations["POST /api/create"](w, testenv.NewSecret(9), c.header, nil))
		want := strings.ReplaceAll(c.want, "HOST", strings.TrimPrefix(w.URL, "http://"))
		if got := testenv.JSON[wire.KeptCreated](t, a).URL; got != want {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}
