package wasi

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// CanPark reports whether this build can let processes wait where they read stdin. That any but a portable one can is
// what the tests of package native check.
var CanPark = sync.OnceValue(func() bool {
	r, err := New(context.Background(), Config{StartTime: time.Minute})
	if err != nil {
		panic(err)
	}
	defer r.Close(context.Background())
	_, err = r.Compile(context.Background(), runtimestest.Wasm(), runtimes.Options{Start: runtimes.StartCheckpoint})
	if err != nil && !strings.Contains(err.Error(), noStacks) {
		panic(err)
	}
	return err == nil
})

// Possible returns those of start kinds that this build can do.
func Possible(kinds ...string) []string {
	return slices.DeleteFunc(kinds, func(kind string) bool {
		return (kind == runtimes.StartPrefork || kind == runtimes.StartCheckpoint) && !CanPark()
	})
}

// NeedKind skips a test for which processes must come to be in a way that this build cannot do.
func NeedKind(t testing.TB, kind string) {
	t.Helper()
	if len(Possible(kind)) == 0 {
		t.Skipf("this build does not see the engine's stacks, so no process of the kind %s", kind)
	}
}

// KindOf returns the start kind of a program, and why it is that one.
func KindOf(p runtimes.Program) (kind, why string) {
	g := p.(*program)
	return g.kind, g.why
}

// StartFuel returns how much fuel a program used until it read stdin, when it was compiled.
func StartFuel(p runtimes.Program) uint64 { return p.(*program).startFuel }

// Distrusted reports whether a sandbox of a program was found not to be put back.
func Distrusted(p runtimes.Program) bool { return p.(*program).doubt.Load() }

// ParkedStack returns how large the native stack is, in bytes, of a program's sandbox that is parked, and how much it
// has in all. Both are 0 if none is parked.
func ParkedStack(p runtimes.Program) (stack, all int) {
	g := p.(*program)
	s, ok := g.parked.Take()
	if !ok {
		return 0, 0
	}
	defer g.parked.Put(s)
	return s.run.native.StackSize(), s.parked.stack()
}

// Wait has all of a program's sandboxes that are parked now wait, as far as they can tell, for d longer than they
// did, and returns how many there were.
func Wait(p runtimes.Program, d time.Duration) (n int) {
	g := p.(*program)
	var all []*sandbox
	for {
		s, ok := g.parked.Take()
		if !ok {
			break
		}
		s.state.Start = s.state.Start.Add(-d)
		all = append(all, s)
	}
	for _, s := range all {
		g.parked.Put(s)
	}
	return len(all)
}

// Sweep has a program's idle sandboxes looked after as if it were now.
func Sweep(p runtimes.Program, now time.Time) { p.(*program).sweep(now) }

// sweep is Sweep.
func (g *program) sweep(now time.Time) {
	g.clean.Sweep(now)
	g.parked.Sweep(now)
}
