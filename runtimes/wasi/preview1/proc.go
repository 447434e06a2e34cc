package preview1

import (
	"context"
	"runtime"

	"github.com/tetratelabs/wazero/api"
)

// procExit implements proc_exit. It leaves the instance open: closing is the business of whoever made it.
func procExit(ctx context.Context, _ api.Module, stack []uint64) {
	stateOf(ctx).exit(uint32(stack[0]))
}

// schedYield implements sched_yield.
func schedYield(s *State, _ memory, _ []uint64) errno {
	if s.Yield != nil {
		s.Yield()
	} else {
		runtime.Gosched()
	}
	s.Live()
	return 0
}
