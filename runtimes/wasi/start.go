package wasi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

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

// past tells whether a context has ended, or is about to.
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
