package wasi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// slowStart is from how much fuel on a start is worth being made before the request comes: about 50 microseconds.
const slowStart = 1_000_000

// obstacle says why a start kind is not possible. It is empty if it is.
type obstacle string

// obstacles are what is in the way of start kinds.
type obstacles struct {
	reuse obstacle // of sandboxes, so of reset and checkpoint
	park  obstacle // of prefork and checkpoint
}

// judge says what the module itself is in the way of.
func judge(r *rewrite.Report) (o obstacles) {
	m := r.Module
	list := m.Analysis.Obstacles()
	if !r.Folded {
		list = append(list, "where its data goes depends on a global")
	}
	switch {
	case m.Start:
		o.park = "it has a start section"
		list = append(list, string(o.park))
	case m.Analysis.Exceptions:
		o.park = obstacle("it has exceptions, whose handlers the engine forgets when a process goes on, and they cannot be lowered: " + r.Exceptions)
	}
	o.reuse = obstacle(strings.Join(list, ", "))
	return o
}

// choose decides how the program's processes come to be: as want says, or by what the module is and how it starts.
//
// # Errors
//
// A *runtimes.ModuleError says that want is not possible, or that the module cannot be instantiated.
func (g *program) choose(ctx context.Context, want string) error {
	o := g.in
	if g.varies && o.park == "" {
		o.park = "its environment differs from call to call"
	}
	g.reusable = o.reuse == ""
	if want == runtimes.StartFresh || o.reuse != "" && o.park != "" {
		return g.settle(want, runtimes.StartFresh, o)
	}
	s, err := g.openKept(ctx)
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
	err = g.settle(want, g.fastest(o), o)
	g.keepFirst(s, err)
	return err
}

// tryStart runs the entry up to the first read of stdin.
func (s *sandbox) tryStart(ctx context.Context) (obstacle, error) {
	limited, cancel := context.WithTimeout(ctx, s.program.runtime.startTime)
	defer cancel()
	err := s.park(limited, &runtimes.Process{}, false)
	s.program.seen, s.program.startFuel = s.parked.seen, s.used()
	var u *unparkable
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &u):
		return obstacle(u.reason), nil
	case errors.Is(err, context.DeadlineExceeded) && !past(ctx):
		return obstacle(fmt.Sprintf("it has not read stdin after %v", s.program.runtime.startTime)), nil
	}
	return "", err
}

// past tells whether a context has ended, or is about to.
func past(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// fastest returns the best kind of those that change nothing for the process.
func (g *program) fastest(o obstacles) string {
	slow := o.park == "" && g.startFuel >= slowStart
	switch {
	case slow && o.reuse == "" && (g.renews || !g.seen.Clock && !g.seen.Entropy):
		return runtimes.StartCheckpoint
	case slow:
		return runtimes.StartPrefork
	case o.reuse == "":
		return runtimes.StartReset
	}
	return runtimes.StartFresh
}

// settle sets the kind, and says why it is that one.
func (g *program) settle(want, fastest string, o obstacles) error {
	if want != "" && want != runtimes.StartAuto {
		g.kind, g.why = want, "it was asked for"
		return refuse(want, o)
	}
	g.kind = fastest
	switch {
	case fastest == runtimes.StartCheckpoint && g.renews && (g.seen.Clock || g.seen.Entropy):
		g.why = fmt.Sprintf("its start takes %d units of fuel, and it renews what it draws of time and entropy", g.startFuel)
	case fastest == runtimes.StartCheckpoint:
		g.why = fmt.Sprintf("its start takes %d units of fuel, and needs neither the time nor entropy", g.startFuel)
	case fastest == runtimes.StartPrefork:
		g.why = fmt.Sprintf("its start takes %d units of fuel", g.startFuel)
	case fastest == runtimes.StartFresh:
		g.why = string(o.reuse)
	case o.park != "":
		g.why = string(o.park)
	default:
		g.why = fmt.Sprintf("its start takes only %d units of fuel", g.startFuel)
	}
	return nil
}

// refuse returns an error if a kind is not possible.
func refuse(want string, o obstacles) error {
	var why obstacle
	switch want {
	case runtimes.StartFresh:
	case runtimes.StartReset:
		why = o.reuse
	case runtimes.StartPrefork:
		why = o.park
	case runtimes.StartCheckpoint:
		if why = o.reuse; why == "" {
			why = o.park
		}
	default:
		return &runtimes.ModuleError{Reason: fmt.Sprintf("there is no start kind %q: use %q, or leave it empty", want, runtimes.StartAuto)}
	}
	if why == "" {
		return nil
	}
	return &runtimes.ModuleError{Reason: fmt.Sprintf("the start kind %q is not possible for this module: %s; use %q", want, why, runtimes.StartAuto)}
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
