// Package publish shows subjects as files. A process writes a message to /pub/SUBJECT, with dots or slashes between the
// tokens, and each close of such a file is one message. In goes a connection to NATS; out comes a tree for each run.
//
// Messages stay in memory until the run has succeeded and all else that it has written is committed. Then they are
// sent, in the order in which they were closed. Those of any other run are dropped. They are published without an
// acknowledgement of JetStream, and a round trip to the server ends the sending. Each has an id as Nats-Msg-Id, which
// is the same when a call is repeated, so that a stream takes it once within its duplicate window.
package publish

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says where messages are published.
type Config struct {
	// Conn is the connection. It must not be nil.
	Conn *nats.Conn
	// Denials, if not nil, watches Conn: then a call whose message NATS does not permit says so. Otherwise that is an
	// error of the connection only.
	Denials *denials.Watch
}

// New returns the kind of grants that let functions publish (protocol.GrantPub).
func New(c Config) backend.Kind { return kind{c} }

// kind is the kind of grants.
type kind struct{ Config }

// Open implements backend.Kind. All grants share one mount.
func (k kind) Open(_ context.Context, f *protocol.Function, grants []protocol.Grant) ([]backend.Resource, error) {
	r := &resource{Config: k.Config}
	for _, g := range grants {
		if err := protocol.CheckPattern(g.Pub); err != nil {
			return nil, protocol.Errorf(protocol.CodeRefused, "load "+f.Ref().String(), "grant pub = %.80q: %w", g.Pub, err)
		}
		r.granted = append(r.granted, pattern{g.Pub, strings.Split(g.Pub, "."), g.Ops()})
	}
	return []backend.Resource{r}, nil
}

// resource is /pub of one version.
type resource struct {
	Config
	granted []pattern
}

var _ backend.Resource = (*resource)(nil)

// Mount implements backend.Resource.
func (r *resource) Mount() string { return "/" + protocol.GrantPub }

// Begin implements backend.Resource.
func (r *resource) Begin(t *backend.Transaction) backend.Session { return &session{r: r, t: t} }

// Close implements backend.Resource. The connection is not its own.
func (r *resource) Close() {}
