package storetest

import "fmt"

// keptFate is a kept secret as PROTOCOL 5 sees it; see fate. It was made before the round.
type keptFate struct {
	state string // "": unclaimed
	owner int
}

func (f *keptFate) answer(c Call) string {
	switch {
	case f.state == "deleted":
		return "unknown"
	case c.Verb == "read":
		return f.read(c)
	case c.Verb == "claim":
		return f.claim(c)
	case c.Verb == "undo" && f.state == "claimed" && c.User == author && !c.Guarded():
		f.state = ""
		return "ok"
	case c.Verb == "delete" && (f.state == "claimed" && f.owner == c.User || f.state == "" && c.User == author):
		f.state = "deleted"
		return "ok"
	}
	return "unknown"
}

func (f *keptFate) read(c Call) string {
	switch {
	case f.state == "":
		return fmt.Sprint("payload ", author)
	case f.owner == c.User:
		return fmt.Sprint("payload ", f.owner)
	}
	return "not owner"
}

func (f *keptFate) claim(c Call) string {
	if f.state == "claimed" || c.Wrong {
		return "owned"
	}
	f.state, f.owner = "claimed", c.User
	return "ok"
}
