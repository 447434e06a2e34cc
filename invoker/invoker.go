// Package invoker is the service: a message comes in on a subject, its function runs as a
// process, and the answer goes out.
//
// serve.go is the table of contents: it takes a call along its way, one file a step. receive.go takes the message,
// admit.go finds what to run and says when, run.go runs it, pass.go passes its output on, answer.go replies. invoke.go
// is the other way in, for requests of this process.
//
// Beside the way lie call.go (what a call has with it), version.go and function.go (what is run), follow.go (which
// functions there are), control.go (what the control service needs), discover.go (every function is a NATS service),
// state.go and drain.go (how it begins and ends). The folders below have what can stand alone. The package names
// steps, not engines: what runs a process is a runtimes.Runtime.
package invoker

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/invoker/quarantine"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/slots"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/invoker/upkeep"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Invoker serves functions on NATS. The exported fields are set before Serve and not changed
// afterwards. Any number of invokers on one NATS share the work.
type Invoker struct {
	// Registry has the functions. It must not be nil.
	Registry registry.Registry
	// Runtime runs them. It must not be nil. The invoker closes its programs, not itself.
	Runtime runtimes.Runtime
	// Interpreters has what runs scripts, and Runtime must have it from there. Nil means that only modules can be
	// deployed.
	Interpreters *interpreters.Store
	// Backend opens what manifests grant. Nil means that functions with grants cannot be deployed.
	Backend *backend.Backend
	// Trust says whose functions may be deployed and run. Nil means anybody's.
	Trust *trust.Policy
	// Journal knows which functions have ended the process of an invoker before, and takes note of what runs. The
	// invoker does not close it. Nil means that nobody does.
	Journal *quarantine.Journal
	// JetStream is where large bodies and recent log lines are kept. Nil means that of the server
	// of Serve's connection; another is of a domain or behind an API prefix. It may have a connection of its own, with
	// a user of its own. Then everything goes there that the invoker says of itself (log lines, what is passed on), and
	// Serve's connection only takes messages and answers them.
	JetStream jetstream.JetStream
	// Slots is how many calls may use a processor at a time once they have used up their
	// first slice, and how many of one function in any case. 0 means one less than GOMAXPROCS, at
	// least 1, so that the network is always polled.
	Slots int
	// Drain is how long Serve goes on with what has been accepted after its context has
	// ended. 0 means 30 s.
	Drain time.Duration
	// BodyTTL is how long bodies over max_payload are kept. 0 means an hour.
	BodyTTL time.Duration
	// MaxModule is the size of the largest module that can be deployed, in bytes. 0 means 16 MiB.
	MaxModule int64
	// CheckTrigger is asked about the source of each trigger that is deployed, see control.Service. It may be nil.
	CheckTrigger func(ctx context.Context, t protocol.Trigger) error
	// Durability says what messages outlive on a NATS server of this process, see protocol.MetadataDurability. Empty
	// means that the process has none.
	Durability string
	// Replicas is the number of copies of what the invoker makes on JetStream. 0 means 1.
	Replicas int
	// Verbs are control verbs of what stands beside the invoker, which it answers with its own. There are none by
	// default.
	Verbs map[protocol.APIVerb]protocol.APIHandler
	// Audit keeps each change that a control verb makes. Nil means that nothing is kept.
	Audit control.Audit
	// Queues knows the queues of functions. Nil means that nothing is said of any.
	Queues control.Queues
	// Version is polyvoke's own version, in SemVer, for discovery. Empty means 0.0.0.
	Version string
	// Log takes what operators should know. Nil discards it.
	Log *slog.Logger
	// Observers see every call, in this order.
	Observers []stats.Observer
	// Tracer gives calls their places in traces. Nil means that processes get the trace context of their callers.
	Tracer stats.Tracer
	// Compiling, if not nil, is called before a module is compiled or loaded, and what it returns afterwards.
	Compiling func() (done func())
	// Ready, if not nil, is called once, when every function that the registry had is served
	// or has failed to load.
	Ready func()

	begun     atomic.Bool   // Serve has
	visits    atomic.Uint64 // of Invoke
	life      life
	functions *functions // there from Starting on
}

// Serve answers calls until ctx ends, then drains. It takes no new message, and goes on with what has come in for up to
// Drain. It answers the rest with 503, and returns when nothing runs any more. nc stays open; it should have been made
// with an ErrorHandler, which is not to be set again afterwards. Serve may be called once. An error means that it could
// not begin, or that the connection, or JetStream's, was closed: then nobody can be answered any more, what runs is
// given up, and the error has nats.ErrConnectionClosed in its chain.
func (v *Invoker) Serve(ctx context.Context, nc *nats.Conn) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	svc, giveUp, err := v.begin(ctx, nc)
	if err != nil {
		return err
	}
	defer v.functions.appliers.Wait()
	defer end()
	defer giveUp()
	defer v.life.become(Ending)
	changes, err := v.Registry.Watch(ctx) // before the first deployment: it repairs the store
	if err != nil {
		return err
	}
	control, err := v.serveControl(ctx, svc)
	if err != nil {
		return err
	}
	discovery, err := serveDiscovery(svc, v.functions.served)
	if err != nil {
		return errors.Join(err, control.Stop())
	}
	defer svc.whenClosed(func() { end(); giveUp() })()
	v.functions.follow(changes) // until ctx ends
	v.life.become(Ending)

	err = control.Stop()
	drainAll(v.functions.list(), v.Drain, giveUp)
	discovery.end()
	if svc.streams != nil {
		svc.streams.Close()
	}
	if closed := svc.closed(); closed != nil {
		return closed
	}
	return errors.Join(err, svc.flushOwn(), svc.flushes.roundTrip())
}

// serveControl begins to answer the control verbs.
func (v *Invoker) serveControl(ctx context.Context, s *service) (*control.Endpoints, error) {
	aliases, _ := v.Registry.(registry.Aliases)
	c := &control.Service{Aliases: aliases, Host: host{v.functions, s.loader, v.Journal}, Registry: v.Registry, NC: s.nc, JetStream: s.js,
		Interpreters: v.Interpreters, Bodies: s.bodies, Line: s.line, MaxModule: v.MaxModule, Durability: v.Durability,
		CheckTrigger: v.CheckTrigger, Verbs: v.Verbs, Queues: v.Queues, Audit: v.Audit, Version: v.Version,
		Log: v.Log}
	endpoints, err := c.Serve(ctx)
	if err != nil {
		return nil, err
	}
	return endpoints, s.flushes.roundTrip()
}

// mostCompiling is how many modules may be compiled or loaded at a time. The runtime says how many of them use a
// processor; the others wait for a compiler or a start, and must not keep out those that would not wait.
const mostCompiling = 64

// begin checks the configuration and makes ready what calls need.
func (v *Invoker) begin(ctx context.Context, nc *nats.Conn) (s *service, giveUp context.CancelFunc, err error) {
	if v.Registry == nil || v.Runtime == nil {
		return nil, nil, errors.New("invoker: Registry and Runtime must be set")
	}
	if v.begun.Swap(true) {
		return nil, nil, errors.New("invoker: Serve may be called once")
	}
	v.setDefaults()
	s = &service{nc: nc, js: v.JetStream, slots: slots.New(v.Slots), processing: v.Slots, observers: v.Observers, tracer: v.Tracer,
		version: v.Version, log: v.Log, asked: make(chan *nats.Msg, inboxSize)}
	if s.js == nil {
		if s.js, err = jetstream.New(nc); err != nil {
			return nil, nil, err
		}
	}
	s.own = s.js.Conn()
	s.ctx, giveUp = context.WithCancel(context.WithoutCancel(ctx))
	s.loader = &loader{programs: programs.New(mostCompiling), registry: v.Registry, runtime: v.Journal.Guard(v.Runtime),
		backend: v.Backend, trust: v.Trust, compiling: v.Compiling, ctx: s.ctx}
	v.functions = newFunctions(s, ctx, v.ready)
	s.flushes = &flushes{nc: nc, denials: denials.On(nc, v.functions.denied)}
	if s.line, err = subjects.Line(nc); err != nil {
		v.Log.Warn("the longest line that the NATS server takes is not known", "assumed", s.line, "err", err)
	}
	s.listen(ctx)
	v.keepStores(ctx, s)
	v.life.become(Starting)
	return s, giveUp, nil
}

// ready says that every function that the registry had has been applied.
func (v *Invoker) ready() {
	v.life.become(Serving)
	if v.Ready != nil {
		v.Ready()
	}
}

// setDefaults replaces zero fields by what their comments say.
func (v *Invoker) setDefaults() {
	if v.Slots <= 0 {
		v.Slots = max(1, runtime.GOMAXPROCS(0)-1)
	}
	if v.Drain <= 0 {
		v.Drain = 30 * time.Second
	}
	if v.MaxModule <= 0 {
		v.MaxModule = int64(protocol.DefaultModule)
	}
	if v.Replicas <= 0 {
		v.Replicas = 1
	}
	if v.Version == "" {
		v.Version = "0.0.0"
	}
	if v.Log == nil {
		v.Log = slog.New(slog.DiscardHandler)
	}
}

// keepStores keeps what lives on JetStream besides the registry, until ctx ends: bodies and recent log lines. A
// server without JetStream still serves calls; what is missing then is answered with an error that says so. A denial
// of NATS ends the first look.
func (v *Invoker) keepStores(ctx context.Context, s *service) {
	watch := s.flushes.denials
	if s.own != s.nc {
		watch = denials.On(s.own, nil)
	}
	opening, opened := watch.During(ctx, func(d denials.Denial) bool { return strings.HasPrefix(d.Subject, "$") })
	s.bodies = bodies.New(s.js, bodies.Config{TTL: v.BodyTTL, Replicas: v.Replicas})
	v.functions.appliers.Go(upkeep.Keep(ctx, opening, s.js, v.Log,
		upkeep.Asset{Stream: bodies.Stream, Lost: "bodies over max_payload cannot be carried", Make: s.bodies.Make},
		upkeep.Asset{Stream: protocol.StreamLog, Lost: "recent log lines are not kept",
			Make: func(ctx context.Context) error { return logs.Open(ctx, s.js, v.Replicas) }}))
	_ = opened(nil)
}

// State returns where the invoker is in its life. It may be called at any time and from several goroutines.
func (v *Invoker) State() State { return v.life.now() }

// Functions returns how many functions the registry has, as far as the invoker knows. It may be called while Serve
// runs.
func (v *Invoker) Functions() int {
	if v.State() == Idle {
		return 0
	}
	return len(v.functions.list())
}
