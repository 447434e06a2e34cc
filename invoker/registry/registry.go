// Package registry keeps functions and their versions.
//
// In goes a manifest with a module's bytes; out comes a numbered version that never changes again, for every watcher.
// There are two registries, in memory and on JetStream, and one conformance suite for both (registrytest).
package registry

import (
	"context"
	"strconv"

	"github.com/polyvoke/polyvoke/protocol"
)

// Registry keeps functions. All methods may be called from several goroutines.
//
// # Errors
//
// Errors are *protocol.Error, with one of these codes:
//   - 400: this cannot be a name or a digest
//   - 404: it does not exist
//   - 409: others changed it at the same time, again and again, or a stored record cannot be read
//   - 422: the manifest or the module is refused
//   - 501: a manifest or a record needs what is not known here (NeedsError)
//   - 503: the store does not answer, or a module is damaged
type Registry interface {
	// Find returns what is known about a function.
	Find(ctx context.Context, name string) (Entry, error)

	// List returns all functions, sorted by name, but for those that need what is not known here.
	List(ctx context.Context) ([]Entry, error)

	// Put stores a module and makes f with it the function's latest version. Version, Digest, Size
	// and Created are the registry's to give; what f says about them is ignored. If the
	// latest version is the same in the sense of Function.Same, nothing changes, and created
	// is false. The entry is what Find returns afterwards. A version is visible as a whole or
	// not at all, whatever dies on the way. No more than KeepVersions are kept, and those that aliases name, and fewer
	// if they would not fit the store; the oldest go, and the entry's Dropped names them.
	Put(ctx context.Context, f protocol.Function, module []byte) (e Entry, created bool, err error)

	// Delete removes a function with all its versions and returns what it was. A function that is
	// put again begins at version 1. Its aliases go with it.
	Delete(ctx context.Context, name string) (Entry, error)

	// Module returns a module's bytes by its digest, checked against it.
	Module(ctx context.Context, digest string) ([]byte, error)

	// Watch sends every entry there is, then a Change whose Synced is true, then each change
	// as it happens, the newest state of an entry only. A record that cannot be read, or that needs what
	// is not known here, is sent as a Change with an Err, and holds nothing up. The channel is closed when ctx ends,
	// and never otherwise: a registry that loses its store goes on when the store is back.
	Watch(ctx context.Context) (<-chan Change, error)
}

// KeepVersions is how many versions of a function are kept, besides those that its aliases name.
const KeepVersions = 20

// Entry is a function with the versions that are kept, oldest first, never none. Entries are
// shared and must not be changed.
type Entry struct {
	Name     string              `json:"name"`
	Needs    []string            `json:"needs,omitempty"` // of all versions; an invoker must know all to serve any
	Versions []protocol.Function `json:"versions"`

	// Aliases has what names mean by which the function can be called, besides numbers. It is set only in what a watch
	// sends.
	Aliases map[string]protocol.AliasState `json:"-"`

	// Dropped has the numbers of the versions that a Put dropped to make room for its own.
	// It is set only in what that Put returns.
	Dropped []int `json:"-"`
}

// Latest returns the newest version.
func (e Entry) Latest() *protocol.Function { return &e.Versions[len(e.Versions)-1] }

// Version returns the version that ref's version means: a number, or "" for the latest. The
// error is a *protocol.Error with code 404 that says which versions there are.
func (e Entry) Version(version string) (*protocol.Function, error) {
	if version == "" {
		return e.Latest(), nil
	}
	n, err := strconv.Atoi(version)
	for i := range e.Versions {
		if err == nil && e.Versions[i].Version == n {
			return &e.Versions[i], nil
		}
	}
	return nil, protocol.Errorf(protocol.CodeNotFound, "", "function %s has no version %s; it has %s",
		e.Name, version, e.numbers())
}

// Change is one message of a watch. A change with an error leaves the function's last state as it is, unless the error
// is a NeedsError.
type Change struct {
	Name   string // the function; empty if Synced
	Entry  Entry  // its new state; no versions if it was deleted
	Err    error  // why its record cannot be read now; Entry then says nothing
	Synced bool   // everything that was there when the watch began has been sent
}
