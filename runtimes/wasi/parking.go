package wasi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/module/meter"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// A sandbox is parked when its process waits where it first reads stdin. The engine can take a snapshot of
// a call (its stack and registers) and restore it. It documents that for one call of the host; that
// it works from one call to the next as well, as long as both are of the same function object, is what
// TestHammerParking is for; that it works again and again is what package native is for.

const (
	// startFuel is how much a process may use up to its first read for the sandbox to be parked there: some seconds,
	// as Ruby does.
	startFuel = 16_000_000_000
	// startSleep is for how long it may sleep.
	startSleep = 100 * time.Millisecond
	// startOutput is how much it may write, in bytes.
	startOutput = 64 << 10
	// startStack is how much native stack, in bytes, it may have grown to. The engine doubles it, and a process that
	// waits has it twice.
	startStack = 8 << 20
	// usedStack is how much of it may be in use where it waits.
	usedStack = 1 << 20
	// goOnStack is up to how many bytes of native stack, which a run has made grow, the next ones begin with.
	goOnStack = 256 << 10
)

// What ends a start that does not come to its first read.
var (
	errLate      = errors.New("it does a lot before it reads stdin")
	errSleepy    = errors.New("it sleeps before it reads stdin")
	errTalkative = errors.New("it writes more than 64 KiB before it reads stdin")
)

// noStacks is why no program can wait where it reads stdin: package native does not know this version of the engine.
const noStacks = "the stacks of this version of the engine are not known"

// errParked ends the first call of a sandbox, at its first read of stdin.
var errParked = errors.New("the process waits for its request")

// parking is what a sandbox needs to go on where it waits.
type parking struct {
	point     *native.Point    // where that is; nil until it is there
	first     *native.Point    // the one before the stack grew, or nil
	grown     int              // bytes of native stack with which the point is to be taken anew; 0: it is not
	read      api.GoModuleFunc // the call of WASI that it is in; nil for a reactor before its entry
	params    [4]uint64        // of that call
	frame     [4]uint64        // room for the parameters and the result
	again     bool             // it goes on more than once
	shrinking bool             // the call is that of shrink

	globals []uint64
	clock   int64            // that its monotonic clock shows while it waits
	fuel    int64            // that was given to it
	refused bool             // it was refused memory
	seen    preview1.Seen    // what it has looked at
	said    recording.Record // what it has written
	draws   recording.Draws  // what it was given of time and entropy
	image   *memory.Image    // what its memory is put back to; nil if it goes on once
	own     uint64           // bytes that the image takes, if no other sandbox has it
}

// exportPolyvoke offers the functions that rewritten modules call.
func exportPolyvoke(ctx context.Context, engine wazero.Runtime) error {
	i64 := []api.ValueType{api.ValueTypeI64}
	b := engine.NewHostModuleBuilder(meter.HookModule)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(refill), i64, i64).Export(meter.HookName)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(entered), nil, nil).Export(rewrite.EnterName)
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(ready), nil, nil).Export(rewrite.ReadyName)
	i32 := []api.ValueType{api.ValueTypeI32}
	b.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(exit), i32, nil).Export(rewrite.ExitName)
	b.NewFunctionBuilder().WithGoModuleFunction(preview1.Sleep(), i64, nil).Export(rewrite.SleepName)
	listeners := experimental.FunctionListenerFactoryFunc(listener)
	_, err := b.Instantiate(experimental.WithFunctionListenerFactory(ctx, listeners))
	return err
}

// listener returns what is told when entered has returned.
func listener(f api.FunctionDefinition) experimental.FunctionListener {
	if slices.Contains(f.ExportNames(), rewrite.EnterName) {
		return renewer{}
	}
	return nil
}

// park runs the entry up to the first read of stdin, and stops there. p says how the process waits and takes turns,
// again that the sandbox goes on from there more than once.
//
// # Errors
//
// An *unparkable is the program's doing. Others are the context's.
func (s *sandbox) park(ctx context.Context, p *runtimes.Process, again bool) error {
	k := &parking{again: again, said: recording.Record{Room: startOutput, TooMuch: errTalkative}}
	s.running, s.parked = true, k
	run := s.begin(ctx, &runtimes.Process{Args: s.program.args, Env: s.program.env, Wait: p.Wait, Yield: p.Yield,
		Stdout: k.said.Stdout(), Stderr: k.said.Stderr()}, time.Now())
	nap := s.state.Nap
	s.state.Nap = briefly(nap)
	s.state.Values, s.state.BeforeRead, s.state.Draws = s.snapshotting, s.wait, &k.draws
	err := s.enter(run)
	s.state.BeforeRead, s.state.Nap = nil, nap
	s.running, s.broken = false, leavesBroken(err)
	k.seen, k.fuel, k.refused = s.state.Seen(), s.supply.Given, s.memory.refused

	if err = s.waiting(ctx, err); err == nil {
		k.globals = s.getGlobals()
	}
	s.end()
	return err
}

// briefly returns what is asked before a process that starts sleeps, as nap is, if that is not nil: it may not sleep
// for long.
func briefly(nap func(time.Duration) error) func(time.Duration) error {
	add := deadline.AtMost(startSleep, errSleepy)
	return func(d time.Duration) error {
		err := add(d)
		if err == nil && nap != nil {
			err = nap(d)
		}
		return err
	}
}

// wait is told of the first read of stdin.
func (s *sandbox) wait(ctx context.Context, _ api.Module, call api.GoModuleFunc, params []uint64) {
	k := s.parked
	k.read = call
	copy(k.params[:], params)
	k.clock = s.state.Monotonic()
	if size := s.called.StackSize(); size <= startStack && s.called.StackUsed() <= usedStack {
		if k.again { // what the start needed need not stay
			size = min(size, goOnStack)
		}
		k.take(ctx, s.called, size)
	}
	s.state.Stop(errParked)
}

// take takes the point at which the process waits, with so much room on its stack, or as much as is in use.
func (p *parking) take(ctx context.Context, called native.Function, room int) {
	point := called.Take(ctx, room)
	if point == nil {
		return
	}
	if p.again {
		point.Keep()
	}
	if p.first == nil {
		p.first = p.point
	}
	p.point = point
}

// shrink gives up the native stack that runs have made grow: it goes on as a run does, on the stack of the first
// point, and ends before the guest does anything. It returns false if the sandbox is of no use any more.
func (s *sandbox) shrink() bool {
	k := s.parked
	if k.first != nil {
		k.point, k.first = k.first, nil
	}
	k.shrinking = true
	err := s.enter(s.resume(context.Background(), new(runtimes.Process), time.Now()))
	k.shrinking = false
	waits := s.state.Err() == errParked && !leavesBroken(err)
	s.end()
	return waits
}

// stack returns about how many bytes of native stack there are, those of the function included.
func (p *parking) stack() (size int) {
	for _, point := range []*native.Point{p.point, p.first} {
		if point != nil {
			size += point.Resident()
		}
	}
	return size + p.point.Besides()
}

// waiting returns nil if a start that has ended with err has come to where it can go on with any request.
func (s *sandbox) waiting(ctx context.Context, err error) error {
	cause := s.state.Err()
	switch {
	case s.state.Seen().Files && (cause == nil || cause == errParked):
		return &unparkable{"it looks into /request, or at what it is granted, before it reads stdin"}
	case cause == nil && err == nil:
		return &unparkable{"it ends without reading stdin"}
	case cause == nil:
		return &unparkable{fmt.Sprintf("it ends before it reads stdin: %v", s.outcome(ctx, err))}
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return cause
	case cause == runtimes.ErrFuel:
		return &unparkable{"its fuel is used up before it reads stdin"}
	case cause != errParked:
		return &unparkable{cause.Error()}
	case s.called.StackSize() == 0:
		return &unparkable{noStacks}
	case s.parked.point == nil:
		return &unparkable{"its native stack grows to more than 8 MiB before it reads stdin, " +
			"or more than 1 MiB of it are in use then"}
	case s.state.Changed():
		return &unparkable{"it opens or closes files before it reads stdin"}
	case s.program.kind != "" && s.state.Seen() != s.program.seen:
		return &unparkable{"it looks at other things before it reads stdin than when it was tried"}
	}
	return nil
}

// unparkable says why a program cannot wait where it reads stdin.
type unparkable struct{ reason string }

// Error returns the reason.
func (e *unparkable) Error() string { return e.reason }

// resume prepares the host for a run that goes on now where the sandbox is parked, and returns the context of the
// guest.
func (s *sandbox) resume(ctx context.Context, p *runtimes.Process, now time.Time) *preview1.Context {
	s.prepare(ctx, p, now)
	s.supply.Given, s.state.Values = s.parked.fuel, s.snapshotting
	s.state.Freeze(now, s.parked.clock)
	return s.state.Resume(ctx)
}

// entered is what the guest calls first.
func entered(ctx context.Context, mod api.Module, _ []uint64) {
	s := ctx.Value(sandboxKey{}).(*sandbox)
	if k := s.parked; k != nil && k.point != nil {
		s.goOn(ctx, mod, k)
	}
}

// ready is what a reactor calls when it has set itself up. If it has not read stdin so far, this is where it is parked.
func ready(ctx context.Context, mod api.Module, _ []uint64) {
	s := ctx.Value(sandboxKey{}).(*sandbox)
	if s.state.BeforeRead != nil {
		s.wait(ctx, mod, nil, nil)
	}
}

// exit is what a reactor calls with the result of its entry.
func exit(ctx context.Context, _ api.Module, stack []uint64) {
	ctx.Value(sandboxKey{}).(*sandbox).quiet()
	panic(sys.NewExitError(uint32(stack[0])))
}

// goOn makes the call that the process waits in, and has it return. If the sandbox only shrinks, there is no call:
// After ends it.
func (s *sandbox) goOn(ctx context.Context, mod api.Module, k *parking) {
	s.setGlobals(k.globals)
	s.fund()
	results := k.frame[:0]
	if !k.shrinking {
		if err := k.said.Repeat(s.state.Stdout, s.state.Stderr); err != nil {
			s.state.Stop(err) // as if the process had written that itself
		}
		results = k.call(ctx, mod)
	}
	if k.grown = 0; k.again && !k.shrinking {
		k.grown = k.point.Grown()
	}
	k.point.Restore(results) // does not return
}

// call makes the call that the process waits in, if there is one, and returns its result.
func (p *parking) call(ctx context.Context, mod api.Module) []uint64 {
	if p.frame = p.params; p.read == nil {
		return p.frame[:0]
	}
	p.read(ctx, mod, p.frame[:])
	return p.frame[:1]
}

// renewer takes the point anew when runs need more stack than it has. It is told when goOn has made the call what
// it was when the point was taken, before the guest goes on.
type renewer struct{}

// Before implements experimental.FunctionListener.
func (renewer) Before(context.Context, api.Module, api.FunctionDefinition, []uint64, experimental.StackIterator) {
}

// After implements experimental.FunctionListener.
func (renewer) After(ctx context.Context, _ api.Module, _ api.FunctionDefinition, _ []uint64) {
	s := ctx.Value(sandboxKey{}).(*sandbox)
	k := s.parked
	switch {
	case k == nil:
	case k.shrinking:
		s.state.Stop(errParked)
	case k.grown > 0 && k.grown <= goOnStack:
		k.take(ctx, s.called, k.grown)
	}
}

// Abort implements experimental.FunctionListener.
func (renewer) Abort(context.Context, api.Module, api.FunctionDefinition, error) {}
