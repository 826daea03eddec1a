package storetest

import (
	"fmt"

	"github.com/anishathalye/porcupine"
)

// fate is a secret as PROTOCOL 4 sees it, in a world without time. The model is written from the protocol's
// text, apart from vault's rules: where both say the same, it is not because one was copied.
type fate struct {
	state   string // "": never created
	variant int
	reader  int
	wrong   int

	kept keptFate // of a kept secret instead
}

// bySecret: what happens to one secret does not touch another.
func bySecret(history []porcupine.Operation) [][]porcupine.Operation {
	parts := make(map[int][]porcupine.Operation)
	for _, op := range history {
		secret := op.Input.(Call).Secret
		parts[secret] = append(parts[secret], op)
	}
	var all [][]porcupine.Operation
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

// step gives what may have become of a secret. A call whose answer was lost has happened, or not.
func step(state, input, output any) []any {
	f := state.(fate)
	after := f
	switch want := after.answer(input.(Call)); output {
	case want:
		return []any{after}
	case Lost:
		return []any{f, after}
	}
	return nil
}

// answer is what a secret says to a call, and what the call does to it.
func (f *fate) answer(c Call) string {
	switch {
	case c.Kept():
		return f.kept.answer(c)
	case c.Verb == "create":
		return f.create(c)
	case f.state == "":
		return "unknown"
	}
	switch c.Verb {
	case "meta", "status":
		return f.state
	case "open":
		return f.open(c)
	case "ack":
		return f.ack(c)
	case "decline":
		return f.end("declined", "leased", "ended read")
	default:
		return f.end("revoked", "was opened", "was opened")
	}
}

// create: PROTOCOL 4.1.
func (f *fate) create(c Call) string {
	switch {
	case f.state == "":
		f.state, f.variant = "waiting", c.Variant
		return "created"
	case (f.state == "waiting" || f.state == "leased") && f.variant == c.Variant:
		return "same"
	}
	return "conflict"
}

// open: PROTOCOL 4.3. Only the third secret has a passphrase.
func (f *fate) open(c Call) string {
	payload := fmt.Sprint("payload ", f.variant)
	switch {
	case f.state == "leased" && f.reader == c.User:
		return payload
	case f.state == "leased":
		return "leased"
	case f.state != "waiting":
		return "ended " + f.state
	case c.Wrong:
		if f.wrong++; f.wrong == 10 {
			f.state = "locked"
		}
		return fmt.Sprintf("wrong, %d left", 10-f.wrong)
	}
	f.state, f.reader = "leased", c.User
	return payload
}

// ack: PROTOCOL 4.4.
func (f *fate) ack(c Call) string {
	switch {
	case f.state == "waiting":
		return "not opened"
	case f.state == "leased" && f.reader != c.User:
		return "leased"
	case (f.state == "leased" || f.state == "read") && f.reader == c.User:
		f.state = "read"
		return "ok"
	}
	return "ended " + f.state
}

// end is decline and revoke, which differ in what they say once somebody has opened (PROTOCOL 4.4, 4.5).
func (f *fate) end(state, leased, read string) string {
	switch f.state {
	case "waiting", state:
		f.state = state
		return "ok"
	case "leased":
		return leased
	case "read":
		return read
	}
	return "ended " + f.state
}
