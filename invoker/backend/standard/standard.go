// Package standard puts the kinds of grants together that polyvoke has. In goes what they reach; out comes a Backend.
package standard

import (
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/backend/functions"
	"github.com/polyvoke/polyvoke/invoker/backend/kv"
	"github.com/polyvoke/polyvoke/invoker/backend/objects"
	"github.com/polyvoke/polyvoke/invoker/backend/publish"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/sql"
	"github.com/polyvoke/polyvoke/invoker/backend/tmp"
	"github.com/polyvoke/polyvoke/invoker/backend/web"
	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says what functions can be granted. JetStream, Conn and Caller must be set.
type Config struct {
	JetStream jetstream.JetStream // has buckets
	Conn      *nats.Conn          // publishes messages; its ErrorHandler is not set again afterwards
	Caller    protocol.Caller     // calls functions
	Replicas  int                 // copies of a bucket that is made; 0 means 1
	Secrets   secrets.Source      // nil: there are none
	Guard     web.Guard           // which addresses cannot be reached by HTTP
	Version   string              // polyvoke's own, for servers of HTTP
	Log       *slog.Logger        // nil discards it
}

// New returns a Backend with all kinds. end is called when nobody uses it any more.
func New(c Config) (b *backend.Backend, end func()) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	http := web.New(web.Config{Version: c.Version, Guard: c.Guard})
	return &backend.Backend{Kinds: map[string]backend.Kind{
		protocol.GrantKV:     &kv.Kind{JetStream: c.JetStream, Log: c.Log, Replicas: c.Replicas},
		protocol.GrantObj:    objects.New(c.JetStream, max(1, c.Replicas)),
		protocol.GrantFn:     functions.New(functions.Config{Caller: c.Caller}),
		protocol.GrantPub:    publish.New(publish.Config{Conn: c.Conn, Denials: denials.On(c.Conn, nil)}),
		protocol.GrantSecret: secrets.New(secrets.Config{Source: c.Secrets}),
		protocol.GrantHTTP:   http,
		protocol.GrantTmp:    tmp.Kind{},
		protocol.GrantSQL:    sql.New(c.JetStream, max(1, c.Replicas)),
	}}, http.Close
}
