// Package contestant has the ways to run a function that are compared, one file each. Each makes a
// guest ready once, and then answers calls with it: a body in, a reply out.
package contestant

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// Runner is a guest made ready by a contestant.
type Runner interface {
	// Run makes one call. Several callers may call at the same time, each with a number of its own below that
	// of Open; one caller's calls never overlap. The reply is good until the caller's next call.
	Run(ctx context.Context, caller int, body []byte) ([]byte, error)
	// Close frees what the runner holds. Calls must have ended.
	Close() error
}

// Server is a Runner that answers calls through NATS in its own way. It returns when it does.
type Server interface {
	Serve(ctx context.Context, url, subject string) error
}

// Setup is what a runner is made from.
type Setup struct {
	Guest   *guest.Guest
	Cache   string // a folder for compiled modules
	Callers int    // how many callers there are at most
}

// Contestant is one way to run functions.
type Contestant struct {
	Name  string // as in tables
	About string // one sentence for the reader of the tables
	Open  func(context.Context, Setup) (Runner, error)
	// Worker writes a worker in another language than Go into a folder, and returns the command that runs it. Open is nil
	// then, and Worker is nil for what is in Go.
	Worker func(dir string) (name string, args []string, err error)
	// One says that it serves one caller at a time.
	One bool
}

// Those to which others are compared.
const (
	Base   = "wazero, fresh"
	Native = "native Go"
)

// All returns every contestant, in the order of the tables.
func All() []Contestant {
	return []Contestant{
		native(),
		polyvoke("fresh"), polyvoke("reset"), polyvoke("prefork"), polyvoke("checkpoint"),
		wazeroFresh(), wazeroInterruptible(),
		wasmtimeGo(), wasmtimePool(),
		extismPlugin(), nodeWASI(), process(),
	}
}

// Names of those that are compared by how fast they compute, besides Ahead.
const (
	Machine = "process per call"
	Ours    = "polyvoke, fresh"
	Node    = "node:wasi"
)

// Computing returns those that are compared by how fast they compute: each makes a new instance for each call.
func Computing() []Contestant {
	return []Contestant{process(), wasmtimeAhead(), polyvoke("fresh"), wazeroFresh(), nodeWASI()}
}

// Find returns the contestant of a name.
func Find(name string) (Contestant, error) {
	for _, c := range append(All(), Computing()...) {
		if c.Name == name {
			return c, nil
		}
	}
	return Contestant{}, fmt.Errorf("there is no contestant %q", name)
}

// errNoNative is why a guest that has no native form cannot be run natively.
var errNoNative = errors.New("this program has no native form")

// check returns an error if a reply is not the one that the guest must give.
func check(g *guest.Guest, body, reply []byte) error {
	want := g.Want
	if !bytes.Equal(body, g.Body) { // an echo of another body
		want = body
	}
	if !bytes.Equal(reply, want) {
		return fmt.Errorf("the reply is %.60q, not %.60q", reply, want)
	}
	return nil
}
