package wasi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/tetratelabs/wazero/api"
)

// wizerName is the function of type () -> () that modules export for the tool Wizer
// (github.com/bytecodealliance/wizer): it does what can be done once, for all processes to begin with.
const wizerName = "wizer.initialize"

// initializeTimes is how many times as long as a start an initialization may take: it is done once, not for each
// process, and on a machine that is busy the compiler of a language needs seconds for it.
const initializeTimes = 5

// errAsks ends an initialization that asks for what belongs to a request.
var errAsks = errors.New("it reads stdin or looks into /request")

// initialize does for a module what Wizer would have done: it calls the function once, and makes what memory and
// globals are then what they are before the entry runs. Time and entropy are those of draws, or, if that is nil, of a
// checkpoint.
//
// # Errors
//
// A *runtimes.ModuleError says that the function failed, or that what it did cannot be kept.
func (g *program) initialize(ctx context.Context, report *rewrite.Report, draws *recording.Draws) error {
	if !exports(report.Module, wizerName) {
		return nil
	}
	err := g.runInitializer(ctx, report, draws)
	if err == nil || past(ctx) {
		return err
	}
	reason := fmt.Sprintf("%s could not be run once for all processes: %v", wizerName, err)
	return &runtimes.ModuleError{Reason: reason, Err: err}
}

// runInitializer calls the function and keeps what it did to memory and globals, but for the gauges.
func (g *program) runInitializer(ctx context.Context, report *rewrite.Report, draws *recording.Draws) error {
	switch o := g.obstacles; {
	case o.reuse != "":
		return errors.New(o.reuse)
	case report.Module.Start: // which would have to be called before, and not again
		return errors.New("it has a start section")
	}
	s, err := g.openKept(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	first := s.getGlobals()
	if err := s.callOnce(ctx, wizerName, draws); err != nil {
		return err
	}
	gauges := len(g.globals) - len(report.Globals)
	return g.rebase(s, append(first[:gauges:gauges], s.getGlobals()[gauges:]...))
}

// exports reports whether a module exports a function under a name.
func exports(m *module.Module, name string) bool {
	for _, e := range m.Exports {
		if e.Name == name && e.Kind == module.FunctionKind && e.Signature == "() -> ()" {
			return true
		}
	}
	return false
}

// callOnce calls an exported function, which must come to its end, with draws that were recorded if they are not nil.
func (s *sandbox) callOnce(ctx context.Context, name string, draws *recording.Draws) error {
	ctx, cancel := context.WithTimeout(ctx, initializeTimes*s.program.runtime.startTime)
	defer cancel()
	p := s.fix(&runtimes.Process{})
	defer s.unfix()
	p.Args, p.Env, p.Draws = s.program.args, s.program.env, new(recording.Draws)
	if draws != nil {
		p.Replay = recording.NewReplay(draws)
	}
	run := s.begin(ctx, p, time.Now())
	defer s.end()
	s.state.BeforeRead = func(context.Context, api.Module, api.GoModuleFunc, []uint64) { s.state.Stop(errAsks) }
	defer func() { s.state.BeforeRead = nil }()
	err := s.call(run, s.instance.ExportedFunction(name))
	if err == nil && (s.state.Changed() || s.state.Seen().Files) {
		return errAsks
	}
	if p.Draws.Len() > 0 || p.Draws.Lost() != "" {
		s.program.setup = p.Draws
	}
	return s.outcome(ctx, err)
}

// rebase makes what a sandbox's memory is now, and values of its globals, what processes begin with.
func (c *code) rebase(s *sandbox, globals []uint64) error {
	base, err := c.runtime.regions.NewImage(s.memory.region.Bytes(s.memory.size))
	if err != nil {
		return err
	}
	c.base.Release()
	c.base, c.begin = base, globals
	return nil
}
