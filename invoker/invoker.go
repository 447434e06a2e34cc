// Package invoker is the service: a message comes in, its function runs, the answer goes out.
package invoker

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Invoker serves functions on NATS.
type Invoker struct {
	// Registry has the functions.
	Registry registry.Registry
	// Runtime runs them.
	Runtime runtimes.Runtime
	// Slots is how many calls may use a processor at a time after their first slice. 0 means
	// one less than GOMAXPROCS, at least 1.
	Slots int
	// Drain is how long Serve goes on with what has been accepted after its context has
	// ended. 0 means 30 s.
	Drain time.Duration
	// BodyTTL is how long bodies over max_payload are kept. 0 means an hour.
	BodyTTL time.Duration
	// Replicas is the number of copies of what the invoker makes on JetStream. 0 means 1.
	Replicas int
	// Version is polyvoke's own version, in SemVer, for discovery. Empty means 0.0.0.
	Version string
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
	// Ready, if not nil, is called once, when every function that the registry had is being served.
	Ready func()
}

// Serve answers calls until ctx ends, then drains.
func (v *Invoker) Serve(ctx context.Context, nc *nats.Conn) error {
	<-ctx.Done()
	return nil
}
