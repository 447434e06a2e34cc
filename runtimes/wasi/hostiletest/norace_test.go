//go:build !race

package hostiletest

// share is which part of attacks, bombs and mutants is tried: all.
const share = 1
