package runtimestest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// Harness is what the suite needs to know about a runtime.
type Harness struct {
	// New returns a new runtime. The suite closes it.
	New func(t testing.TB) runtimes.Runtime
	// Probe returns the probe in the form that the runtime compiles: Wasm() or Native(t).
	Probe func(t testing.TB) []byte
	// Memory reports whether the runtime keeps to Options.Memory and reports Usage.Memory, which
	// the operating system does not. The cases for it run only then.
	Memory bool
	// Fuel reports whether the runtime keeps to Options.Fuel and Options.Stack and reports Usage.Fuel, which the
	// operating system does not. The cases for it run only then.
	Fuel bool
}

// patience bounds every run of the suite. It is far above what any of them takes.
const patience = 2 * time.Minute

// soon is a deadline for runs that never end by themselves.
const soon = 100 * time.Millisecond

// Test runs the suite, one subtest a case.
func Test(t *testing.T, h Harness) {
	s := &suite{Harness: h, probe: h.Probe(t)}
	s.runtime = h.New(t)
	t.Cleanup(func() {
		if err := s.runtime.Close(context.Background()); err != nil {
			t.Errorf("closing the runtime: %v", err)
		}
	})
	s.program = s.compile(t, s.runtime, runtimes.Options{})
	tables := [][]testCase{
		inputCases(), unreadCases(), brokenInputCases(),
		outputCases(), capCases(), brokenOutputCases(),
		endingCases(), argvCases(), envCases(), hostCases(), lifeCases(),
	}
	if h.Memory {
		tables = append(tables, memoryCases())
	}
	if h.Fuel {
		tables = append(tables, fuelCases())
	}
	for _, table := range tables {
		for _, c := range table {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	}
}

// testCase is one row of a table of the suite.
type testCase struct {
	name string
	run  func(t *testing.T, s *suite)
}

// suite is a runtime under test with the probe compiled.
type suite struct {
	Harness
	probe   []byte
	runtime runtimes.Runtime
	program runtimes.Program
}

// compile compiles the probe and closes it when the test ends.
func (s *suite) compile(t *testing.T, r runtimes.Runtime, o runtimes.Options) runtimes.Program {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	g, err := r.Compile(ctx, s.probe, o)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("closing the program: %v", err)
		}
	})
	return g
}

// process returns a run of the probe in a mode.
func process(mode ...string) *runtimes.Process {
	return &runtimes.Process{Args: append([]string{"probe"}, mode...)}
}

// run runs p, within patience.
func (s *suite) run(t *testing.T, p *runtimes.Process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return s.program.Run(ctx, p)
}

// runUntil runs p with a deadline soon, and checks that the run ends for that reason, and in time.
func (s *suite) runUntil(t *testing.T, p *runtimes.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	start := time.Now()
	err := s.program.Run(ctx, p)
	wantIs(t, err, context.DeadlineExceeded)
	if late := time.Since(start) - soon; late > patience/4 {
		t.Errorf("the run ended %v after its deadline", late)
	}
}

// output runs p, which must succeed, and returns its stdout.
func (s *suite) output(t *testing.T, p *runtimes.Process) string {
	t.Helper()
	var out bytes.Buffer
	p.Stdout = &out
	if err := s.run(t, p); err != nil {
		t.Fatalf("%q: %v", p.Args, err)
	}
	return out.String()
}

// echoWorks checks that an ordinary run is right.
func (s *suite) echoWorks(t *testing.T) {
	t.Helper()
	p := process("echo")
	p.Stdin = strings.NewReader("after all")
	if got := s.output(t, p); got != "after all" {
		t.Errorf("an ordinary run afterwards: got %q", got)
	}
}

// wantIs checks that an error is target, in the sense of errors.Is.
func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("got the error %v, want %v", err, target)
	}
}

// wantExit checks that an error is an ExitError with a code.
func wantExit(t *testing.T, err error, code uint32) {
	t.Helper()
	var e *runtimes.ExitError
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got the error %v, want exit status %d", err, code)
	}
}

// wantTrap checks that an error is a TrapError with a reason.
func wantTrap(t *testing.T, err error) {
	t.Helper()
	var e *runtimes.TrapError
	if !errors.As(err, &e) || e.Reason == "" {
		t.Errorf("got the error %v, want a trap", err)
	}
}

// wantText compares texts.
func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	if len(got)+len(want) > 400 {
		t.Errorf("%s: got %d bytes, want %d bytes, and they differ", what, len(got), len(want))
		return
	}
	t.Errorf("%s: got %q, want %q", what, got, want)
}

// pattern is a Reader of n bytes. No two neighbouring blocks of them are equal.
func pattern(n int64) io.Reader { return io.LimitReader(&counter{}, n) }

// counter is an endless Reader.
type counter struct{ state uint64 }

// Read implements io.Reader.
func (c *counter) Read(b []byte) (int, error) {
	for at := 0; at < len(b); at += 8 {
		c.state = c.state*6364136223846793005 + 1442695040888963407
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], c.state)
		copy(b[at:], word[:])
	}
	return len(b), nil
}
