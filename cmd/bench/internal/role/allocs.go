package role

import (
	"fmt"
	"path"
	"runtime"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// sites tells how much each place has allocated since the process began, but for what this package needs to
// answer. The process must have been started with every allocation profiled (GODEBUG=memprofilerate=1).
func (r *role) sites() (worker.Reply, error) {
	runtime.GC() // twice: a profile is that of the collection before the last
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 100_000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		return worker.Reply{}, fmt.Errorf("the profile has %d records", n)
	}
	sums := map[string]worker.Site{}
	for _, m := range records[:n] {
		where, ok := place(m.Stack())
		if !ok {
			continue
		}
		s := sums[where]
		sums[where] = worker.Site{Where: where, Objects: s.Objects + float64(m.AllocObjects),
			Bytes: s.Bytes + float64(m.AllocBytes)}
	}
	var out worker.Reply
	for _, s := range sums {
		out.Sites = append(out.Sites, s)
	}
	return out, nil
}

// place names the innermost function of a stack that is not the Go runtime's, and its line. It reports whether
// the stack belongs to calls, or to a service, and not to the worker.
func place(stack []uintptr) (where string, ok bool) {
	frames := runtime.CallersFrames(stack)
	ok = true
	for {
		f, more := frames.Next()
		if where == "" && !strings.HasPrefix(f.Function, "runtime.") {
			where = fmt.Sprintf("%s (%s:%d)", strings.ReplaceAll(path.Base(f.Function), "%2e", "."), path.Base(f.File), f.Line)
		}
		if strings.HasSuffix(f.Function, ".(*role).call") {
			return where, true
		}
		ok = ok && !strings.HasSuffix(f.Function, "/worker.Serve")
		if !more {
			return where, ok && where != ""
		}
	}
}
