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
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// What a child says in its exit code. Any other means that the module was too much for it.
const (
	childUsage   = 64 // wrong arguments
	childInvalid = 65 // the engine refuses the module; stderr says why
	childBroken  = 71 // something is wrong here, not with the module; stderr says what
	childMemory  = 72 // the system gave it no more memory
	childStopped = 75 // it was told to stop
)

// childBegins is the first line that a child writes to stderr, when it has limited itself.
const childBegins = "compiling\n"

// childStderr is how much of a child's stderr is kept, in bytes.
const childStderr = 4 << 10

// childGrace is how long the end of a child that was killed may take to be seen, and how much longer than
// its parent's patience a child goes on that has lost its parent.
const childGrace = 5 * time.Second

// patientSize is how large a module may be, in bytes, to be compiled in the time limit. Only interpreters are larger.
const patientSize = 16 << 20

// outOfMemory is how Go's runtime, the race detector and the engine say that the system gives them no more.
var outOfMemory = regexp.MustCompile(`(?i)out of memory|cannot (allocate|map|reserve)|failed to (create new OS thread|m?map|allocate)|pthread_create|address space`)

// lethal is why a child did not survive a module.
type lethal struct{ *runtimes.ModuleError }

// spawn has a child compile a module into a folder. It returns when the child is gone. The error is
// a *lethal if the module was too much for it, or another *runtimes.ModuleError if the
// engine refuses the module.
func (p *Compiler) spawn(ctx context.Context, dir string, module []byte) error {
	// Where children die with their parents, the parent is the thread that has started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	timeout := p.patience(module)
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(limited, p.command[0], append(p.command[1:len(p.command):len(p.command)], childArgs(dir, p.memory, timeout)...)...)
	cmd.Env = []string{} // a child has no use for secrets
	cmd.Stdin = bytes.NewReader(module)
	cmd.SysProcAttr = childAttr()
	cmd.Cancel = func() error { return killChild(cmd.Process) }
	cmd.WaitDelay = childGrace
	stderr := &head{most: childStderr}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the compiler: %w", err)
	}
	err := cmd.Wait()
	said, began := strings.CutPrefix(stderr.reason(), childBegins)
	said = strings.TrimSpace(said)
	switch {
	case cmd.ProcessState != nil && cmd.ProcessState.Success():
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case limited.Err() != nil:
		return tooLong(timeout)
	case !began:
		return fmt.Errorf("start the compiler %q: %w: %s", cmd.Args, err, said)
	}
	return p.ending(cmd.ProcessState, said)
}

// patience returns how long compiling a module may take: the time limit, and as long again for each further patientSize.
func (p *Compiler) patience(module []byte) time.Duration {
	return p.timeout * time.Duration(1+len(module)/patientSize)
}

// ending says what the end of a child means that has not compiled its module.
func (p *Compiler) ending(s *os.ProcessState, said string) error {
	switch s.ExitCode() {
	case childInvalid:
		return &runtimes.ModuleError{Reason: said}
	case childUsage, childBroken, childStopped:
		return fmt.Errorf("the compiler: %s", said)
	}
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		switch w.Signal() {
		case syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP: // meant for all of us
			return fmt.Errorf("the compiler was stopped: %v", s)
		}
	}
	if s.ExitCode() == childMemory || outOfMemory.MatchString(said) {
		return &lethal{&runtimes.ModuleError{Reason: fmt.Sprintf("compiling the module takes more than %d MiB of memory, which is the limit: "+
			"split its largest functions (many branches in a function with many variables cost most), or raise the compiler's memory limit", p.memory>>20), Err: errors.New(said)}}
	}
	return &lethal{&runtimes.ModuleError{Reason: fmt.Sprintf("the compiler did not survive the module (%v): "+
		"build it in another way, such as with less optimization", join(s.String(), said)), Err: errors.New(s.String())}}
}

// tooLong is the error for a child that was killed for its time.
func tooLong(timeout time.Duration) error {
	return &lethal{&runtimes.ModuleError{Reason: fmt.Sprintf("compiling the module takes longer than %v, which is the limit: "+
		"split its largest functions (many branches in a function with many variables cost most), or raise the compiler's time limit", timeout), Err: context.DeadlineExceeded}}
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
}

// Write implements io.Writer.
func (h *head) Write(b []byte) (int, error) {
	h.b = append(h.b, b[:min(len(b), h.most-len(h.b))]...)
	return len(b), nil
}

// reason returns what was written, without stacks.
func (h *head) reason() string {
	s := string(h.b)
	for _, stack := range []string{"\nruntime stack:", "\ngoroutine "} {
		s, _, _ = strings.Cut(s, stack)
	}
	return s
}
