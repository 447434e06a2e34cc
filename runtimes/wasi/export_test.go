package wasi

import (
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// KindOf returns the start kind of a program, and why it is that one.
func KindOf(p runtimes.Program) (kind, why string) {
	g := p.(*program)
	return g.kind, g.why
}

// StartFuel returns how much fuel a program used until it read stdin, when it was compiled.
func StartFuel(p runtimes.Program) uint64 { return p.(*program).startFuel }

// Distrusted tells whether a sandbox of a program was found not to be put back.
func Distrusted(p runtimes.Program) bool { return p.(*program).doubt.Load() }

// Sweep has a program's idle sandboxes looked after as if it were now.
func Sweep(p runtimes.Program, now time.Time) { p.(*program).sweep(now) }

// sweep is Sweep.
func (g *program) sweep(now time.Time) {
	g.clean.Sweep(now)
	g.parked.Sweep(now)
}
