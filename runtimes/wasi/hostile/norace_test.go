//go:build !race

package hostile

// share is which part of attacks, bombs and mutants is tried: all.
const share = 1
