//go:build !race

package moduletest

// share is which part of the scripts is run, one in so many: all of them.
const share = 1
