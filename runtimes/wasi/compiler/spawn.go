package compiler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi/compiler/price"
)

// What a child says in its exit code. Any other means that the module was too much for it.
const (
	childUsage   = 64 // wrong arguments
	childInvalid = 65 // the engine refuses the module; stderr says why
	childBroken  = 71 // something is wrong here, not with the module; stderr says what
	childMemory  = 72 // the system gave it no more memory
	childTime    = 73 // it has taken all its processor time
	childStopped = 75 // it was told to stop
)

// childBegins is the first line that a child writes to stderr, when it has limited itself.
const childBegins = "compiling\n"

// childSlow is a line that it writes when it turns out not to be quick.
const childSlow = "taking long\n"

// childStderr is how much of a child's stderr is kept, in bytes.
const childStderr = 4 << 10

// childGrace is how long the end of a child that was killed may take to be seen.
const childGrace = 5 * time.Second

// A module of fullSize bytes may take the whole time limit, and others a share of it in proportion to their size,
// with leastSize bytes added to it: no compiler that is known makes modules that take a third of that.
const (
	fullSize  = 16 << 20
	leastSize = 512 << 10
)

// A module that takes patience times its price, and quickTime, is not quick.
const (
	patience  = 3
	quickTime = 250 * time.Millisecond
)

// dearest is how many times its processor time a module may seem to cost. What costs more is not tried.
const dearest = 4

// wallTimes is how many times as long as its processor time a child may take, and wallTime what is added: the machine
// may be busy.
const (
	wallTimes = 20
	wallTime  = time.Minute
)

// outOfMemory is how Go's runtime, the race detector and the engine say that the system gives them no more.
var outOfMemory = regexp.MustCompile(`(?i)out of memory|cannot (allocate|map|reserve)|` +
	`failed to (create new OS thread|m?map|allocate)|pthread_create|address space`)

// noThreads is how Go's runtime says that the system has run out of threads (EAGAIN); for want of memory the number
// is another.
var noThreads = regexp.MustCompile(`failed to create new OS thread \(.*errno=11\)`)

// lethal is why a child did not survive a module.
type lethal struct{ *runtimes.ModuleError }

// errKilled is the error for a child that was killed from outside, for a reason that is not known.
var errKilled = &runtimes.BusyError{
	Reason: "the compiler was killed twice, but not for its limits: the machine may be out of memory",
}

// spawn compiles a module into a folder, in a child. It returns when the child is gone. The error is a *lethal if the
// module was too much for it, another *runtimes.ModuleError if the engine refuses the module, or a *runtimes.BusyError
// such as errKilled.
func (p *Compiler) spawn(ctx context.Context, dir string, module []byte) error {
	cost := price.Of(module)
	l := p.limits(module, cost)
	if cost.Total() > dearest*l.cpu {
		return tooLong(l.cpu)
	}
	turn, err := p.lanes.enter(ctx, cost.Usual())
	if err != nil {
		return err
	}
	defer turn.end()
	// Where children die with their parents, the parent is the thread that has started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(l.wall(), func() { cancel(errWall) })
	defer timer.Stop()
	cmd := p.child(limited, dir, module, l)
	stderr := &head{most: childStderr, slow: func() {
		turn.slowDown(cmd.Process, func() { timer.Stop() }, func() { timer.Reset(l.wall()) })
	}}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the compiler: %w", err)
	}
	if !cost.Usual() {
		resumeChild(cmd.Process)
	}
	err = cmd.Wait()
	said, began := stderr.reason()
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Success():
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() != nil:
		return &runtimes.BusyError{Reason: fmt.Sprintf("compiling the module was given up after %v, "+
			"because the compiler got only %v of processor time: the machine is busy; try again",
			l.wall(), took(cmd.ProcessState).Round(time.Millisecond))}
	case !began:
		return fmt.Errorf("start the compiler %q: %w: %s", cmd.Args, err, said)
	}
	return l.ending(cmd.ProcessState, said)
}

// child returns a child that is not started.
func (p *Compiler) child(ctx context.Context, dir string, module []byte, l limits) *exec.Cmd {
	args := append(slices.Clip(p.command[1:]), childArgs(dir, l)...)
	cmd := exec.CommandContext(ctx, p.command[0], args...)
	cmd.Env = childEnvironment()
	cmd.Stdin = bytes.NewReader(module)
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return killChild(cmd.Process) }
	cmd.WaitDelay = childGrace
	return cmd
}

// childEnvironment returns that of a child, which has no use for secrets. Options of the race detector are none: with
// its own ones a child of a test would sleep for a second when it ends.
func childEnvironment() []string {
	if options, ok := os.LookupEnv("GORACE"); ok {
		return []string{"GORACE=" + options}
	}
	return []string{}
}

// wall returns how long a child may take on a machine that is busy.
func (l limits) wall() time.Duration { return wallTimes*l.cpu + wallTime }

// errWall ends a child that hardly gets a processor.
var errWall = errors.New("the time is up")

// limits returns what the child for a module may take.
func (p *Compiler) limits(module []byte, cost price.Price) limits {
	cpu := time.Duration(float64(p.timeout) * float64(leastSize+len(module)) / fullSize)
	return limits{memory: p.memory, cpu: cpu, quick: patience*cost.Total() + quickTime}
}

// took returns the processor time that a child has taken.
func took(s *os.ProcessState) time.Duration {
	if s == nil {
		return 0
	}
	return s.UserTime() + s.SystemTime()
}

// ending says what the end of a child means that has not compiled its module.
func (l limits) ending(s *os.ProcessState, said string) error {
	switch s.ExitCode() {
	case childInvalid:
		return &runtimes.ModuleError{Reason: said}
	case childUsage, childBroken, childStopped:
		return fmt.Errorf("the compiler: %s", said)
	case childTime:
		return tooLong(l.cpu)
	}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		switch w.Signal() {
		case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP: // meant for all of us
			return fmt.Errorf("the compiler was stopped: %v", s)
		case syscall.SIGKILL:
			if took(s) > l.cpu {
				return tooLong(l.cpu)
			}
			return errKilled
		}
	}
	if noThreads.MatchString(said) {
		return &runtimes.BusyError{Reason: "the compiler gets no more threads from the system: " +
			"raise the limit of processes (ulimit -u, pids.max)"}
	}
	if s.ExitCode() == childMemory || outOfMemory.MatchString(said) {
		return &lethal{&runtimes.ModuleError{
			Reason: fmt.Sprintf("compiling the module takes more than %d MiB of memory, which is the limit: "+
				"split its largest functions (many branches in a function with many variables cost most), "+
				"or allow more with serve --compile-memory %s", l.memory>>20, sizeAfter(l.memory)),
			Err: errors.New(said),
		}}
	}
	return &lethal{&runtimes.ModuleError{Reason: fmt.Sprintf("the compiler did not survive the module (%v): "+
		"build it in another way, such as with less optimization", join(s.String(), said)), Err: errors.New(s.String())}}
}

// sizeAfter returns twice as much, in a form that flags take.
func sizeAfter(bytes uint64) string { return fmt.Sprintf("%dMiB", 2*bytes>>20) }

// tooLong is the error for a module that takes too much processor time.
func tooLong(cpu time.Duration) error {
	return &lethal{&runtimes.ModuleError{
		Reason: fmt.Sprintf("compiling the module takes more than %v of processor time, which is the limit for its size: "+
			"split its largest functions (many branches in a function with many variables cost most), "+
			"or raise serve --compile-timeout", cpu.Round(time.Millisecond)),
		Err: context.DeadlineExceeded,
	}}
}

// join puts what a child said behind how it ended.
func join(ended, said string) string {
	if said == "" {
		return ended
	}
	return ended + ": " + strings.Join(strings.Fields(said), " ")
}

// head is a writer that keeps the beginning of what is written. When Go's runtime gives up, that is the
// reason; stacks follow, which nobody outside can use.
type head struct {
	most int
	b    []byte
	slow func() // is called when the child says that it is not quick; nil after that
}

// Write implements io.Writer.
func (h *head) Write(b []byte) (int, error) {
	h.b = append(h.b, b[:min(len(b), h.most-len(h.b))]...)
	if h.slow != nil && bytes.Contains(h.b, []byte(childBegins+childSlow)) {
		h.slow()
		h.slow = nil
	}
	return len(b), nil
}

// reason returns what was written, without what is said to the parent, and without stacks. began reports whether the
// child has limited itself.
func (h *head) reason() (said string, began bool) {
	said, began = strings.CutPrefix(string(h.b), childBegins)
	said = strings.TrimPrefix(said, childSlow)
	for _, stack := range []string{"\nruntime stack:", "\ngoroutine "} {
		said, _, _ = strings.Cut(said, stack)
	}
	return strings.TrimSpace(said), began
}
