package preview1

import (
	"context"
	"math"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// ThreadsModule is the name by which programs that were built for threads import thread-spawn.
const ThreadsModule = "wasi"

// ThreadSpawn returns thread-spawn of the proposal wasi-threads. There are no threads to be had, so it returns
// -EAGAIN, as where there are too many: pthread_create fails with that.
func ThreadSpawn() Function {
	return Function{Name: "thread-spawn", Params: types("i"), Results: types("i"),
		Call: func(_ context.Context, _ api.Module, stack []uint64) { stack[0] = uint64(math.MaxUint32 - eagain + 1) }}
}

// Sleep returns a function of type (i64) -> () that waits for that number of nanoseconds, as poll_oneoff does, or below
// 0 until the process is ended.
func Sleep() api.GoModuleFunc {
	return func(ctx context.Context, _ api.Module, stack []uint64) {
		s := stateOf(ctx)
		switch d := time.Duration(stack[0]); {
		case d == 0:
			s.Live()
		case d < 0:
			s.sleep(math.MaxInt64)
		default:
			s.sleep(d)
		}
	}
}
