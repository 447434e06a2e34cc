package wasi

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/api"
)

// coverage is which functions of a module have been called, in all of its instances. Their marks (see
// rewrite.Options.Mark) are never put back. It is nil for a module without marks. Any number of goroutines may use one.
type coverage struct {
	names []string        // of the exported globals, one for 64 functions each
	seen  []atomic.Uint64 // what they have come to
	n     int             // functions
}

// newCoverage returns that of a module with n functions, whose marks are in globals that are exported under names. It
// is nil if there are no names.
func newCoverage(names []string, n int) *coverage {
	if len(names) == 0 {
		return nil
	}
	return &coverage{names: names, seen: make([]atomic.Uint64, len(names)), n: n}
}

// read adds what an instance says, in which nothing runs. Nil says nothing.
func (c *coverage) read(instance api.Module) {
	if c == nil || instance == nil {
		return
	}
	for i, name := range c.names {
		if now := instance.ExportedGlobal(name).Get(); now&^c.seen[i].Load() != 0 {
			c.seen[i].Or(now)
		}
	}
}

// called returns, for each function, whether it was called in an instance that was read, or nil if there are no marks.
func (c *coverage) called() []bool {
	if c == nil {
		return nil
	}
	list := make([]bool, c.n)
	for i := range list {
		list[i] = c.seen[i/64].Load()>>(i%64)&1 != 0
	}
	return list
}
