package role

import (
	"cmp"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// allocs makes calls and tells where they allocate. The process must have been started with every
// allocation profiled (GODEBUG=memprofilerate=1).
func (r *role) allocs(s measure.Slice) (worker.Reply, error) {
	before, err := r.profile(s) // warms up
	if err != nil {
		return worker.Reply{}, err
	}
	after, err := r.profile(s)
	if err != nil {
		return worker.Reply{}, err
	}
	var sites []worker.Site
	for where, x := range after {
		x.Objects = (x.Objects - before[where].Objects) / float64(s.Calls)
		x.Bytes = (x.Bytes - before[where].Bytes) / float64(s.Calls)
		if x.Where = where; x.Objects >= 0.01 {
			sites = append(sites, x)
		}
	}
	slices.SortFunc(sites, func(a, b worker.Site) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(a.Where, b.Where))
	})
	return worker.Reply{Sites: sites}, nil
}

// profile makes calls and returns all that has been allocated since the process began, by place.
func (r *role) profile(s measure.Slice) (map[string]worker.Site, error) {
	if _, err := s.Run(r.ctx, r.call); err != nil {
		return nil, err
	}
	runtime.GC() // twice: a profile is that of the collection before the last
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 10_000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		return nil, fmt.Errorf("the profile has %d records", n)
	}
	sites := map[string]worker.Site{}
	for _, m := range records[:n] {
		where, ok := place(m.Stack())
		if !ok {
			continue
		}
		site := sites[where]
		site.Objects += float64(m.AllocObjects)
		site.Bytes += float64(m.AllocBytes)
		sites[where] = site
	}
	return sites, nil
}

// place names the innermost function of a stack that is not the Go runtime's, and its line. It reports whether
// the stack belongs to a call.
func place(stack []uintptr) (where string, ok bool) {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if where == "" && !strings.HasPrefix(f.Function, "runtime.") {
			where = fmt.Sprintf("%s (%s:%d)", path.Base(f.Function), path.Base(f.File), f.Line)
		}
		ok = ok || strings.HasSuffix(f.Function, ".(*role).call")
		if !more {
			return where, ok
		}
	}
}
