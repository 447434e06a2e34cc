// Package marks collects which functions of a module have been called. In go instances, whose marks (see
// rewrite.Options.Mark) are never put back; out comes what all of them have seen.
package marks

import (
	"sync/atomic"

	"github.com/tetratelabs/wazero/api"
)

// Marks are those of all instances of a module. Nil are those of a module without.
type Marks struct {
	names []string        // of the exported globals, one for 64 functions each
	seen  []atomic.Uint64 // what they have come to
	n     int             // functions
}

// New returns the marks of a module with n functions, which are in globals that are exported under names. It is nil
// if there are no names.
func New(names []string, n int) *Marks {
	if len(names) == 0 {
		return nil
	}
	return &Marks{names: names, seen: make([]atomic.Uint64, len(names)), n: n}
}

// Read adds what an instance says, in which nothing runs. Nil says nothing.
func (m *Marks) Read(instance api.Module) {
	if m == nil || instance == nil {
		return
	}
	for i, name := range m.names {
		if now := instance.ExportedGlobal(name).Get(); now&^m.seen[i].Load() != 0 {
			m.seen[i].Or(now)
		}
	}
}

// Called returns, for each function, whether it was called in an instance that was read, or nil if there are no marks.
func (m *Marks) Called() []bool {
	if m == nil {
		return nil
	}
	list := make([]bool, m.n)
	for i := range list {
		list[i] = m.seen[i/64].Load()>>(i%64)&1 != 0
	}
	return list
}
