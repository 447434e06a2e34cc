package runtimestest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// endingCases are about the ways in which a process ends.
func endingCases() []testCase {
	return []testCase{
		{"exit/codes 0 to 255", func(t *testing.T, s *suite) {
			for code := range 256 {
				err := s.run(t, process("exit", strconv.Itoa(code)))
				if code > 0 {
					wantExit(t, err, uint32(code))
				} else if err != nil {
					t.Errorf("exit 0 gives the error %v", err)
				}
			}
		}},
		{"trap", func(t *testing.T, s *suite) {
			wantTrap(t, s.run(t, process("trap")))
			s.echoWorks(t)
		}},
		{"trap/stack used up", func(t *testing.T, s *suite) {
			wantTrap(t, s.run(t, process("recurse", "0")))
			s.echoWorks(t)
		}},
		{"deadline/ends a loop", func(t *testing.T, s *suite) {
			s.runUntil(t, process("loop"))
			s.echoWorks(t)
		}},
		{"deadline/ends a sleep", func(t *testing.T, s *suite) {
			s.runUntil(t, process("sleep", "600000"))
			s.echoWorks(t)
		}},
		{"deadline/ends a flood", func(t *testing.T, s *suite) {
			s.runUntil(t, process("stubborn"))
		}},
		{"deadline/not reached", func(t *testing.T, s *suite) {
			wantText(t, "stdout", s.output(t, process("sleep", "5")), "awake")
		}},
		{"cancel/while it runs", cancelRunning},
		{"cancel/before it runs", func(t *testing.T, s *suite) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			var out signal
			p := process("hush")
			p.Stdout = &out
			wantIs(t, s.program.Run(ctx, p), context.Canceled)
			if out.n != 0 {
				t.Error("the process has run")
			}
			s.echoWorks(t)
		}},
		{"deadline/past before it runs", func(t *testing.T, s *suite) {
			ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
			defer cancel()
			wantIs(t, s.program.Run(ctx, process("hush")), context.DeadlineExceeded)
		}},
		{"usage", usage},
	}
}

// cancelRunning cancels a run once it has written something.
func cancelRunning(t *testing.T, s *suite) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := process("stubborn")
	p.Stdout = &signal{first: cancel}
	start := time.Now()
	wantIs(t, s.program.Run(ctx, p), context.Canceled)
	if took := time.Since(start); took > patience/2 {
		t.Errorf("the cancelled run took %v", took)
	}
	s.echoWorks(t)
}

// signal is a Writer that counts what it discards, and calls first on the first Write.
type signal struct {
	first func()
	once  sync.Once
	n     int
}

// Write implements io.Writer.
func (w *signal) Write(b []byte) (int, error) {
	if w.first != nil {
		w.once.Do(w.first)
	}
	w.n += len(b)
	return len(b), nil
}

// usage checks that Usage is set by runs that end well and by others.
func usage(t *testing.T, s *suite) {
	for _, p := range []*runtimes.Process{process("hush"), process("exit", "3"), process("trap"), process("sleep", "20")} {
		p.Usage = runtimes.Usage{Start: "stale", Memory: 1 << 60, Duration: -1}
		_ = s.run(t, p) // its error is the business of other cases
		u := p.Usage
		if u.Start == "" || u.Start == "stale" || u.Duration <= 0 || u.Memory == 1<<60 {
			t.Errorf("%q: usage is %+v", p.Args, u)
		}
		if p.Args[1] == "sleep" && u.Duration < 20*time.Millisecond {
			t.Errorf("a sleep of 20 ms took %v by its usage", u.Duration)
		}
	}
	p := process("hush")
	p.Begin = time.Now().Add(-time.Hour)
	if err := s.run(t, p); err != nil || p.Usage.Duration < time.Hour {
		t.Errorf("a run that counts from an hour ago took %v by its usage, and its error is %v", p.Usage.Duration, err)
	}
}
