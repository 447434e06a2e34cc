package runtimestest

import (
	"errors"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
)

// memoryCases are about memory limits.
func memoryCases() []testCase {
	return []testCase{
		{"memory/refused above the limit", func(t *testing.T, s *suite) {
			other := s.limited(t, runtimes.Options{Memory: 16 << 20})
			p := process("grow", "100")
			err := other.run(t, p)
			wantIs(t, err, runtimes.ErrMemory)
			wantTrap(t, err) // C's abort
			if m := p.Usage.Memory; m == 0 || m > 16<<20 {
				t.Errorf("the usage names %d bytes of memory", m)
			}
			other.echoWorks(t)
		}},
		{"memory/refused but coped with", func(t *testing.T, s *suite) {
			other := s.limited(t, runtimes.Options{Memory: 1 << 20})
			wantExit(t, other.run(t, process("dirty", "100")), 3)
			wantIs(t, other.run(t, process("dirty", "100")), runtimes.ErrMemory)
		}},
		{"memory/enough below the limit", func(t *testing.T, s *suite) {
			p := process("grow", "32")
			wantText(t, "stdout", s.output(t, p), "enough")
			if m := p.Usage.Memory; m < 32<<20 || m > runtimes.DefaultMemory {
				t.Errorf("the usage names %d bytes of memory", m)
			}
		}},
		{"memory/default limit", func(t *testing.T, s *suite) {
			wantIs(t, s.run(t, process("grow", "130")), runtimes.ErrMemory)
		}},
		{"memory/other failures are not about memory", func(t *testing.T, s *suite) {
			for _, p := range []*runtimes.Process{process("trap"), process("exit", "5")} {
				if err := s.run(t, p); errors.Is(err, runtimes.ErrMemory) {
					t.Errorf("%q: %v", p.Args, err)
				}
			}
		}},
		{"memory/too little to begin with", func(t *testing.T, s *suite) {
			_, err := s.runtime.Compile(t.Context(), s.probe, runtimes.Options{Memory: 65536})
			var e *runtimes.ModuleError
			if !errors.As(err, &e) {
				t.Errorf("got the error %v, want a ModuleError", err)
			}
		}},
	}
}

// limited is the suite with a probe that has other limits.
func (s *suite) limited(t *testing.T, o runtimes.Options) *suite {
	other := *s
	other.program = s.compile(t, s.runtime, o)
	return &other
}
