// Package await waits in tests for what no event tells of. It imports nothing of polyvoke, so that every package's
// tests can use it, those from inside a package that invokertest needs too.
package await

import (
	"testing"
	"time"
)

// Most is how long what must happen is waited for: longer than the busiest machine needs.
const Most = time.Minute

// Until waits until something holds: it asks again and again. The test fails if that takes longer than Most; what says
// what was waited for.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(Most)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited in vain for this: %s", what)
		}
	}
}
