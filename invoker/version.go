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

	calls     atomic.Int64 // that have it; one more only under the mutex of versions
	temporary atomic.Bool  // the last of them unloads it

	// Guarded by the mutex of versions.
	program *programs.Program // nil until it is loaded
	grants  *backend.Grants   // nil until it is loaded, and if there are none
	pinned  bool              // it has been called by number
	retired bool              // no new call comes
}

// newVersion prepares what is the same for every call.
func newVersion(m *protocol.Function) *version {
	o := programs.Options(m)
	return &version{manifest: m, ref: m.Ref(), limits: m.Limits.WithDefaults(), args: o.Args, env: o.Env,
		http:   m.HTTPVaries() || m.HTTPArgs(),
		writes: slices.ContainsFunc(m.Grants, func(g protocol.Grant) bool { return g.CanWrite() || g.Serializable })}
}

// versions are those of one function. A version is loaded when it is first called, or as the latest, and unloaded when
// nothing needs it any more.
type versions struct {
	loader *loader

	mu     sync.Mutex
	entry  registry.Entry
	latest *version // nil before the first is loaded, and after the function has ended
	all    map[int]*version

	closing sync.WaitGroup // of grants that nobody needs any more
}

// acquire returns the version that a request means, among those that the registry has, and whether its program is
// loaded. It stays so until the version is released. The version is nil if there is none at all.
func (l *versions) acquire(ref protocol.Ref) (v *version, loaded bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v = l.latest; v == nil {
		return nil, false, nil
	}
	if ref.Version != "" {
		m, err := l.entry.Version(ref.Version)
		if err != nil {
			return nil, false, err
		}
		v = l.all[m.Version]
		v.pinned = true
		v.temporary.Store(v.retired)
	}
	v.calls.Add(1)
	return v, v.program != nil, nil
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
	v.temporary.Store(v.retired || v != l.latest && !v.pinned)
	if v.temporary.Load() && v.calls.Load() == 0 && v.program != nil {
		l.loader.programs.Release(v.program)
		if v.grants != nil {
			l.closing.Go(v.grants.Close) // NATS may be asked for it
		}
		v.program, v.grants = nil, nil
	}
}

// replace puts a new entry, whose latest version is loaded, in place of the old one. Calls that have begun end with the
// version that they began with.
func (l *versions) replace(e registry.Entry, latest *version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.all
	l.entry, l.latest, l.all = e, latest, map[int]*version{}
	for i := range e.Versions {
		m := &e.Versions[i]
		v := old[m.Version]
		switch {
		case m.Version == latest.manifest.Version:
			v = latest
		case v == nil || !v.manifest.Created.Equal(m.Created):
			v = newVersion(m)
		}
		l.all[m.Version] = v
	}
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
	l.latest = nil
	for _, v := range l.all {
		v.retired = true
		l.unload(v)
	}
	clear(l.all)
}

// current returns the entry, and the manifest of the latest version, or nil.
func (l *versions) current() (registry.Entry, *protocol.Function) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest == nil {
		return l.entry, nil
	}
	return l.entry, l.latest.manifest
}

// start returns how the processes of the latest version come to be, and why.
func (l *versions) start() (kind, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.latest
	switch {
	case v == nil:
		return "", ""
	case v.program == nil:
		return v.manifest.Start, ""
	}
	start := v.program.Start()
	return cmp.Or(start.Kind, v.manifest.Start), start.Reason
}
