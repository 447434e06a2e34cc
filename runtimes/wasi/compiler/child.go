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

// childGC is by how many percent its heap may grow until garbage is collected: it does not live long, and has a memory limit.
const childGC = 400

// Child is what the command of Config.Command does, in a process of its own that ends
// right after it: it limits this process, reads a module from stdin, compiles it into the folder that args name,
// and returns the exit code. args are those behind the command's own, as they are: they and the exit code are
// between Child and a [Compiler] of the same binary. It is stopped by ctx.
func Child(ctx context.Context, args []string, stdin io.Reader, stderr io.Writer) int {
	fail := func(code int, err error) int {
		fmt.Fprintln(stderr, err)
		return code
	}
	dir, memory, timeout, err := parseChildArgs(args)
	if err != nil {
		return fail(childUsage, err)
	}
	if err := limitChild(memory); err != nil {
		return fail(childBroken, fmt.Errorf("limit the memory to %d bytes: %w", memory, err))
	}
	debug.SetMemoryLimit(int64(memory - memory/4))
	debug.SetGCPercent(childGC)
	runtime.GOMAXPROCS(childProcs)
	if _, err := io.WriteString(stderr, childBegins); err != nil {
		return childBroken // nobody listens
	}
	ctx, cancel := context.WithTimeout(ctx, timeout+childGrace) // in case that nobody kills it
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- readAndCompile(ctx, dir, stdin) }()
	select {
	case err = <-done:
	case <-ctx.Done(): // the engine does not look at it
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

// readAndCompile compiles what stdin has.
func readAndCompile(ctx context.Context, dir string, stdin io.Reader) error {
	module, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("read the module: %w", err)
	}
	return compileInto(ctx, dir, module)
}

// childArgs returns the arguments of a child, behind those of the command.
func childArgs(dir string, memory uint64, timeout time.Duration) []string {
	return []string{dir, strconv.FormatUint(memory, 10), timeout.String()}
}

// parseChildArgs reads what childArgs has written.
func parseChildArgs(args []string) (dir string, memory uint64, timeout time.Duration, err error) {
	if len(args) != 3 {
		return "", 0, 0, fmt.Errorf("there are %d arguments in place of 3: a folder, bytes of memory, a time", len(args))
	}
	if memory, err = strconv.ParseUint(args[1], 10, 63); err != nil {
		return "", 0, 0, fmt.Errorf("memory: %w", err)
	}
	if timeout, err = time.ParseDuration(args[2]); err != nil {
		return "", 0, 0, fmt.Errorf("time: %w", err)
	}
	return args[0], memory, timeout, nil
}
