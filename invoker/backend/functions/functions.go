// Package functions shows other functions as files. A process writes a request to /fn/NAME[/ARG...], and reads the
// reply from the same path. In goes a protocol.Caller; out comes a tree for each run.
//
// Reading makes the call: with what was written, or with an empty body. The reply stays, however often it is read,
// until something is written there anew. A request whose reply nobody has read is sent when the run has succeeded.
// Beside each path there are NAME.headers, NAME.status and NAME.error.
//
// A call happens at once and cannot be taken back. So a run that has made one is not run again after a conflict.
package functions

import (
	"context"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says what functions are called with.
type Config struct {
	// Caller makes the calls. It must not be nil.
	Caller protocol.Caller
}

// New returns the kind of grants that let functions call others (protocol.GrantFn).
func New(c Config) backend.Kind { return kind{c} }

// kind is the kind of grants.
type kind struct{ Config }

// Open implements backend.Kind. Whether there are such functions is not asked: they may come later. All grants share
// one mount.
func (k kind) Open(_ context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	r := &resource{caller: k.Caller, granted: map[protocol.Ref]int{}, input: int64(f.Limits.WithDefaults().Input)}
	for _, g := range grants {
		ref, err := protocol.ParseRef(g.Fn)
		if err != nil {
			return nil, protocol.Errorf(protocol.CodeRefused, "load "+f.Ref().String(), "grant fn = %.80q: %w", g.Fn, err)
		}
		if _, twice := r.granted[ref]; !twice {
			r.granted[ref] = len(r.ops)
			r.ops = append(r.ops, g.Ops())
			r.names = append(r.names, ref.String())
		}
	}
	slices.Sort(r.names)
	return []backend.Resource{r}, nil
}

// resource is /fn of one version.
type resource struct {
	caller  protocol.Caller
	granted map[protocol.Ref]int // index in ops
	ops     []int                // how many calls of each function a run may make
	names   []string             // of the granted functions, sorted
	input   int64                // how many bytes of replies a run may hold
}

var _ backend.Resource = (*resource)(nil)

// Mount implements backend.Resource.
func (r *resource) Mount() string { return "/" + protocol.GrantFn }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session {
	return &session{r: r, t: t}
}

// Close implements backend.Resource. What a run has called has ended with the run.
func (r *resource) Close() {}
