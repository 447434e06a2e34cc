package level

import (
	"os"
	"runtime"
	"testing"
)

// recorder is a test of which it is only known whether it has failed.
type recorder struct {
	testing.TB
	failed bool
}

// Helper does nothing.
func (*recorder) Helper() {}

// Logf does nothing.
func (*recorder) Logf(string, ...any) {}

// Error takes note.
func (r *recorder) Error(...any) { r.failed = true }

// TestCheck checks that what grows in each round is noticed, and what grows once is not.
func TestCheck(t *testing.T) {
	var kept [][]byte
	grow := func() {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	for _, c := range []struct {
		name   string
		rounds int
		f      func(round int)
		want   bool
	}{
		{"nothing", 3, func(int) {}, false},
		{"once", 3, func(round int) {
			if round == 0 {
				grow()
			}
		}, false},
		{"always", 2, func(int) { grow() }, true},
	} {
		r, round := &recorder{TB: t}, 0
		Check(r, c.rounds, func() { c.f(round); round++ })
		if r.failed != c.want {
			t.Errorf("%s: failed %t", c.name, r.failed)
		}
	}
	runtime.KeepAlive(kept)
}

// TestFiles counts a file more.
func TestFiles(t *testing.T) {
	before := Files(t)
	f, err := os.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := Files(t); runtime.GOOS == "linux" && got != before+1 {
		t.Errorf("%d files are open, %d before", got, before)
	}
}
