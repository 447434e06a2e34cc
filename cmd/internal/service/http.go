package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/console"
	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/cmd/internal/frontdoor"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
	"github.com/polyvoke/polyvoke/protocol"
)

// HTTP says how functions are reached by HTTP. Without Server.Addr they are not.
type HTTP struct {
	Server       frontdoor.Config // what answers there, Ready and Log are set here
	Access       access.Config    // JetStream, Caller and Log are set here
	ShowStderr   bool             // see gateway.Config
	AccessLog    bool             // a line of the log for each answer
	NoConsole    bool             // there is no console
	ConsoleToken string           // see console.Config; empty: the console is for this machine only
	Open         func(url string) // called when the server listens, with where; may be nil
}

// door is a gateway and the server in front of it: a front whose requests come by HTTP.
type door struct {
	gateway *gateway.Gateway
	guard   *access.Guard
	sockets *websocket.Hub
	console *console.Console // nil for none
	server  *frontdoor.Server
	log     *slog.Logger
	ending  context.CancelFunc // ends what goes on beside requests
}

var _ front = (*door)(nil)

// inside is what a door needs of its process.
type inside struct {
	caller protocol.Caller // runs the functions
	own    *connect.Session
	ready  func() error     // says why requests cannot be answered now
	home   *invoker.Invoker // of this process; nil for none
}

// openDoor begins to listen. It returns nil if there is to be no HTTP.
func openDoor(c Config, in inside) (*door, error) {
	h := c.HTTP
	if h.Server.Addr == "" {
		return nil, nil
	}
	d := &door{log: c.Log}
	var err error
	if d.guard, err = newGuard(h.Access, in, c.Log); err != nil {
		return nil, err
	}
	d.sockets = websocket.New(websocket.Config{Caller: in.caller, Conn: in.own.Conn, Observer: c.Telemetry.Sockets(),
		Log: c.Log})
	d.gateway = gateway.New(d.gatewayConfig(c, in))
	if err := d.openConsole(c, in); err != nil {
		return nil, err
	}
	if d.server, err = frontdoor.Open(d.serverConfig(c, in.ready)); err != nil {
		return nil, err
	}
	if h.Open != nil {
		h.Open(d.server.URL())
	}
	return d, nil
}

// gatewayConfig says how the gateway answers.
func (d *door) gatewayConfig(c Config, in inside) gateway.Config {
	g := gateway.Config{Caller: in.caller, Jobs: in.own.Client, Guard: d.guard, Sockets: d.sockets,
		ShowStderr: c.HTTP.ShowStderr, Peer: frontdoor.Peer, Observers: c.Telemetry.HTTP(), Log: c.Log}
	if c.HTTP.AccessLog {
		g.Observers = append(g.Observers, frontdoor.AccessLog(c.Log))
	}
	return g
}

// count has counted what is done, for /metrics, if there is HTTP and nobody counts yet.
func (c *Config) count() (end func(), err error) {
	if c.HTTP.Server.Addr == "" || c.Telemetry != nil {
		return func() {}, nil
	}
	c.Telemetry, err = OpenTelemetry(TelemetryConfig{Count: true, Version: c.Version, Log: c.Log})
	return c.Telemetry.Close, err
}

// openConsole makes the console, unless there is to be none, which sees the calls of this process.
func (d *door) openConsole(c Config, in inside) error {
	if c.HTTP.NoConsole {
		return nil
	}
	k := console.Config{Client: in.own.Client, Gateway: d.gateway, Connections: connections{d.sockets},
		Token: c.HTTP.ConsoleToken, Version: c.Version, Log: c.Log,
		Hosts: append(slices.Clip(c.HTTP.Server.Hosts), c.HTTP.Server.TLS.ACME.Domains...)}
	if in.home != nil {
		k.Calls = new(recent.Calls)
		in.home.Observers = append(in.home.Observers, k.Calls)
	}
	var err error
	d.console, err = console.New(k)
	return err
}

// serverConfig says how the server listens, and what answers there.
func (d *door) serverConfig(c Config, ready func() error) frontdoor.Config {
	s := c.HTTP.Server
	s.Handler, s.Ready, s.Drain, s.Log = d.gateway, ready, cmp.Or(s.Drain, c.Drain), c.Log
	s.Metrics = c.Telemetry.Handler()
	if d.console != nil {
		s.Console = d.console
	}
	s.OpenAPI = &frontdoor.API{Version: c.Version, Auth: c.HTTP.Access.Default, Functions: d.gateway.Functions}
	s.Ending = func(ctx context.Context) {
		d.ending() // streams of the console's events last for ever
		if err := d.sockets.Drain(ctx); err != nil {
			c.Log.Warn("WebSockets were cut off", "err", err)
		}
	}
	return s
}

// connections are those of a hub, as the console lists them.
type connections struct{ *websocket.Hub }

// maxListed is how many connections are looked through.
const maxListed = 10_000

// List implements console.Connections.
func (c connections) List(after string, n int) (some []console.Connection, all int) {
	found := c.Connections(maxListed)
	slices.SortFunc(found, func(a, b websocket.Connection) int { return cmp.Compare(a.ID, b.ID) })
	for _, f := range found {
		if f.ID > after && len(some) < n {
			some = append(some, console.Connection{ID: f.ID, Function: f.Function.String(), Route: f.Route, Client: f.Client,
				Opened: f.Since, Waiting: f.Waiting, Topics: f.Topics})
		}
	}
	return some, c.Stats().Open
}

// Apply implements front.
func (d *door) Apply(f *protocol.Function) { d.gateway.Apply(f) }

// Remove implements front.
func (d *door) Remove(name string) {
	d.gateway.Remove(name)
	d.sockets.Remove(name)
}

// Synced implements front.
func (d *door) Synced() { d.gateway.Synced() }

// Serve implements front: it answers requests until ctx ends, and then those that it has begun to answer.
func (d *door) Serve(ctx context.Context) error {
	beside, end := context.WithCancel(context.WithoutCancel(ctx)) // what is being answered needs the guard
	watching, ending := context.WithCancel(beside)
	defer ending()
	d.ending = ending
	var running sync.WaitGroup
	defer running.Wait()
	run := func(ctx context.Context, what string, serve func(context.Context) error) {
		running.Go(func() {
			if err := serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
				d.log.Error(what+" has ended; HTTP goes on", "err", err)
			}
		})
	}
	run(beside, "what decides who may use routes", d.guard.Serve)
	if d.server.HasFiles() {
		run(watching, "reading the certificate on SIGHUP", d.followSignal)
	}
	if d.console != nil {
		run(watching, "the console", d.console.Serve)
	}
	defer end() // before Wait
	return d.server.Serve(ctx)
}

// followSignal reads the certificate's files again whenever the process is told to, until ctx ends.
func (d *door) followSignal(ctx context.Context) error {
	told, stop := hangups()
	defer stop()
	for {
		select {
		case <-told:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := d.server.Reload(); err != nil {
			d.log.Error("the certificate cannot be used; the one before stays", "err", err)
		} else {
			d.log.Info("the certificate has been read again")
		}
	}
}

// newGuard returns what decides who may use a route.
func newGuard(c access.Config, in inside, log *slog.Logger) (*access.Guard, error) {
	c.Caller, c.JetStream, c.Log = in.caller, in.own.JS, log // to call authorizers, and where the keys are
	g, err := access.New(c)
	if err != nil {
		return nil, &frontdoor.Setting{Name: "http-auth", Err: err}
	}
	return g, nil
}

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
