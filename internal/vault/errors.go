package vault

import "errors"

// Kind says why a vault refused. The list is closed: each dialect maps every kind in one table.
type Kind uint8

// Kinds of refusal.
const (
	KindNotFound           Kind = iota + 1 // unknown, not proven, or long gone; never says which (PROTOCOL 4.2)
	KindEnded                              // State says how, Opened and Ended when
	KindLeased                             // another reader has it until RetryAt
	KindPassphraseRequired                 // AttemptsLeft
	KindPassphraseWrong                    // AttemptsLeft
	KindConflict                           // the id is another secret's
	KindNotOpened                          // an ack before an open
	KindRead                               // too late to revoke: it was opened
	KindLifetime                           // the lifetime asked for is outside the limits
	KindFull                               // no room for new secrets
	KindUnavailable                        // the store is in trouble; says nothing about the secret
	KindOwned                              // a kept secret has an owner, or the claim lacks its proof
	KindNotOwner                           // a kept secret is somebody else's
	KindReused                             // an idempotency key came with another request
)

// Error is a refusal. Which of its fields are set depends on Kind.
type Error struct {
	Kind          Kind
	State         State
	AttemptsLeft  int
	Opened, Ended Time
	RetryAt       Time
	cause         error // the operator's, never shown to a client
}

var kindTexts = [...]string{
	KindNotFound: "not found", KindEnded: "the secret has ended", KindLeased: "another reader has it",
	KindPassphraseRequired: "a passphrase is needed", KindPassphraseWrong: "wrong passphrase",
	KindConflict: "the id is in use", KindNotOpened: "not opened yet", KindRead: "opened before",
	KindLifetime: "the lifetime is outside the limits", KindFull: "no room for new secrets", KindUnavailable: "the store is in trouble",
	KindOwned: "owned already", KindNotOwner: "somebody else's", KindReused: "the idempotency key is another request's",
}

// Error is the operator's text: it carries the cause.
func (e *Error) Error() string {
	text := "vault: " + kindTexts[e.Kind]
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes two refusals of one kind equal for errors.Is.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind
}

// To a client both are one answer. errRefused also says that there is a secret whose sender may like to know.
var (
	errNotFound = &Error{Kind: KindNotFound}
	errRefused  = &Error{Kind: KindNotFound}
)

// Errors that stores return.
var (
	ErrNotFound = errors.New("no such record")
	ErrConflict = errors.New("another record has this name")
	ErrFull     = errors.New("no room for new secrets")
)

func ended(s *Secret) error {
	return &Error{Kind: KindEnded, State: s.State, Opened: s.Opened, Ended: s.Ended}
}

// refusal turns whatever a store returned into an *Error. Trouble is never "not found" (PROTOCOL 4.7):
// people delete links they believe dead.
func refusal(err error) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.Is(err, ErrNotFound):
		return errNotFound
	case errors.Is(err, ErrConflict):
		return &Error{Kind: KindConflict}
	case errors.Is(err, ErrFull):
		return &Error{Kind: KindFull, cause: err}
	default:
		return &Error{Kind: KindUnavailable, cause: err}
	}
}
