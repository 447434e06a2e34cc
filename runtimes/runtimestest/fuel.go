package runtimestest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// fuelCases are about limits of fuel and of the stack.
func fuelCases() []testCase {
	return []testCase{
		{"fuel/ends a loop", func(t *testing.T, s *suite) {
			for _, limit := range []uint64{1, 1_000_000, 12_345_678} {
				other := s.limited(t, runtimes.Options{Fuel: limit})
				p := process("loop")
				err := other.run(t, p)
				wantIs(t, err, runtimes.ErrFuel)
				if errors.Is(err, context.DeadlineExceeded) || p.Usage.Fuel != limit {
					t.Errorf("with %d: the error %v after %d", limit, err, p.Usage.Fuel)
				}
			}
		}},
		{"fuel/is the same each time", fuelIsTheSame},
		{"fuel/another end comes first", func(t *testing.T, s *suite) {
			other := s.limited(t, runtimes.Options{Fuel: 1 << 40})
			other.runUntil(t, process("loop"))
			wantTrap(t, other.run(t, process("recurse", "0")))
			wantExit(t, other.run(t, process("exit", "7")), 7)
			other.echoWorks(t)
		}},
		{"stack/less for less", func(t *testing.T, s *suite) {
			p := process("recurse", "0")
			wantTrap(t, s.run(t, p))
			small := s.limited(t, runtimes.Options{Stack: 8 << 10}) // the probe uses C's stack too, which is 64 KiB
			q := process("recurse", "0")
			err := small.run(t, q)
			wantTrap(t, err)
			if !strings.Contains(err.Error(), "stack") || q.Usage.Fuel >= p.Usage.Fuel {
				t.Errorf("with 8 KiB: the error %v after %d fuel; by default after %d", err, q.Usage.Fuel, p.Usage.Fuel)
			}
			small.echoWorks(t)
		}},
		{"stack/default limit", func(t *testing.T, s *suite) {
			p, q := process("recurse", "0"), process("recurse", "0")
			wantTrap(t, s.run(t, p))
			wantTrap(t, s.limited(t, runtimes.Options{Stack: runtimes.DefaultStack}).run(t, q))
			if p.Usage.Fuel != q.Usage.Fuel {
				t.Errorf("fuel %d by default, and %d with the default limit", p.Usage.Fuel, q.Usage.Fuel)
			}
		}},
		{"stack/more than there can be", func(t *testing.T, s *suite) {
			_, err := s.runtime.Compile(t.Context(), s.probe, runtimes.Options{Stack: 1 << 40})
			var e *runtimes.ModuleError
			if !errors.As(err, &e) {
				t.Errorf("got the error %v, want a ModuleError", err)
			}
		}},
	}
}

// fuelIsTheSame runs something that needs a known amount of fuel with exactly that, and with a little less.
func fuelIsTheSame(t *testing.T, s *suite) {
	work := func() *runtimes.Process {
		p := process("drip", "20000")
		p.Stdout = &signal{}
		return p
	}
	free := work()
	if err := s.run(t, free); err != nil || free.Usage.Fuel == 0 {
		t.Fatalf("the error %v after %d fuel", err, free.Usage.Fuel)
	}
	enough := s.limited(t, runtimes.Options{Fuel: free.Usage.Fuel})
	little := s.limited(t, runtimes.Options{Fuel: free.Usage.Fuel / 2})
	written := -1
	for range 3 {
		p := work()
		if err := enough.run(t, p); err != nil || p.Usage.Fuel != free.Usage.Fuel {
			t.Errorf("with %d: the error %v after %d", free.Usage.Fuel, err, p.Usage.Fuel)
		}
		p = work()
		wantIs(t, little.run(t, p), runtimes.ErrFuel)
		n := p.Stdout.(*signal).n
		if written >= 0 && n != written || n == 0 || p.Usage.Fuel != free.Usage.Fuel/2 {
			t.Errorf("with half: %d bytes were written, and %d before; fuel %d", n, written, p.Usage.Fuel)
		}
		written = n
	}
	little.echoWorks(t)
}
