package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/frontdoor"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
	"github.com/polyvoke/polyvoke/protocol"
)

// HTTP says how functions are reached by HTTP. Without Server.Addr they are not.
type HTTP struct {
	Server     frontdoor.Config // Handler, OpenAPI, Ready and Log are set here
	Access     access.Config    // JetStream, Caller and Log are set here
	ShowStderr bool             // see gateway.Config
	AccessLog  bool             // a line of the log for each answer
	Open       func(url string) // called when the server listens, with where; may be nil
}

// door is a gateway and the server in front of it: a front whose requests come by HTTP.
type door struct {
	gateway *gateway.Gateway
	guard   guard
	sockets *websocket.Hub
	server  *frontdoor.Server
	log     *slog.Logger
}

var _ front = (*door)(nil)

// openDoor begins to listen. The caller runs the functions; s is for jobs. It returns nil if there is to be no HTTP.
func openDoor(c Config, caller protocol.Caller, s *connect.Session, ready func() error) (*door, error) {
	h := c.HTTP
	if h.Server.Addr == "" {
		return nil, nil
	}
	let, err := newGuard(h.Access, caller, s, c.Log)
	if err != nil {
		return nil, err
	}
	sockets := websocket.New(websocket.Config{Caller: caller, Conn: s.Conn, Log: c.Log})
	config := gateway.Config{Caller: caller, Jobs: s.Client, Guard: let, Sockets: sockets, Auth: h.Access.Default,
		ShowStderr: h.ShowStderr, Peer: frontdoor.Peer, Log: c.Log}
	if h.AccessLog {
		config.Observers = append(config.Observers, frontdoor.AccessLog(c.Log))
	}
	g := gateway.New(config)
	server := h.Server
	server.Handler, server.Ready, server.Drain, server.Log = g, ready, cmp.Or(server.Drain, c.Drain), c.Log
	server.OpenAPI = &frontdoor.API{Version: c.Version, Auth: h.Access.Default, Functions: g.Functions}
	server.Ending = func(ctx context.Context) {
		if err := sockets.Drain(ctx); err != nil {
			c.Log.Warn("WebSockets were cut off", "err", err)
		}
	}
	opened, err := frontdoor.Open(server)
	if err != nil {
		return nil, err
	}
	if h.Open != nil {
		h.Open(opened.URL())
	}
	return &door{g, let, sockets, opened, c.Log}, nil
}

// Apply implements front.
func (d *door) Apply(f *protocol.Function) {
	for _, auth := range auths(f) {
		if err := d.guard.Check(auth); err != nil {
			d.log.Warn("nobody can use a route, for want of a setting", "function", f.Name, "auth", auth, "err", err)
		}
	}
	d.gateway.Apply(f)
	d.guard.Forget(f.Name)
}

// auths returns what the routes of a function say about who may use them.
func auths(f *protocol.Function) (all []string) {
	for _, r := range f.HTTP {
		all = append(all, r.Auth)
	}
	for _, r := range f.WebSocket {
		all = append(all, r.Auth)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Remove implements front.
func (d *door) Remove(name string) {
	d.gateway.Remove(name)
	d.sockets.Remove(name)
	d.guard.Forget(name)
}

// Synced implements front.
func (d *door) Synced() { d.gateway.Synced() }

// Serve implements front: it answers requests until ctx ends, and then those that it has begun to answer.
func (d *door) Serve(ctx context.Context) error {
	guarding, end := context.WithCancel(context.WithoutCancel(ctx)) // what is being answered needs the guard
	guarded := make(chan error, 1)
	go func() { guarded <- d.guard.Serve(guarding) }()
	err := d.server.Serve(ctx)
	end()
	if g := <-guarded; !errors.Is(g, context.Canceled) {
		err = errors.Join(err, g)
	}
	return err
}

// guard is access's Guard as the gateway asks it.
type guard struct{ *access.Guard }

// newGuard returns what decides who may use a route. Caller calls authorizers, and JetStream has the keys.
func newGuard(c access.Config, caller protocol.Caller, s *connect.Session, log *slog.Logger) (guard, error) {
	c.Caller, c.JetStream, c.Log = caller, s.JS, log
	g, err := access.New(c)
	return guard{g}, err
}

// Admit implements gateway.Guard.
func (g guard) Admit(ctx context.Context, r *http.Request, w gateway.Want) (string, error) {
	id, err := g.Guard.Admit(ctx, r, access.Want{Auth: w.Auth, Route: w.Route, Rate: w.Rate, Function: w.Function,
		Client: w.Client})
	if err != nil {
		return "", refused{err}
	}
	return id.String(), nil
}

// refused is an error of access that tells the gateway what HTTP says beside its message.
type refused struct{ error }

// Unwrap returns the error.
func (r refused) Unwrap() error { return r.error }

// RetryAfter returns when it makes sense to try again, or 0.
func (r refused) RetryAfter() time.Duration { return access.RetryAfter(r.error) }

// Challenge returns the header WWW-Authenticate, or "".
func (r refused) Challenge() string { return access.Challenge(r.error) }

// serving returns what says why an invoker cannot answer now.
func serving(nc *nats.Conn, v *invoker.Invoker) func() error {
	return func() error {
		if err := connected(nc); err != nil {
			return err
		}
		if state := v.State(); state != invoker.Serving {
			return fmt.Errorf("the invoker does not serve: it is %s", state)
		}
		return nil
	}
}

// connected says why NATS cannot be asked now.
func connected(nc *nats.Conn) error {
	if state := nc.Status(); state != nats.CONNECTED {
		return fmt.Errorf("NATS is not connected: it is %s", state)
	}
	return nil
}
