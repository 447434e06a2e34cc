package compiler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// childProcs is how many processors a child may use, each to compile functions with.
const childProcs = 2

// began is when this process did, or soon after.
var began = time.Now()

// watchEvery is how often a child looks at the processor time that it has taken.
const watchEvery = 10 * time.Millisecond

// childGC is by how many percent its heap may grow until garbage is collected: it does not live long, and has a
// memory limit.
const childGC = 400

// Child is what the command of Config.Command does, in a process of its own that ends right after it: it limits this
// process, reads a module from stdin, compiles it into the folder that args name, and returns the exit code. args are
// those behind the command's own, as they are: they, the exit code and how stderr begins are between Child and a
// [Compiler] of the same binary. It is stopped by ctx.
func Child(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) int {
	fail := func(code int, err error) int {
		fmt.Fprintln(stderr, err)
		return code
	}
	dir, l, err := parseChildArgs(args)
	if err != nil {
		return fail(childUsage, err)
	}
	if err := limitChild(l); err != nil {
		return fail(childBroken, fmt.Errorf("limit the memory to %d bytes and the processor time to %v: %w",
			l.memory, l.cpu, err))
	}
	debug.SetMemoryLimit(int64(l.memory - l.memory/4))
	debug.SetGCPercent(childGC)
	runtime.GOMAXPROCS(childProcs)
	if _, err := io.WriteString(stderr, childBegins); err != nil {
		return childBroken // nobody listens
	}
	done := make(chan error, 1)
	go func() { done <- readAndCompile(ctx, dir, stdin) }()
	if err = l.watch(ctx, done, stderr); err == errOverspent {
		return fail(childTime, err)
	} else if ctx.Err() != nil { // the engine does not look at it
		return fail(childStopped, ctx.Err())
	}
	var refused *runtimes.ModuleError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.ENOMEM):
		return fail(childMemory, err)
	case errors.As(err, &refused):
		return fail(childInvalid, err)
	}
	return fail(childBroken, err)
}

// errOverspent ends a child that has taken all its processor time.
var errOverspent = errors.New("the processor time is spent")

// watch waits for the end of a compilation, or of its time, and says so when it is not quick.
func (l limits) watch(ctx context.Context, done <-chan error, stderr io.Writer) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for quick := true; ; {
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		cpu := cpuTime()
		if cpu > l.cpu {
			return errOverspent
		}
		if quick && cpu > l.quick {
			quick = false
			if _, err := io.WriteString(stderr, childSlow); err != nil {
				return err
			}
		}
	}
}

// readAndCompile compiles what stdin has.
func readAndCompile(ctx context.Context, dir string, stdin io.Reader) error {
	module, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	return compileInto(ctx, dir, module)
}

// limits are what a child may take.
type limits struct {
	memory uint64        // in bytes
	cpu    time.Duration // of processor time
	quick  time.Duration // processor time after which it says that it is not quick
}

// childArgs returns the arguments of a child, behind those of the command.
func childArgs(dir string, l limits) []string {
	return []string{dir, strconv.FormatUint(l.memory, 10), l.cpu.String(), l.quick.String()}
}

// parseChildArgs reads what childArgs has written.
func parseChildArgs(args []string) (dir string, l limits, err error) {
	if len(args) != 4 {
		return "", l, fmt.Errorf("got %d arguments, want 4: a folder, bytes of memory, two times", len(args))
	}
	if l.memory, err = strconv.ParseUint(args[1], 10, 63); err != nil {
		return "", l, fmt.Errorf("memory: %w", err)
	}
	if l.cpu, err = time.ParseDuration(args[2]); err == nil {
		l.quick, err = time.ParseDuration(args[3])
	}
	if err != nil {
		return "", l, fmt.Errorf("time: %w", err)
	}
	return args[0], l, nil
}
