package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hushpost/hushpost/cmd/hush/internal/lifetime"
	"github.com/hushpost/hushpost/cmd/hush/internal/tty"
	"github.com/hushpost/hushpost/crypto/link"
	"github.com/hushpost/hushpost/crypto/seal"
	"github.com/hushpost/hushpost/internal/client"
	"github.com/hushpost/hushpost/internal/wire"
)

// Every message answers three questions: what happened, what became of the secret, what to do now.

// explainSend is about a failed create.
func explainSend(err error) error {
	if errors.Is(err, client.ErrMaybeStored) {
		what := err.Error()
		if errors.Is(err, context.Canceled) {
			what = "interrupted; " + client.ErrMaybeStored.Error()
		}
		return fmt.Errorf("%s. Nobody has its link, so nobody can open it, and it expires by itself. Try again", what)
	}
	const nothing = "nothing was stored"
	switch e, _ := errors.AsType[*client.Error](err); {
	case e == nil:
	case e.Code == wire.CodeConflict:
		return fmt.Errorf("the server holds another secret under the same random id; %s. Try again", nothing)
	case e.Status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("the secret is too large for this server%s; %s", detail(e), nothing)
	case e.Status == http.StatusInsufficientStorage:
		return fmt.Errorf("the server has no room for new secrets; %s. Try again later", nothing)
	case e.Status == http.StatusUnprocessableEntity || e.Status == http.StatusBadRequest:
		return fmt.Errorf("the server does not accept this%s; %s", detail(e), nothing)
	case e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed:
		return fmt.Errorf("what answers there is no Hushpost server; %s. Check --server", nothing)
	}
	if errors.Is(err, link.ErrBase) {
		return fmt.Errorf("%w; %s. It looks like https://secrets.example.com", err, nothing)
	}
	return fmt.Errorf("%s; %s", reason(err), nothing)
}

// explainOpen is about a failed open. The server's verdict comes before what the fate of an attempt would say.
func explainOpen(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		if verdict := verdict(e); verdict != "" {
			return errors.New(verdict)
		}
	}
	r, ok := errors.AsType[*client.ReceiveError](err)
	if !ok {
		return err
	}
	switch {
	case errors.Is(err, errNoPassphrase), errors.Is(err, errWrongPassphrase):
		return err
	case errors.Is(err, client.ErrForeign):
		return fmt.Errorf("what answers at the link's address is no Hushpost server; nothing was opened. Check the address with the sender")
	case isDamage(err):
		return fmt.Errorf("what the server holds does not open with this link: the link or the data is damaged. %s Ask the sender for a new one",
			fate(r, "The reading is not confirmed; the server erases the secret"))
	}
	return fmt.Errorf("%s. %s", reason(err), fate(r, "The secret is kept for this machine only: run the same command again, or the server erases it"))
}

func isDamage(err error) bool {
	for _, d := range []error{seal.ErrOpen, seal.ErrFormat, seal.ErrVersion, seal.ErrMismatch} {
		if errors.Is(err, d) {
			return true
		}
	}
	return false
}

func fate(r *client.ReceiveError, held string) string {
	switch r.Fate {
	case client.Uncertain:
		return "The server may have opened it for this machine; run the same command again within two minutes"
	case client.Held:
		if left := time.Until(r.Until); left > 0 {
			return fmt.Sprintf("%s in %s.", held, left.Round(time.Second))
		}
		return held + " soon."
	case client.Gone:
		return "It is a link of the kind that the server erases on the first request, so it is gone."
	case client.Untouched:
	}
	return "Nothing was opened; the secret is untouched"
}

// verdict says what became of a secret, in the words of PROTOCOL 4.2 and 4.3; empty when the answer is about something else.
func verdict(e *client.Error) string {
	switch {
	case e.Code == wire.StateRead:
		return "already opened" + at(e.OpenedAt) + "; it is erased. If that was not you, tell the sender that somebody else has read it"
	case e.Code == wire.StateUnconfirmed:
		return "already opened" + at(e.OpenedAt) + ", but its reader never confirmed it; it is erased. Ask the sender for a new one"
	case e.Code == wire.StateRevoked:
		return "the sender took it back" + at(e.EndedAt) + "; it is erased unread"
	case e.Code == wire.StateDeclined:
		return "it was declined" + at(e.EndedAt) + " and erased unread. Ask the sender for a new one"
	case e.Code == wire.StateExpired:
		return "it expired" + at(e.EndedAt) + " and is erased unread. Ask the sender for a new one"
	case e.Code == wire.StateLocked:
		return "too many wrong passphrases" + at(e.EndedAt) + "; it is erased unread, and the sender knows. Ask for a new one"
	case e.Status == http.StatusLocked || e.Code == wire.StateLeased:
		return "somebody else is opening it" + at(e.OpenedAt) + ". It can be opened once only, so it is lost for this machine. If that is not you, tell the sender"
	case e.Status == http.StatusNotFound:
		return "no secret answers to this link: it was opened or ended more than a week ago, or the link is altered. Nothing was opened now. " +
			"Compare the link with what the sender sent, or ask for a new one"
	}
	return ""
}

// reason is an error in one sentence, without the server's own words.
func reason(err error) string {
	e, refused := errors.AsType[*client.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case refused && e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		return fmt.Sprintf("the server wants fewer requests; try again in %s", e.RetryAfter)
	case refused && e.Status >= http.StatusInternalServerError:
		return fmt.Sprintf("the server is in trouble (%d)", e.Status)
	}
	if r, ok := errors.AsType[*client.ReceiveError](err); ok {
		return r.Err.Error()
	}
	return err.Error()
}

func detail(e *client.Error) string {
	if e.Message == "" {
		return ""
	}
	return ": " + tty.CleanLine(e.Message)
}

func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " at " + when(*t)
}

// untilExpiry says when and how soon.
func untilExpiry(t time.Time) string {
	return fmt.Sprintf("%s (in %s)", when(t), lifetime.Format(time.Until(t)+time.Second)) // 1 day, and not 23 hours, right after creating
}
