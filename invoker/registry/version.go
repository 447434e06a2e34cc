package registry

import (
	"maps"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// admit returns the manifest as a registry may store it, or why it may not: a copy of its own, with
// the module's digest and size.
func admit(f protocol.Function, module []byte, knows func(word string) bool) (protocol.Function, error) {
	if err := f.Check(); err != nil {
		return f, err
	}
	if err := admitNeeds(&f, knows); err != nil {
		return f, err
	}
	if len(module) == 0 {
		return f, protocol.Errorf(protocol.CodeRefused, "deploy "+f.Name, "the module is empty")
	}
	f.Version, f.Created = 0, time.Time{}
	f.Digest, f.Size = protocol.Digest(module), int64(len(module))
	f.Args = slices.Concat(f.Args) // nil if empty, as it comes back from JSON
	f.Triggers = slices.Concat(f.Triggers)
	if f.Job != nil {
		f.Job = new(*f.Job)
	}
	if f.Env = maps.Clone(f.Env); len(f.Env) == 0 {
		f.Env = nil
	}
	return f, nil
}

// with returns the entry with f as its latest version, and whether that is a new one. No version is dropped for it. The
// entry e itself does not change.
func (e Entry) with(f protocol.Function, now time.Time) (Entry, bool) {
	f.Version = 1
	if len(e.Versions) > 0 {
		if e.Latest().Same(&f) {
			return e, false
		}
		f.Version = e.Latest().Version + 1
	}
	f.Created = now.UTC().Truncate(time.Millisecond)
	next := Entry{Name: f.Name, Versions: slices.Concat(e.Versions, []protocol.Function{f})}
	next.Needs = next.needed()
	return next, true
}

// before reports whether e is what a function was before it became later: e's latest version is an older one of
// later's.
func (e Entry) before(later Entry) bool {
	for i := range later.Versions {
		if v := &later.Versions[i]; v.Version == e.Latest().Version && v.Created.Equal(e.Latest().Created) {
			return v != later.Latest()
		}
	}
	return false
}

// digests returns the modules that the entry's versions run, each once.
func (e Entry) digests() map[string]bool {
	set := map[string]bool{}
	for i := range e.Versions {
		set[e.Versions[i].Digest] = true
	}
	return set
}

func notFound(op, name string) error {
	return protocol.Errorf(protocol.CodeNotFound, op, "there is no function %s; deploy it first", name)
}
