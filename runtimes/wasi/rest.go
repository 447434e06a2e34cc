package wasi

import (
	"sync"
	"sync/atomic"

	"github.com/polyvoke/polyvoke/runtimes/wasi/memory"
	"github.com/polyvoke/polyvoke/runtimes/wasi/native"
	"github.com/tetratelabs/wazero/api"
)

// tiresAfter is after how many looks, one a second, at which a module had no sandbox its native code gives up its
// memory.
const tiresAfter = 3

// rest is what a module's native code does while it has no sandbox. It lies in memory at first, since most modules
// are used when they have just been compiled. When the last sandbox has ended for want of calls, it is put into a
// file, and takes no memory until the next call: then the system reads what is needed of it, mostly from its own
// cache.
type rest struct {
	made    atomic.Uint64 // sandboxes
	alive   atomic.Int64  // of them
	code    atomic.Pointer[[]byte]
	unwatch func()

	mu      sync.Mutex
	looked  uint64 // how many had been made when somebody looked last
	quiet   int    // looks since then at which there was none
	spilled bool   // the code is in a file
	failed  bool   // or cannot be
}

// began is told of a new sandbox, ended of the end of one.
func (r *rest) began() { r.made.Add(1); r.alive.Add(1) }
func (r *rest) ended() { r.alive.Add(-1) }

// know learns from an instance where the code is.
func (r *rest) know(instance api.Module) {
	if r.code.Load() == nil {
		code := native.Code(instance)
		r.code.Store(&code)
	}
}

// stop is for code that is about to be freed.
func (r *rest) stop() {
	r.unwatch()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code.Store(nil)
}

// due reports whether nobody has needed the code for a while. It is true once for each such time.
func (r *rest) due() bool {
	made := r.made.Load()
	if r.alive.Load() > 0 || made != r.looked {
		r.looked, r.quiet = made, 0
		return false
	}
	r.quiet++
	return r.quiet == tiresAfter
}

// tire makes the code give up its memory if nobody has needed it for a while. It is called every second.
func (c *code) tire() {
	r := &c.rest
	r.mu.Lock()
	defer r.mu.Unlock()
	code := r.code.Load()
	if !r.due() || code == nil || len(*code) == 0 {
		return
	}
	c.runtime.relieve(r, *code)
}

// relieve makes code give up its memory.
func (r *Runtime) relieve(of *rest, code []byte) {
	if !of.spilled && !of.failed && r.folder != "" {
		err := memory.Spill(code, r.folder)
		of.spilled, of.failed = err == nil, err != nil
		if err != nil {
			r.log.Debug("native code stays in memory while it is not needed", "error", err)
		}
	}
	if of.spilled {
		memory.Unload(code)
	}
}
