// Package standard puts the kinds of grants together that polyvoke has. In goes what they reach; out comes a Backend.
package standard

import (
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/web"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says what functions can be granted. What is nil is not there, and grants of it are refused.
type Config struct {
	JetStream jetstream.JetStream // has buckets
	Conn      *nats.Conn          // publishes messages
	Caller    protocol.Caller     // calls functions
	Web       *web.Web            // makes requests of HTTP; whoever has made it closes it
	Replicas  int                 // copies of a bucket that is made; 0 means 1
	Log       *slog.Logger        // nil discards it
}

// New returns a Backend with all kinds for which there is what they need.
func New(c Config) *backend.Backend {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	kinds := map[string]backend.Kind{}
	if c.Web != nil {
		kinds[protocol.GrantHTTP] = c.Web
	}
	return &backend.Backend{Kinds: kinds}
}
