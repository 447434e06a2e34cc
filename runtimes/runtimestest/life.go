package runtimestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// lifeCases are about programs and runtimes: many runs at once, one after another, none at all.
func lifeCases() []testCase {
	return []testCase{
		{"runs/16 at once", parallel},
		{"runs/clean after every kind of failure", afterFailure},
		{"runs/fresh memory is zero", func(t *testing.T, s *suite) {
			for range 20 {
				wantText(t, "bytes that are not zero", s.output(t, process("dirty", "20")), "0\n")
			}
		}},
		{"compile/not a program", func(t *testing.T, s *suite) {
			for _, b := range []string{"", "x", "print('hello')", "\x00asm"} {
				_, err := s.runtime.Compile(t.Context(), []byte(b), runtimes.Options{})
				var e *runtimes.ModuleError
				if !errors.As(err, &e) || e.Reason == "" {
					t.Errorf("%q: got the error %v, want a ModuleError", b, err)
				}
			}
		}},
		{"compile/cancelled", func(t *testing.T, s *suite) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.runtime.Compile(ctx, s.probe, runtimes.Options{})
			wantIs(t, err, context.Canceled)
		}},
		{"compile/bytes are free afterwards", func(t *testing.T, s *suite) {
			b := bytes.Clone(s.probe)
			g, err := s.runtime.Compile(t.Context(), b, runtimes.Options{})
			if err != nil {
				t.Fatal(err)
			}
			clear(b)
			other := *s
			other.program = g
			other.echoWorks(t)
			if err := g.Close(t.Context()); err != nil {
				t.Error(err)
			}
		}},
		{"compile/start", startKind},
		{"close/program", closeProgram},
		{"close/runtime", func(t *testing.T, s *suite) {
			other := *s
			other.runtime = s.New(t)
			other.program = other.compile(t, other.runtime, runtimes.Options{})
			other.echoWorks(t)
			if err := other.runtime.Close(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := other.runtime.Compile(t.Context(), s.probe, runtimes.Options{}); err == nil {
				t.Error("a closed runtime compiles")
			}
			if err := other.run(t, process("hush")); err == nil {
				t.Error("a program of a closed runtime runs")
			}
			if err := other.runtime.Close(t.Context()); err != nil {
				t.Errorf("closing twice: %v", err)
			}
		}},
	}
}

// parallel runs 16 processes at once, several times over, each with its own data.
func parallel(t *testing.T, s *suite) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 5 {
				text := strings.Repeat(fmt.Sprintf("%d/%d,", i, j), 20_000)
				var out bytes.Buffer
				p := process("echo")
				p.Stdin, p.Stdout = strings.NewReader(text), &out
				if err := s.run(t, p); err != nil {
					t.Errorf("run %d/%d: %v", i, j, err)
				}
				wantText(t, "stdout", out.String(), text)
			}
		})
	}
	wg.Wait()
}

// afterFailure checks that a run knows nothing of one that failed before it.
func afterFailure(t *testing.T, s *suite) {
	for range 3 {
		for _, mode := range [][]string{{"trap"}, {"exit", "9"}, {"recurse", "0"}, {"flood"}} {
			p := process(mode...)
			p.Stdout = &runtimes.CapWriter{W: io.Discard, N: 100}
			p.Stdin = strings.NewReader("left over")
			if err := s.run(t, p); err == nil {
				t.Errorf("%q did not fail", mode)
			}
			wantText(t, "stdin after "+mode[0], s.output(t, process("twice")), "0\n0\n")
			s.echoWorks(t)
		}
	}
}

// startKind checks that a program says how its processes come to be, and that they say so too.
func startKind(t *testing.T, s *suite) {
	known := []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint, execKind}
	if start := s.program.Start(); !slices.Contains(known, start.Kind) || start.Reason == "" {
		t.Errorf("the program says %+v", start)
	}
	p := process("hush")
	if err := s.run(t, p); err != nil || !slices.Contains(known, p.Usage.Start) {
		t.Errorf("a process says %q, and the error is %v", p.Usage.Start, err)
	}
}

// closeProgram checks that a closed program does not run, and that its twin still does.
func closeProgram(t *testing.T, s *suite) {
	g, err := s.runtime.Compile(t.Context(), s.probe, runtimes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	if err := g.Run(t.Context(), process("hush")); err == nil || errors.As(err, &exit) || errors.As(err, &trap) {
		t.Errorf("running a closed program gives the error %v", err)
	}
	s.echoWorks(t)
}
