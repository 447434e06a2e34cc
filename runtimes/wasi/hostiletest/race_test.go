//go:build race

package hostiletest

// share is which part of attacks, bombs and mutants is tried, one in so many: the race detector makes the compiler,
// which is what takes most of the time, ten times as slow, and without it they are all tried.
const share = 5
