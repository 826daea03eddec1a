// Package opaque holds a value where package fmt does not look.
// It is no protection against code that wants to see: reflection, unsafe and a debugger all can.
package opaque

// Value holds a *T. The zero Value holds nil.
//
// A secret that is printed as itself can redact itself with fmt.Formatter. Where it sits in an unexported field of
// something that is printed, fmt may not call its methods and prints memory instead, and it follows one pointer: not only
// for %v of the outermost value but at any depth under a verb that does not fit, such as %s (badVerb starts again at
// depth zero). It never follows a pointer to a pointer, so here it shows an address whatever the verb.
type Value[T any] struct{ p **T }

// Of holds v.
func Of[T any](v *T) Value[T] {
	if v == nil {
		return Value[T]{}
	}
	return Value[T]{&v}
}

// Get gives what Of was given.
func (v Value[T]) Get() *T {
	if v.p == nil {
		return nil
	}
	return *v.p
}
