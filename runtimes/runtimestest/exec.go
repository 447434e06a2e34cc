package runtimestest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// NewExec returns the oracle: a runtime whose modules are native programs, run by os/exec. It
// keeps them as files in dir. It ignores Options, Process.Files and Process.Wait, and is no
// sandbox: it is for tests.
func NewExec(dir string) runtimes.Runtime { return &execRuntime{dir: dir} }

// execRuntime is the oracle.
type execRuntime struct {
	dir    string
	serial atomic.Int64
	closed atomic.Bool
}

var _ runtimes.Runtime = (*execRuntime)(nil)

// Compile writes the program to a file.
func (r *execRuntime) Compile(ctx context.Context, module []byte, _ runtimes.Options) (runtimes.Program, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.closed.Load() {
		return nil, os.ErrClosed
	}
	if !isNative(module) {
		return nil, &runtimes.ModuleError{Reason: "not a native program"}
	}
	path := filepath.Join(r.dir, fmt.Sprintf("program%d", r.serial.Add(1)))
	if err := os.WriteFile(path, module, 0o700); err != nil {
		return nil, err
	}
	return &execProgram{runtime: r, path: path}, nil
}

// isNative reports whether b begins like a program of Linux or macOS.
func isNative(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x7fELF")) || bytes.HasPrefix(b, []byte("\xcf\xfa\xed\xfe"))
}

// Close makes the runtime unusable.
func (r *execRuntime) Close(context.Context) error {
	r.closed.Store(true)
	return nil
}

// execKind is the start kind of processes of the operating system, see runtimes.Usage.
const execKind = "exec"

// execProgram is a native program in a file.
type execProgram struct {
	runtime *execRuntime
	path    string
	closed  atomic.Bool
}

// Close removes the file.
func (g *execProgram) Close(context.Context) error {
	if g.closed.Swap(true) {
		return nil
	}
	return os.Remove(g.path)
}

// Start returns the one way in which processes of the system come to be.
func (g *execProgram) Start() runtimes.Start {
	return runtimes.Start{Kind: execKind, Reason: "the system starts it"}
}

// Run runs the program.
func (g *execProgram) Run(ctx context.Context, p *runtimes.Process) error {
	p.Usage = runtimes.Usage{Start: execKind}
	if g.closed.Load() || g.runtime.closed.Load() {
		return os.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.Draws != nil {
		p.Draws.Begin(nil, nil)
		p.Draws.Lose("what a process of the system draws of time and entropy cannot be seen")
	}
	killed, kill := context.WithCancel(ctx)
	defer kill()
	f := &failure{kill: kill}
	cmd := exec.CommandContext(killed, g.path)
	cmd.Args, cmd.Env = p.Args, append([]string{}, p.Env...)
	cmd.Stdout, cmd.Stderr = f.sinks(p.Stdout, p.Stderr)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	start := cmp.Or(p.Begin, time.Now())
	if err := cmd.Start(); err != nil {
		return err
	}
	go f.feed(stdin, p.Stdin)
	_ = cmd.Wait() // what it says is in ProcessState and in f
	p.Usage.Duration = time.Since(start)
	return g.outcome(ctx, f.get(), cmd.ProcessState)
}

// outcome turns the way in which a process ended into the error that Run returns.
func (g *execProgram) outcome(ctx context.Context, err error, s *os.ProcessState) error {
	switch {
	case err != nil:
		return err
	case s.Exited() && s.ExitCode() == 0:
		return nil
	case s.Exited():
		return &runtimes.ExitError{Code: uint32(s.ExitCode())}
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &runtimes.TrapError{Reason: s.String()}
}

// failure is the first error of a Reader or Writer; it ends the process.
type failure struct {
	kill func()
	mu   sync.Mutex
	err  error
}

// set records an error and kills the process.
func (f *failure) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
	f.kill()
}

// get returns the error.
func (f *failure) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// feed copies r to the process, which may end before it has read all of it.
func (f *failure) feed(to io.WriteCloser, r io.Reader) {
	defer to.Close()
	if r == nil {
		return
	}
	if _, err := io.Copy(to, &tap{r, f}); err != nil {
		return // the process has closed its stdin, or the Reader failed
	}
}

// tap reports errors of a Reader.
type tap struct {
	r io.Reader
	f *failure
}

// Read implements io.Reader.
func (s *tap) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		s.f.set(err)
	}
	return n, err
}

// sinks wraps Stdout and Stderr; if they are the same Writer they stay so, and os/exec then
// uses one goroutine for both.
func (f *failure) sinks(stdout, stderr io.Writer) (io.Writer, io.Writer) {
	o, e := f.sink(stdout), f.sink(stderr)
	if o != nil && e != nil && reflect.TypeOf(stdout).Comparable() && stdout == stderr {
		return o, o
	}
	return o, e
}

// sink wraps a Writer, or returns nil for nil.
func (f *failure) sink(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	return &sink{w, f}
}

// sink reports errors of a Writer.
type sink struct {
	w io.Writer
	f *failure
}

// Write implements io.Writer.
func (s *sink) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		s.f.set(err)
	}
	return n, err
}
