// Package wycheproof runs the vectors of Project Wycheproof against crypto/internal/primitive.
// It is no part of any program: it is a module of its own so that nobody who builds Hushpost downloads the vectors.
package wycheproof
