//go:build race

package moduletest

// share is which part of the scripts is run, one in so many: the race detector makes the engine's compiler slow, and
// nothing here is concurrent.
const share = 20
