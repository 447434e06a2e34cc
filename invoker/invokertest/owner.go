package invokertest

import (
	"fmt"
	"os"
	"testing"
)

// owner is what a server belongs to, and whom it tells what fails: a test or a program.
type owner interface {
	Helper()
	Errorf(format string, a ...any)
	Fatalf(format string, a ...any)
	Cleanup(func())
	TempDir() string
}

var _ owner = testing.TB(nil)

// program is an owner that panics where a test would fail.
type program struct {
	ends []func()
}

// Helper implements owner: a program has no lines to report.
func (*program) Helper() {}

// Errorf implements owner by a panic.
func (*program) Errorf(format string, a ...any) { panic("invokertest: " + fmt.Sprintf(format, a...)) }

// Fatalf implements owner by a panic.
func (p *program) Fatalf(format string, a ...any) { p.Errorf(format, a...) }

// Cleanup implements owner: end runs what it is given.
func (p *program) Cleanup(end func()) { p.ends = append(p.ends, end) }

// TempDir implements owner: the folder goes in the end.
func (p *program) TempDir() string {
	dir, err := os.MkdirTemp("", "invokertest-")
	if err != nil {
		p.Fatalf("%v", err)
	}
	p.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// end does what is to be done at the end, the last thing first.
func (p *program) end() {
	for i := len(p.ends) - 1; i >= 0; i-- {
		p.ends[i]()
	}
	p.ends = nil
}
