package client_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hushpost/hushpost/crypto/envelope"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

const text = "correct horse battery staple"

func send(t *testing.T, c *client.Client, d client.Draft) client.Sent {
	t.Helper()
	if d.Payload.Text == "" {
		d.Payload = envelope.Payload{Text: text}
	}
	sent, err := c.Send(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

func TestSendAndReceive(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			f := &fakeServer{}
			c := start(t, f)
			sent := send(t, c, client.Draft{Version: version, TTL: time.Hour, Lang: "de"})
			if got := f.header.Get(wire.HeaderExpiresIn); got != "3600" {
				t.Errorf("lifetime sent: %q", got)
			}
			if v, _ := seal.Version(f.payload); v != version {
				t.Errorf("payload of version %d", v)
			}
			if f.header.Get(wire.HeaderLinkHash) == "" { // PROTOCOL 2.4, last sentence
				t.Error("no link hash")
			}
			if f.header.Get(wire.HeaderManageHash) != sent.ManageToken.HashText() {
				t.Error("another manage hash than that of the token returned")
			}
			l, err := link.Parse(sent.Link.Reveal())
			if err != nil || l.Lang != "de" || l.Ref != alias {
				t.Fatalf("link: %v %v", l, err)
			}
			saved := false
			got, err := c.Receive(t.Context(), l, client.Reading{Save: func(r client.Received) error {
				saved = true
				if f.acked {
					t.Error("confirmed before it was saved")
				}
				return nil
			}})
			if err != nil || got.Payload.Text != text || got.Version != version || got.Unconfirmed != nil || got.Compatible {
				t.Fatalf("received version %d, %v, %v", got.Version, got.Unconfirmed, err)
			}
			if !saved || !f.acked {
				t.Errorf("saved %v, confirmed %v", saved, f.acked)
			}
			if want := "PUT, GET id, POST open, POST ack"; f.routes() != want {
				t.Errorf("requests: %s", f.routes())
			}
		})
	}
}

func TestLostAnswersAreMadeUpFor(t *testing.T) {
	f := &fakeServer{}
	f.after = func(n int, route string) bool { return n == 1 || n == 3 || n == 5 }
	c := start(t, f)
	sent := send(t, c, client.Draft{})
	got, err := c.Receive(t.Context(), sent.Link, client.Reading{})
	if err != nil || got.Payload.Text != text || !f.acked {
		t.Fatal(err, f.acked)
	}
	if want := "PUT, PUT, GET id, GET id, POST open, POST open, POST ack"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
}

func TestCutBodyIsAskedForAgainWithTheSameReader(t *testing.T) {
	f := &fakeServer{}
	var readers []string
	f.before = func(_ int, route string, w http.ResponseWriter, r *http.Request) bool {
		if route != "POST open" {
			return false
		}
		var o wire.OpenRequest
		_ = json.NewDecoder(r.Body).Decode(&o)
		readers = append(readers, string(o.Reader))
		if len(readers) <= 8 { // more often than Retry counts: within the lease the clock decides
			cutBody(w)
		}
		f.reader = ""
		r.Body = http.NoBody
		f.answerOpen(w, r, string(o.Reader))
		return true
	}
	c := start(t, f)
	sent := send(t, c, client.Draft{})
	got, err := c.Receive(t.Context(), sent.Link, client.Reading{})
	if err != nil || got.Payload.Text != text {
		t.Fatal(err)
	}
	for _, r := range readers {
		if r != readers[0] {
			t.Fatal("a second reader token")
		}
	}
}

// answerOpen answers as open does once the body is read.
func (f *fakeServer) answerOpen(w http.ResponseWriter, r *http.Request, reader string) {
	f.open(w, r, []byte(`{"reader":"`+reader+`"}`))
}

func TestPassphraseIsAskedForOnlyWhenTheServerSaysSo(t *testing.T) {
	f := &fakeServer{}
	c := start(t, f)
	sent := send(t, c, client.Draft{Passphrase: "Tr0ub4dor&3"})
	var asks []client.Ask
	answers := []string{"wrong", "Tr0ub4dor&3"}
	got, err := c.Receive(t.Context(), sent.Link, client.Reading{Passphrase: func(_ context.Context, a client.Ask) (string, error) {
		asks = append(asks, a)
		return answers[len(asks)-1], nil
	}})
	if err != nil || got.Payload.Text != text {
		t.Fatal(err)
	}
	if want := []client.Ask{{Left: -1}, {Again: true, Left: 9}}; len(asks) != 2 || asks[0] != want[0] || asks[1] != want[1] {
		t.Errorf("asked: %+v", asks)
	}
	if want := "PUT, GET id, POST open, POST open, POST open, POST ack"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
}

// A client that sent no passphrase hash leaves the asking to us; then only decryption can tell a wrong passphrase.
func TestPassphraseThatTheServerDoesNotKnowOf(t *testing.T) {
	f := &fakeServer{}
	c := start(t, f)
	sent := send(t, c, client.Draft{Passphrase: "right"})
	f.header.Del(wire.HeaderPassphraseHash)
	var asks []client.Ask
	got, err := c.Receive(t.Context(), sent.Link, client.Reading{Passphrase: func(_ context.Context, a client.Ask) (string, error) {
		asks = append(asks, a)
		return []string{"wrong", "right"}[len(asks)-1], nil
	}})
	if err != nil || got.Payload.Text != text || !f.acked {
		t.Fatal(err)
	}
	if len(asks) != 2 || asks[0].Again || !asks[1].Again {
		t.Errorf("asked: %+v", asks)
	}
}

func TestNothingIsOpenedWithoutThePassphrase(t *testing.T) {
	f := &fakeServer{}
	c := start(t, f)
	sent := send(t, c, client.Draft{Passphrase: "x"})
	_, err := c.Receive(t.Context(), sent.Link, client.Reading{})
	r, ok := errors.AsType[*client.ReceiveError](err)
	if !ok || !errors.Is(err, client.ErrNoPassphrase) || r.Fate != client.Untouched {
		t.Fatalf("%#v", err)
	}
	if f.reader != "" {
		t.Error("opened")
	}
}

func TestDamageAndFailedSavesAreNotConfirmed(t *testing.T) {
	full := errors.New("no space left on device")
	for _, test := range []struct {
		name   string
		damage bool
		save   func(client.Received) error
		want   error
	}{
		{"damage", true, nil, seal.ErrOpen},
		{"full disk", false, func(client.Received) error { return full }, full},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fakeServer{}
			c := start(t, f)
			sent := send(t, c, client.Draft{})
			if test.damage {
				f.payload[len(f.payload)-1] ^= 1
			}
			_, err := c.Receive(t.Context(), sent.Link, client.Reading{Save: test.save})
			r, ok := errors.AsType[*client.ReceiveError](err)
			if !ok || !errors.Is(err, test.want) || r.Fate != client.Held {
				t.Fatalf("%#v", err)
			}
			if left := time.Until(r.Until); left < time.Minute || left > 3*time.Minute {
				t.Errorf("time left: %s", left)
			}
			if strings.Contains(f.routes(), "ack") {
				t.Error("confirmed all the same")
			}
		})
	}
}

func TestFailedConfirmationDoesNotHideTheSecret(t *testing.T) {
	f := &fakeServer{}
	f.before = func(_ int, route string, w http.ResponseWriter, _ *http.Request) bool {
		if route == "POST ack" {
			refuse(w, http.StatusServiceUnavailable, wire.Error{Code: wire.CodeUnavailable})
			return true
		}
		return false
	}
	c := start(t, f)
	got, err := c.Receive(t.Context(), send(t, c, client.Draft{}).Link, client.Reading{})
	if err != nil || got.Payload.Text != text || got.Unconfirmed == nil {
		t.Fatal(err, got.Unconfirmed)
	}
	if n := strings.Count(f.routes(), "ack"); n != 6 {
		t.Errorf("confirmed %d times", n)
	}
}

// compatLink stores a secret as a client of only-once-share does.
func compatLink(t *testing.T, f *fakeServer, c *client.Client) link.Link {
	t.Helper()
	key, id := seal.NewKey(), seal.NewID()
	payload, err := key.Keys(id).SealV1(envelope.Payload{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	f.compat, err = json.Marshal(wire.CompatSecret{ID: string(id), Ciphertext: base64.StdEncoding.EncodeToString(payload)})
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.NewOneTime(c.Base(), alias, key)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestCompatibleSecrets(t *testing.T) {
	for name, foreign := range map[string]bool{"our server": false, "an only-once-share server": true} {
		t.Run(name, func(t *testing.T) {
			f := &fakeServer{foreign: foreign}
			c := start(t, f)
			l := compatLink(t, f, c)
			got, err := c.Receive(t.Context(), l, client.Reading{})
			if err != nil || got.Payload.Text != text || !got.Compatible || got.Version != 1 {
				t.Fatal(err)
			}
			if strings.Contains(f.routes(), "ack") {
				t.Error("confirmed where there is no lease")
			}
			_, err = c.Receive(t.Context(), l, client.Reading{})
			r, ok := errors.AsType[*client.ReceiveError](err)
			if e, refused := errors.AsType[*client.Error](err); !ok || !refused || e.Status != http.StatusNotFound || r.Fate != client.Untouched {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestCompatibleSecretIsAskedForOnceOnly(t *testing.T) {
	f := &fakeServer{foreign: true, after: func(_ int, route string) bool { return route == "GET" }}
	c := start(t, f)
	_, err := c.Receive(t.Context(), compatLink(t, f, c), client.Reading{})
	r, ok := errors.AsType[*client.ReceiveError](err)
	if !ok || r.Fate != client.Gone {
		t.Fatalf("%#v", err)
	}
	if want := "GET id, GET"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
}

func TestUnknownSecretIsUntouched(t *testing.T) {
	f := &fakeServer{}
	c := start(t, f)
	l, err := link.NewOneTime(c.Base(), alias, seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Receive(t.Context(), l, client.Reading{})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != wire.CodeNotFound {
		t.Fatal(err)
	}
	if want := "GET id, POST open, GET"; f.routes() != want {
		t.Errorf("requests: %s", f.routes())
	}
}

func TestInterruptedSendIsTakenBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := &fakeServer{}
	f.after = func(_ int, route string) bool {
		if route == "PUT" {
			cancel() // stored, and Ctrl-C before the answer is read
			return true
		}
		return false
	}
	c := start(t, f)
	_, err := c.Send(ctx, client.Draft{Payload: envelope.Payload{Text: text}})
	if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrMaybeStored) {
		t.Fatal(err)
	}
	if !f.revoked || f.payload != nil {
		t.Error("the secret is still stored")
	}
}

func TestUnknownOutcomeIsSaid(t *testing.T) {
	f := &fakeServer{after: func(int, string) bool { return true }}
	c := start(t, f)
	_, err := c.Send(t.Context(), client.Draft{Payload: envelope.Payload{Text: text}})
	if !errors.Is(err, client.ErrMaybeStored) {
		t.Fatal(err)
	}
	refusing := &fakeServer{before: func(_ int, _ string, w http.ResponseWriter, _ *http.Request) bool {
		refuse(w, http.StatusInsufficientStorage, wire.Error{Code: wire.CodeFull})
		return true
	}}
	c = start(t, refusing)
	_, err = c.Send(t.Context(), client.Draft{Payload: envelope.Payload{Text: text}})
	if errors.Is(err, client.ErrMaybeStored) || client.Code(err) != wire.CodeFull {
		t.Fatal(err)
	}
	if refusing.routes() != "PUT" {
		t.Errorf("requests: %s", refusing.routes())
	}
}
