package runtimestest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// outputCases are about what comes through stdout and stderr.
func outputCases() []testCase {
	return []testCase{
		{"stdout/100,000 writes of one byte", func(t *testing.T, s *suite) {
			want := make([]byte, 100_000)
			for i := range want {
				want[i] = byte(i % 251)
			}
			wantText(t, "stdout", s.output(t, process("drip", "100000")), string(want))
		}},
		{"stdout/discarded", func(t *testing.T, s *suite) {
			if err := s.run(t, process("lines", "1000")); err != nil {
				t.Error(err)
			}
		}},
		{"stderr/apart", stderrApart},
		{"stderr/the same writer as stdout", sameWriter},
	}
}

// capCases are about output of a limited size.
func capCases() []testCase {
	return []testCase{
		{"stdout/cap reached exactly", func(t *testing.T, s *suite) {
			got, err := capped(t, s, 1000, "drip", "1000")
			if err != nil || got != 1000 {
				t.Errorf("got %d bytes and the error %v, want 1000 and none", got, err)
			}
		}},
		{"stdout/cap passed by one byte", func(t *testing.T, s *suite) {
			got, err := capped(t, s, 999, "drip", "1000")
			wantIs(t, err, runtimes.ErrOutput)
			if got != 999 {
				t.Errorf("%d bytes came through a cap of 999", got)
			}
		}},
		{"stdout/cap of nothing", func(t *testing.T, s *suite) {
			got, err := capped(t, s, 0, "drip", "1")
			wantIs(t, err, runtimes.ErrOutput)
			if got != 0 {
				t.Errorf("%d bytes came through a cap of 0", got)
			}
		}},
		{"stdout/flood into a cap", func(t *testing.T, s *suite) {
			_, err := capped(t, s, 1<<20, "flood")
			wantIs(t, err, runtimes.ErrOutput)
		}},
		{"stdout/cap against a process that ignores errors", func(t *testing.T, s *suite) {
			_, err := capped(t, s, 1<<20, "stubborn")
			wantIs(t, err, runtimes.ErrOutput)
			s.echoWorks(t)
		}},
		{"stderr/cap against a process that ignores errors", func(t *testing.T, s *suite) {
			p := process("stubborn-stderr")
			p.Stderr = &runtimes.CapWriter{W: io.Discard, N: 1 << 20}
			wantIs(t, s.run(t, p), runtimes.ErrOutput)
			s.echoWorks(t)
		}},
	}
}

// brokenOutputCases are about a Writer that fails.
func brokenOutputCases() []testCase {
	return []testCase{
		{"stdout/fails", func(t *testing.T, s *suite) {
			full := errors.New("no paper")
			p := process("stubborn")
			p.Stdout = brokenWriter{full}
			wantIs(t, s.run(t, p), full)
			s.echoWorks(t)
		}},
		{"stdout/fails with the exit code still to come", func(t *testing.T, s *suite) {
			full := errors.New("no paper")
			p := process("drip", "1")
			p.Stdout = brokenWriter{full}
			wantIs(t, s.run(t, p), full)
		}},
	}
}

// stderrApart checks that the two outputs do not mix.
func stderrApart(t *testing.T, s *suite) {
	var out, err, want bytes.Buffer
	p := process("lines", "1000")
	p.Stdout, p.Stderr = &out, &err
	if err := s.run(t, p); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		fmt.Fprintln(&want, i)
	}
	wantText(t, "stdout", out.String(), want.String())
	wantText(t, "stderr", err.String(), strings.Repeat("e\n", 1000))
}

// sameWriter checks that one Writer for both outputs sees them all, without a race.
func sameWriter(t *testing.T, s *suite) {
	var both bytes.Buffer
	p := process("lines", "1000")
	p.Stdout, p.Stderr = &both, &both
	if err := s.run(t, p); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&want, "%d\ne\n", i)
	}
	wantText(t, "both", both.String(), want.String())
}

// capped runs the probe with a cap on its stdout and returns how much came through it.
func capped(t *testing.T, s *suite, n int64, mode ...string) (int, error) {
	t.Helper()
	var out bytes.Buffer
	p := process(mode...)
	p.Stdout = &runtimes.CapWriter{W: &out, N: n}
	err := s.run(t, p)
	return out.Len(), err
}

// brokenWriter fails always.
type brokenWriter struct{ err error }

// Write implements io.Writer.
func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }
