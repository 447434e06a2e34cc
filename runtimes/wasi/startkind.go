package wasi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// How the processes of a program come to be is tried and decided once, when the program is made. First comes what is
// tried, then what is made of it.

// choose decides how the program's processes come to be: as want says, or by what the module is and how it starts.
//
// # Errors
//
// A *runtimes.ModuleError says that want is not possible, or that the module cannot be instantiated.
func (g *program) choose(ctx context.Context, want string) error {
	o := g.obstacles
	if g.varies && o.park == "" {
		o.park = "its environment differs from call to call"
	}
	g.reusable = o.reuse == ""
	if want == runtimes.StartFresh || o.reuse != "" && o.park != "" {
		return g.settle(want, o)
	}
	s, err := g.openKept(ctx)
	if e := (*exhausted.Error)(nil); errors.As(err, &e) {
		return err
	}
	if err != nil {
		return &runtimes.ModuleError{Reason: "the module cannot be instantiated: " + err.Error(), Err: err}
	}
	g.initial = s.getGlobals()
	if want != runtimes.StartReset && o.park == "" {
		if o.park, err = s.tryStart(ctx); err != nil {
			s.Close()
			return err
		}
	}
	err = g.settle(want, o)
	g.keepFirst(s, err)
	return err
}

// settle sets the kind, and why it is that one, by what is known of the program.
func (g *program) settle(want string, o obstacles) (err error) {
	known := startFacts{obstacles: o, fuel: g.startFuel, draws: g.seen.Clock || g.seen.Entropy, renews: g.renews}
	g.kind, g.why, err = known.choose(want)
	return err
}

// tryStart runs the entry up to the first read of stdin. It returns what keeps it from getting there.
func (s *sandbox) tryStart(ctx context.Context) (obstacle string, err error) {
	limited, cancel := context.WithTimeout(ctx, s.program.runtime.startTime)
	defer cancel()
	err = s.park(limited, &runtimes.Process{}, false)
	s.program.seen, s.program.startFuel = s.parked.seen, s.used()
	var u *unparkable
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &u):
		return u.reason, nil
	case errors.Is(err, context.DeadlineExceeded) && !past(ctx):
		return fmt.Sprintf("it has not read stdin after %v", s.program.runtime.startTime), nil
	}
	return "", err
}

// past reports whether a context has ended, or is about to.
func past(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// keepFirst keeps the first sandbox for a run if it is of use.
func (g *program) keepFirst(s *sandbox, err error) {
	switch {
	case err != nil:
		s.Close()
	case g.kind == runtimes.StartPrefork && s.parked != nil:
		g.parked.Put(s)
	default:
		g.giveBack(s)
	}
}

// slowStart is from how much fuel on a start is worth being made before the request comes: about 50 microseconds.
const slowStart = 1_000_000

// obstacles say why start kinds are not possible. Each is empty if there is nothing in the way.
type obstacles struct {
	reuse string // of sandboxes, so of reset and checkpoint
	park  string // where stdin is read first, so of prefork and checkpoint
}

// obstaclesOf says what a module itself is in the way of.
func obstaclesOf(r *rewrite.Report) (o obstacles) {
	m := r.Module
	list := m.Analysis.Obstacles()
	if !r.Folded {
		list = append(list, "where its data goes depends on a global")
	}
	if m.Analysis.Exceptions {
		o.park = "it has exceptions, whose handlers the engine forgets when a process goes on, " +
			"and they cannot be lowered: " + r.Exceptions
	}
	o.reuse = strings.Join(list, ", ")
	return o
}

// startFacts is what is known of how the processes of a program start.
type startFacts struct {
	obstacles
	fuel   uint64 // that a process uses until it reads stdin; 0: not known
	draws  bool   // it looks at the time or at entropy before that
	renews bool   // it renews what it has drawn of them
}

// choose returns the kind that is wanted, or the best one if want is empty or runtimes.StartAuto, and why it is that
// one.
//
// # Errors
//
// A *runtimes.ModuleError says that the kind which is wanted is not possible. The kind is returned all the same.
func (f startFacts) choose(want string) (kind, why string, err error) {
	if want != "" && want != runtimes.StartAuto {
		return want, "it was asked for", f.refuse(want)
	}
	kind = f.best()
	return kind, f.reason(kind), nil
}

// best returns the best kind of those that change nothing for the process.
func (f startFacts) best() string {
	slow := f.park == "" && f.fuel >= slowStart
	switch {
	case slow && f.reuse == "" && (f.renews || !f.draws):
		return runtimes.StartCheckpoint
	case slow:
		return runtimes.StartPrefork
	case f.reuse == "":
		return runtimes.StartReset
	}
	return runtimes.StartFresh
}

// reason says why a kind is the best one.
func (f startFacts) reason(kind string) string {
	switch {
	case kind == runtimes.StartCheckpoint && f.draws:
		return fmt.Sprintf("its start takes %d units of fuel, and it renews what it draws of time and entropy", f.fuel)
	case kind == runtimes.StartCheckpoint:
		return fmt.Sprintf("its start takes %d units of fuel, and needs neither the time nor entropy", f.fuel)
	case kind == runtimes.StartPrefork:
		return fmt.Sprintf("its start takes %d units of fuel", f.fuel)
	case kind == runtimes.StartFresh:
		return f.reuse
	case f.park != "":
		return f.park
	}
	return fmt.Sprintf("its start takes only %d units of fuel", f.fuel)
}

// refuse returns an error if a kind is not possible.
func (f startFacts) refuse(want string) error {
	var why string
	switch want {
	case runtimes.StartFresh:
	case runtimes.StartReset:
		why = f.reuse
	case runtimes.StartPrefork:
		why = f.park
	case runtimes.StartCheckpoint:
		if why = f.reuse; why == "" {
			why = f.park
		}
	default:
		return refused("there is no start kind %q: use %q, or leave it empty", want, runtimes.StartAuto)
	}
	if why == "" {
		return nil
	}
	return refused("the start kind %q is not possible for this module: %s; use %q", want, why, runtimes.StartAuto)
}
