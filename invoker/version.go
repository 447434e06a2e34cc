package invoker

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// version is one version of a function, ready to be run or to be loaded.
type version struct {
	manifest *protocol.Function
	ref      protocol.Ref
	limits   protocol.Limits // defaults filled in
	env      []string        // of every call
	args     []string        // argv of a call without arguments of its own
	http     bool            // what requests of HTTP say is part of a process's environment or arguments
	writes   bool            // a call may fail to commit, because of what others have written
	turns    turns           // of calls that have failed so

	errors    atomic.Int64 // calls that have ended with one
	calls     atomic.Int64 // that have it; one more only under the mutex of versions
	temporary atomic.Bool  // the last of them unloads it

	// Guarded by the mutex of versions.
	program *programs.Program // nil until it is loaded
	grants  *backend.Grants   // nil until it is loaded, and if there are none
	begun   int64             // calls that have had it, or have it
	pinned  bool              // it has been called by number, or by an alias other than live
	needed  bool              // calls by the function's name can get it
	retired bool              // no new call comes
}

// newVersion prepares what is the same for every call.
func newVersion(m *protocol.Function) *version {
	o := programs.Options(m)
	return &version{manifest: m, ref: m.Ref(), limits: m.Limits.WithDefaults(), args: o.Args, env: o.Env,
		http:   m.HTTPVaries() || m.HTTPArgs(),
		writes: slices.ContainsFunc(m.Grants, func(g protocol.Grant) bool { return g.CanWrite() || g.Serializable })}
}

// versions are those of one function. A version is loaded when it is first called, or before calls by the function's
// name can get it, and unloaded when nothing needs it any more.
type versions struct {
	loader *loader

	mu      sync.Mutex
	entry   registry.Entry
	main    *version // see registry.Entry.Main; nil before the first is loaded, and after the function has ended
	live    *choice  // nil without an alias live: calls get main
	choices map[string]*choice
	all     map[int]*version

	closing sync.WaitGroup // of grants that nobody needs any more
}

// acquire returns the version that a request means, among those that the registry has, and whether its program is
// loaded. It stays so until the version is released. The version is nil if there is none at all. share is what counts
// the calls of an alias; it is nil if the request means none.
func (l *versions) acquire(r *protocol.Request) (v *version, share *share, loaded bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v = l.main; v == nil {
		return nil, nil, false, nil
	}
	if r.Function.Version != "" {
		if v, share, err = l.named(r); err != nil {
			return nil, nil, false, err
		}
		v.pinned = true
		v.temporary.Store(v.retired)
	} else if l.live != nil {
		share = l.live.choose(r)
		v = share.version
	}
	v.calls.Add(1)
	v.begun++
	return v, share, v.program != nil, nil
}

// named returns the version that a request names by a number or an alias. The caller holds the mutex.
func (l *versions) named(r *protocol.Request) (*version, *share, error) {
	name := r.Function.Version
	if c := l.choices[name]; c != nil {
		share := c.choose(r)
		return share.version, share, nil
	}
	m, err := l.entry.Version(name)
	if err != nil {
		return nil, nil, err
	}
	return l.all[m.Version], nil, nil
}

// release counts one call less of a version.
func (l *versions) release(v *version) {
	if v.calls.Add(-1) == 0 && v.temporary.Load() {
		l.mu.Lock()
		l.unload(v)
		l.mu.Unlock()
	}
}

// load gives a version its program, if no other call has done so meanwhile.
func (l *versions) load(ctx context.Context, v *version) error {
	p, g, err := l.loader.load(ctx, v.manifest)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.program == nil {
		v.program, v.grants = p, g
		return nil
	}
	l.loader.programs.Release(p) // another call was quicker
	l.closing.Go(g.Close)
	return nil
}

// unload gives a version's program back once nothing needs it. The caller holds the mutex, without which no call
// begins.
func (l *versions) unload(v *version) {
	v.temporary.Store(v.retired || !v.needed && !v.pinned)
	if v.temporary.Load() && v.calls.Load() == 0 && v.program != nil {
		l.loader.programs.Release(v.program)
		if v.grants != nil {
			l.closing.Go(v.grants.Close) // NATS may be asked for it
		}
		v.program, v.grants = nil, nil
	}
}

// hold returns versions of an entry, loaded, so that calls can have them once replace is given them. They must be
// released afterwards, also if there is an error.
func (l *versions) hold(ctx context.Context, all []*protocol.Function) (held []*version, err error) {
	for _, m := range all {
		l.mu.Lock()
		v := l.all[m.Version]
		if v == nil || v.retired || !v.manifest.Created.Equal(m.Created) {
			v = newVersion(m)
		}
		v.calls.Add(1)
		loaded := v.program != nil
		l.mu.Unlock()
		held = append(held, v)
		if !loaded {
			if err := l.load(ctx, v); err != nil {
				return held, err
			}
		}
	}
	return held, nil
}

// unhold releases what hold returned. What has not become one of the function's versions is unloaded.
func (l *versions) unhold(held []*version) {
	for _, v := range held {
		l.mu.Lock()
		if l.all[v.manifest.Version] != v {
			v.retired = true
			v.temporary.Store(true)
		}
		l.mu.Unlock()
		l.release(v)
	}
}

// replace puts a new entry in place of the old one, of which held has the loaded versions that calls by the function's
// name get. Calls that have begun end with the version that they began with.
func (l *versions) replace(e registry.Entry, held []*version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.all
	l.entry, l.all = e, map[int]*version{}
	for i := range e.Versions {
		m := &e.Versions[i]
		v := old[m.Version]
		if v == nil || !v.manifest.Created.Equal(m.Created) {
			v = newVersion(m)
		}
		v.needed = false
		l.all[m.Version] = v
	}
	for _, v := range held {
		l.all[v.manifest.Version], v.needed = v, true
	}
	l.main = l.all[e.Main().Version]
	l.choices = choicesOf(e, l.all, l.choices)
	l.live = l.choices[protocol.AliasLive]
	for n, v := range old {
		v.retired = l.all[n] != v
		l.unload(v)
	}
}

// end gives all programs back, and what they were granted. No call has a version any more.
func (l *versions) end() {
	defer l.closing.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.main, l.live, l.choices = nil, nil, nil
	for _, v := range l.all {
		v.retired = true
		l.unload(v)
	}
	clear(l.all)
}

// current returns the entry, and the manifest of the main version, or nil.
func (l *versions) current() (registry.Entry, *protocol.Function) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.main == nil {
		return l.entry, nil
	}
	return l.entry, l.main.manifest
}

// start returns how the processes of the main version come to be, and why.
func (l *versions) start() (kind, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.main
	switch {
	case v == nil:
		return "", ""
	case v.program == nil:
		return v.manifest.Start, ""
	}
	start := v.program.Start()
	return cmp.Or(start.Kind, v.manifest.Start), start.Reason
}
