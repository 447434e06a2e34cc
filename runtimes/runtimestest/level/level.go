// Package level measures what the process that runs the tests holds, for tests of what is left behind.
package level

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Level is what the process holds: bytes of heap, KiB of resident memory, goroutines and open files. RSS and Files
// are 0 where they cannot be known, which is everywhere but on Linux.
type Level struct{ Heap, RSS, Goroutines, Files int }

// Measure returns what is held once garbage has been collected.
func Measure(t testing.TB) Level {
	t.Helper()
	for range 3 {
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l := Level{Heap: int(m.HeapAlloc), Goroutines: runtime.NumGoroutine(), Files: Files(t)}
	if runtime.GOOS != "linux" {
		return l
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(line, &l.RSS); err != nil {
		t.Fatal(err)
	}
	return l
}

// Files returns how many files the process has open, or 0 where that cannot be known.
func Files(t testing.TB) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Check checks that f leaves nothing behind. What the collector and the system hold goes up and down by itself, and a
// goroutine takes a moment to end; pools fill up. So it counts only if it grows in each of some rounds.
func Check(t testing.TB, rounds int, f func()) {
	t.Helper()
	grown := ""
	for range rounds {
		before := Measure(t)
		f()
		after := Measure(t)
		t.Logf("before %+v, after %+v", before, after)
		if grown = before.growth(after); grown == "" {
			return
		}
	}
	t.Error(grown)
}

// growth says what has grown by more than a twentieth, or returns "".
func (l Level) growth(after Level) string {
	for _, c := range []struct {
		what          string
		before, after int
	}{
		{"bytes of heap", l.Heap, after.Heap}, {"KiB of resident memory", l.RSS, after.RSS},
		{"goroutines", l.Goroutines, after.Goroutines}, {"open files", l.Files, after.Files},
	} {
		if c.after > c.before+c.before/20 {
			return fmt.Sprintf("%s: from %d to %d", c.what, c.before, c.after)
		}
	}
	return ""
}
