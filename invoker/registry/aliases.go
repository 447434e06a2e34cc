package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// Aliases keeps which versions of functions names mean. A Registry that keeps them sends them with the entries of its
// watches. All methods may be called from several goroutines. The codes of errors are those of Registry; 409 is also a
// revision that is not the newest, and 400 what cannot be a name or an alias.
type Aliases interface {
	// SetAlias makes an alias mean something. revision is the one that the alias has now, 0 if it must not be there, or
	// nil for whatever it is. Versions that the function does not have are a 404. An alias that has the value already
	// stays as it is. What SetAlias names is not dropped by any Put until it is out of the alias's history.
	SetAlias(ctx context.Context, name, alias string, a protocol.Alias, revision *uint64) (protocol.AliasState, error)

	// RemoveAlias removes an alias, and returns what it was. Its history stays.
	RemoveAlias(ctx context.Context, name, alias string, revision *uint64) (protocol.AliasState, error)

	// ListAliases returns the aliases of a function, or of all if name is empty, sorted by function and name. A function
	// that does not exist has none. What cannot be read has a Damage.
	ListAliases(ctx context.Context, name string) ([]protocol.AliasState, error)

	// History returns what an alias has been, newest first, no more than KeepHistory entries. It is empty for an alias
	// that there never was.
	History(ctx context.Context, name, alias string) ([]protocol.AliasState, error)
}

const (
	// KeepHistory is how many states of an alias are kept: as many as a KV bucket can keep.
	KeepHistory = 64
	// keepNamed is how many of them keep the versions that they name.
	keepNamed = 10
	// mostVersions is how many versions of a function are kept at most, those that aliases name included.
	mostVersions = 100
)

// Live returns the alias that the function's own name means, if it has that.
func (e Entry) Live() (live protocol.AliasState, ok bool) {
	live, ok = e.Aliases[protocol.AliasLive]
	return live, ok && len(live.Value.To) > 0
}

// Main returns the version whose manifest decides about what is not a single call: subscriptions, routes, triggers, jobs
// and limits. It is the heavier one of the alias live, and without that, or if that has no version, the latest.
func (e Entry) Main() *protocol.Function {
	if live, ok := e.Live(); ok {
		if f := e.Numbered(live.Value.Main()); f != nil {
			return f
		}
		for _, w := range live.Value.To {
			if f := e.Numbered(w.Version); f != nil {
				return f
			}
		}
	}
	return e.Latest()
}

// Main finds a function and returns its main version, see Entry.Main.
func Main(ctx context.Context, r Registry, name string) (*protocol.Function, error) {
	e, err := r.Find(ctx, name)
	if err != nil {
		return nil, err
	}
	if a, ok := r.(Aliases); ok {
		all, err := a.ListAliases(ctx, name)
		if err != nil {
			return nil, err
		}
		e.Aliases = map[string]protocol.AliasState{}
		for _, s := range all {
			e.Aliases[s.Alias] = s
		}
	}
	return e.Main(), nil
}

// Answering returns the versions that calls by the function's own name can get.
func (e Entry) Answering() (all []*protocol.Function) {
	live, _ := e.Live()
	for _, w := range live.Value.To {
		if f := e.Numbered(w.Version); f != nil {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return []*protocol.Function{e.Latest()}
	}
	return all
}

// Numbered returns a version by its number, or nil.
func (e Entry) Numbered(version int) *protocol.Function {
	i, found := slices.BinarySearchFunc(e.Versions, version, func(f protocol.Function, n int) int { return f.Version - n })
	if !found {
		return nil
	}
	return &e.Versions[i]
}

// named are the versions of a function that its aliases name.
type named struct {
	now    map[int]bool // by what an alias is
	before map[int]bool // by one of the last states of an alias
}

// namedBy returns what the states of aliases name, but for those that were removed. Those of one alias are together,
// newest first.
func namedBy(states []protocol.AliasState) named {
	n := named{now: map[int]bool{}, before: map[int]bool{}}
	alias, nth, gone := "", 0, false
	for _, s := range states {
		if nth++; s.Alias != alias {
			alias, nth = s.Alias, 0
			gone = s.Removed
		}
		if gone {
			continue
		}
		for _, w := range s.Value.To {
			if nth == 0 {
				n.now[w.Version] = true
			}
			if nth < keepNamed {
				n.before[w.Version] = true
			}
		}
	}
	return n
}

// pruned returns the entry without the versions that need not be kept.
func (e Entry) pruned(keep named) Entry {
	for i := 0; i < len(e.Versions)-KeepVersions; {
		v := e.Versions[i].Version
		if keep.now[v] || keep.before[v] && len(e.Versions) <= mostVersions {
			i++
			continue
		}
		e = e.without(i)
	}
	return e
}

// shorter returns the entry without one version that is the easiest to do without, or false if each is needed.
func (e Entry) shorter(keep named) (Entry, bool) {
	last := len(e.Versions) - 1
	for _, needed := range []func(v int) bool{
		func(v int) bool { return keep.now[v] || keep.before[v] }, func(v int) bool { return keep.now[v] },
	} {
		for i := range last {
			if !needed(e.Versions[i].Version) {
				return e.without(i), true
			}
		}
	}
	return e, false
}

// without returns the entry without one of its versions.
func (e Entry) without(i int) Entry {
	e.Dropped = append(slices.Clip(e.Dropped), e.Versions[i].Version)
	e.Versions = slices.Concat(e.Versions[:i], e.Versions[i+1:])
	e.Needs = e.needed()
	return e
}

// checkNamed returns an error if the function does not have a version that an alias names.
func (e Entry) checkNamed(a protocol.Alias) error {
	for _, w := range a.To {
		if e.Numbered(w.Version) == nil {
			return protocol.Errorf(protocol.CodeNotFound, "", "function %s has no version %d; it has %s: "+
				"polyvoke info %s shows them", e.Name, w.Version, e.numbers(), e.Name)
		}
	}
	return nil
}

// numbers says which versions there are.
func (e Entry) numbers() string {
	var parts []string
	for i := 0; i < len(e.Versions); {
		j := i
		for j+1 < len(e.Versions) && e.Versions[j+1].Version == e.Versions[j].Version+1 {
			j++
		}
		part := e.Versions[i].Ref().Version
		if j > i {
			part += " to " + e.Versions[j].Ref().Version
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ", ")
}

// checkAliased returns an error if a function or an alias cannot have the name.
func checkAliased(name, alias string) error {
	return errors.Join(protocol.CheckName(name), protocol.CheckAlias(alias))
}

// checkRevision returns an error if somebody expects another revision than an alias has.
func checkRevision(op string, now protocol.AliasState, want *uint64) error {
	is := now.Revision
	if now.Removed {
		is = 0
	}
	switch {
	case want == nil || *want == is:
		return nil
	case is == 0:
		return protocol.Errorf(protocol.CodeConflict, op, "%s has no alias %s any more, and revision %d was expected: "+
			"look at it again (polyvoke history %s)", now.Function, now.Alias, *want, now.Function)
	}
	return protocol.Errorf(protocol.CodeConflict, op, "alias %s of %s is at revision %d (%v), and %d was expected: "+
		"somebody has changed it; look at it again (polyvoke alias ls %s) and decide anew",
		now.Alias, now.Function, is, now.Value, *want, now.Function)
}

// checkRoom returns an error if a function has no room for one more alias.
func checkRoom(op, name string, aliases int) error {
	if aliases < protocol.MaxAliases {
		return nil
	}
	return protocol.Errorf(protocol.CodeRefused, op, "%s has %d aliases, and there is no room for more: remove one "+
		"(polyvoke alias rm)", name, aliases)
}

// noAlias is the error for an alias that there is not.
func noAlias(op, name, alias string) error {
	return protocol.Errorf(protocol.CodeNotFound, op, "function %s has no alias %s: polyvoke alias set %s %s=VERSION makes it",
		name, alias, name, alias)
}

// sameAlias reports whether two aliases say the same, whoever has set them and why.
func sameAlias(a, b protocol.Alias) bool {
	a.By, a.Why, b.By, b.Why = "", "", "", ""
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// decodeAlias reads the stored value of an alias. It is strict, as decodeEntry is.
func decodeAlias(b []byte) (a protocol.Alias, err error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return protocol.Alias{}, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return protocol.Alias{}, errors.New("something follows the alias's object")
	}
	if err := a.Check(); err != nil {
		return protocol.Alias{}, err
	}
	return a, nil
}
