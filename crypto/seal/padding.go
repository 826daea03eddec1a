package seal

import (
	"math/bits"
	"slices"
)

const (
	// minPadded hides the length of everything that is typed by hand.
	minPadded = 256
	// mark ends the content, so that content which ends in zeros keeps them.
	mark = 0x80
)

// paddedLen is max(256, padmé(n+1)), the one being the mark (FORMAT 2.5).
func paddedLen(n int) int { return max(minPadded, padme(n+1)) }

// padme rounds a length up so that only its leading bits tell lengths apart (Nikitin et al., 2019, algorithm 1):
// of a length of E+1 bits the last E-S are zero, S being the bits of E. The overhead is at most 12 %.
func padme(n int) int {
	e := bits.Len(uint(n)) - 1
	s := bits.Len(uint(e))    // callers pass 1 or more, so e is 0 or more
	low := 1<<max(0, e-s) - 1 // of lengths under 4 every bit counts
	return (n + low) &^ low
}

// unpad takes the zeros and the mark off the end. The padding is authenticated, so how long the search takes tells
// nobody anything that the payload's length has not. That the length is one of padmé's is not checked: a writer may
// come to pad more, and a reader has nothing to lose by it.
func unpad(b []byte) ([]byte, error) {
	for i, c := range slices.Backward(b) {
		switch c {
		case 0:
		case mark:
			return b[:i], nil
		default:
			return nil, ErrFormat
		}
	}
	return nil, ErrFormat
}
