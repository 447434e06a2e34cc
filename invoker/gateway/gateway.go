// Package gateway answers HTTP with functions: an http.Handler that any Go program can mount.
//
// In go requests; out come calls, by a protocol.Caller, and their replies as answers. serve.go is the table of contents
// of a request, and each step is a file. A Gateway is told of functions (Apply, Remove), and so knows their routes;
// functions without a route are called as /fn/NAME, and durably as /job/NAME.
package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says how a Gateway answers. Its zero value answers nothing: Caller must be set.
type Config struct {
	// Caller runs the functions. One that is a protocol.Streamer makes streams possible. It must not be nil.
	Caller protocol.Caller
	// Jobs makes durable calls: a *client.Client. Nil means that there are none: /job/ is answered with 501.
	Jobs Jobs
	// Guard decides who may use a route, and also who may use /fn/, /job/ and routes that do not say so. Nil means
	// everybody, and that routes which say otherwise are answered with 501.
	Guard Guard
	// Sockets serves WebSockets. Nil means that their routes are answered with 501.
	Sockets Sockets
	// MaxBody is the longest body of a request for a function whose limits are not known, in bytes. 0 means
	// protocol.DefaultInput.
	MaxBody int64
	// Peer returns the address of a request's client, and whether a proxy that is trusted has sent it, so that its
	// headers Forwarded and X-Forwarded-* count; functions do not get those of others. Nil means that the client is
	// the peer of the connection, and that no proxy is trusted.
	Peer func(*http.Request) (address string, proxy bool)
	// ShowStderr adds the end of what a function has written to stderr to the answers of calls that have failed.
	ShowStderr bool
	// Observers see every request, in this order.
	Observers []Observer
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
}

// Jobs makes durable calls. A *client.Client is one.
type Jobs interface {
	RunJob(ctx context.Context, r *protocol.Request, o client.JobOptions) (client.Receipt, error)
	Job(ctx context.Context, job string) (protocol.JobReply, error)
	JobResult(ctx context.Context, job string, now bool) (*client.Outcome, error)
}

var _ Jobs = (*client.Client)(nil)

// Guard decides who may use a route. A *access.Guard is one. Its methods may be called from several goroutines.
type Guard interface {
	// Admit returns who the client is, or why it may not use the route.
	Admit(ctx context.Context, r *http.Request, w access.Want) (access.Identity, error)
	// Check returns why nobody can be let in to a route of this auth, for want of a setting.
	Check(auth string) error
	// Forget tells of a function that has changed, or is gone.
	Forget(function string)
}

var _ Guard = (*access.Guard)(nil)

// Sockets serves the connections of WebSockets.
type Sockets interface {
	// Serve serves a connection whose route and access have been decided. header is what the function is to know of
	// the handshake. It returns when the connection has been handed over, or with an error that has not been answered.
	Serve(w http.ResponseWriter, r *http.Request, function protocol.Ref, route *protocol.WebSocketRoute,
		header protocol.Header) error
}

// Observer sees the requests that a gateway answers. Its methods must not wait, and may be called from several
// goroutines.
type Observer interface {
	// Begin tells of a request whose route is known.
	Begin(e *Exchange)
	// End tells that it has been answered. The exchange is not to be kept afterwards.
	End(e *Exchange)
}

// Exchange is a request of HTTP and its answer.
type Exchange struct {
	ID       string        // of the call, as in the answer's Fn-Id
	Method   string        // of the request; "OTHER" for one that HTTP does not have
	Path     string        // as it was sent
	Route    string        // the pattern that it matched; empty for none
	Function protocol.Ref  // what was called; zero for nothing
	Client   string        // the client's address, behind trusted proxies
	Agent    string        // the client's User-Agent
	Received time.Time     // when the request's headers had come
	Status   int           // of the answer; 0 until then
	Aborted  bool          // the connection was cut before the answer was whole
	Cut      string        // why, one of the Cut constants, if it was a stream's; else empty
	In, Out  int64         // bytes of the bodies, as sent
	Took     time.Duration // from Received to the answer's last byte

	Header http.Header    // of the request; an observer may change its trace context in Begin, and nothing else
	Trace  protocol.Trace // for observers: its place in a trace; the answer's header traceparent, unless it is zero
	Parent protocol.Trace // for observers: that of the client
}

// Why a stream was cut short.
const (
	CutClient  = "client"  // the client has gone, or reads nothing
	CutIdle    = "idle"    // nothing came for http.idle
	CutInput   = "input"   // the request's body is over limits.input
	CutTimeout = "timeout" // the call took longer than limits.timeout
	CutFailed  = "failed"  // the function has failed, or the way to it
)

// Gateway is an http.Handler that answers with functions. Make one with New.
type Gateway struct {
	Config
	streams protocol.Streamer // Caller, if it is one

	mu        sync.RWMutex
	functions map[string]*function // that it has been told of
	changes   atomic.Uint64        // how often the routes in functions have changed; written under mu
	table     atomic.Pointer[table]
	building  sync.Mutex
	synced    chan struct{} // closed when it has been told of all functions
	once      sync.Once
}

// New returns a gateway. It answers at once, and knows only of functions that it has been told of; others can be called
// as /fn/NAME all the same.
func New(c Config) *Gateway {
	c.MaxBody = cmp.Or(c.MaxBody, int64(protocol.DefaultInput))
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Peer == nil {
		c.Peer = peer
	}
	g := &Gateway{Config: c, functions: map[string]*function{}, synced: make(chan struct{})}
	g.streams, _ = c.Caller.(protocol.Streamer)
	g.table.Store(newTable(nil, c.Log))
	return g
}

// Apply tells of a function that is new or has a new version, the latest of which it gets. The next request finds its
// routes.
func (g *Gateway) Apply(f *protocol.Function) { g.change(f.Name, f) }

// Remove tells of a function that is gone.
func (g *Gateway) Remove(name string) { g.change(name, nil) }

// Synced tells that all functions that were there have been told of.
func (g *Gateway) Synced() { g.once.Do(func() { close(g.synced) }) }

// Ready returns a channel that is closed when the gateway has been told of all functions.
func (g *Gateway) Ready() <-chan struct{} { return g.synced }

// Serve waits for the end of ctx, as fronts do: a Gateway has nothing to do but to answer.
func (g *Gateway) Serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}
