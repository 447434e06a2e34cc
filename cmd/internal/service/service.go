// Package service is polyvoke at work: functions served on a connection to NATS, in a sandbox whose modules are
// compiled by children.
package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/audit"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
	"github.com/polyvoke/polyvoke/invoker/backend/standard"
	"github.com/polyvoke/polyvoke/invoker/backend/web"
	stored "github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/quarantine"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/triggers"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config says how functions are served.
type Config struct {
	Version    string           // polyvoke's own
	Own        *connect.Session // of a user for JetStream and all that is no answer; nil: that of the answers
	Cache      string           // folder for compiled modules; empty: the one that CacheDir gives
	Slots      int              // calls that may use a processor at a time; 0: processors less one, at least 1
	Replicas   int              // copies of each function that a NATS cluster keeps; 0: 1
	Durability string           // see invoker.Invoker; empty: the NATS server is none of ours
	Drain      time.Duration    // how long calls may go on after the end of the context; 0: the invoker's default
	IdleMemory int64            // bytes that waiting processes may take; 0: the sandbox's default
	Limits     Limits           // of the compilation of one module
	Telemetry  *Telemetry       // tells what is done; nil: nobody is told
	Compiling  func() func()    // see invoker.Invoker; may be nil
	HTTP       HTTP             // how functions are reached by HTTP; the zero value: not at all
	Secrets    secrets.Source   // that functions can be granted; nil: none
	Keys       *sealed.Keys     // that open sealed secrets; nil: there are none
	Trust      *trust.Policy    // whose functions are deployed and run; nil: anybody's
	Audit      string           // AuditOn, AuditRequired or AuditOff; empty: off
	Private    []netip.Prefix   // addresses that functions may ask by HTTP although they are none of the internet
	Log        *slog.Logger     // must not be nil
}

// What is done about the audit of changes.
const (
	AuditOn       = "on"       // an entry that cannot be stored is logged
	AuditRequired = "required" // without an entry nothing is changed
	AuditOff      = "off"      // there is none
)

// Audits returns the Audit constants, the default of a service first.
func Audits() []string { return []string{AuditOn, AuditRequired, AuditOff} }

// Serve serves functions on a connection until ctx ends and everything has been answered. ready is called when calls
// are taken, with how many functions there are. If NATS closes the connection for good the error's code is 503.
func Serve(ctx context.Context, s *connect.Session, c Config, ready func(functions int)) error {
	own := cmp.Or(c.Own, s)
	endCounting, err := c.count()
	if err != nil {
		return err
	}
	defer endCounting()
	opening, cancel := s.Within(ctx)
	defer cancel()
	copies := copiesFolder(c.Cache)
	reg, err := open(opening, own, registry.Config{Replicas: c.Replicas, Log: c.Log, Copies: copies})
	if err != nil {
		return fmt.Errorf("functions on %s: %w", s.URL, err)
	}
	languages, err := open(opening, own, registry.Config{Replicas: c.Replicas, Log: c.Log, Copies: copies, Runtimes: true})
	if err != nil {
		return fmt.Errorf("runtimes on %s: %w", s.URL, err)
	}
	endKeeping, err := keep(ctx, languages, c.Log)
	if err != nil {
		return fmt.Errorf("runtimes on %s: %w", s.URL, err)
	}
	defer endKeeping()
	store := &stored.Store{Registry: languages, Describe: interpreters.Describe}
	rt, end, err := layers(ctx, c, store)
	if err != nil {
		return err
	}
	defer end()
	running := openJournal(ctx, c.Cache, c.Log)
	defer running.Close()
	v := invoker.Invoker{
		Registry: reg, Runtime: rt, Interpreters: store, JetStream: own.JS, Journal: running, Trust: c.Trust,
		Slots: c.Slots, Drain: c.Drain, Replicas: c.Replicas, Durability: c.Durability,
		Compiling: c.Compiling, MaxModule: c.Limits.module(), Version: c.Version, Log: c.Log,
	}
	box, err := c.openSecrets(opening, own)
	if err != nil {
		return err
	}
	defer box.end()
	granted, endGranting := standard.New(standard.Config{JetStream: own.JS, Conn: own.Conn, Caller: near{&v, s.Client},
		Replicas: c.Replicas, Secrets: secrets.Join(c.Secrets, box.source), Guard: web.Guard{Allow: c.Private},
		Version: c.Version, Log: c.Log})
	defer endGranting()
	v.Backend = granted
	if c.Audit == AuditOn || c.Audit == AuditRequired {
		v.Audit = audit.New(own.JS, audit.Config{Replicas: c.Replicas, Required: c.Audit == AuditRequired, Log: c.Log})
	}
	beside, err := surround(&v, s, own, c, ready)
	if err != nil {
		return err
	}
	addVerbs(&v, box.verbs)
	err = serveWith(ctx, s.Conn, &v, beside)
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return protocol.Errorf(protocol.CodeUnavailable, "",
			"NATS on %s has closed the connection for good, so nothing can be served: %w; start it again once that is fixed",
			s.URL, err)
	case err != nil && !errors.Is(err, context.Canceled):
		return err
	}
	c.Log.Info("drained")
	return nil
}

// surround puts what stands beside an invoker around it: durable calls, triggers, HTTP, and whoever counts. It returns
// the fronts among them.
func surround(
	v *invoker.Invoker, s, own *connect.Session, c Config, ready func(functions int),
) (beside fronts, err error) {
	reg := v.Registry
	d := newDurable(own.JS, reg, v, c)
	v.CheckTrigger = func(ctx context.Context, t protocol.Trigger) error { return triggers.Check(ctx, own.JS, t) }
	v.Verbs, v.Queues = d.control.Verbs(), d.control
	c.Telemetry.observe(v, s.Conn.IsConnected, d.control)
	addVerbs(v, recordingVerbs(d.records, own.JS, reg, v.Interpreters, c))
	door, err := openDoor(c, inside{near{v, s.Client}, own, serving(s.Conn, v), v})
	if err != nil {
		return fronts{}, err
	}
	beside = fronts{append(d.fronts(), c.Telemetry.fronts()...), door, make(chan struct{}), c.Log}
	names, _ := reg.(registry.Aliases) // JetStream's keeps them
	v.Registry = overheard{reg, names, beside.tell}
	v.Ready = func() {
		ready(v.Functions())
		close(beside.ready)
	}
	return beside, nil
}

// serveWith serves functions until ctx ends, and the fronts of the invoker, which end first: what they have begun still
// needs it.
func serveWith(ctx context.Context, nc *nats.Conn, v *invoker.Invoker, f fronts) error {
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer end()
		f.serve(ctx)
	}()
	err := v.Serve(serving, nc)
	stop() // the invoker may have ended by itself
	<-ended
	return err
}

// open opens a registry. What NATS does not permit is an error at once.
func open(ctx context.Context, s *connect.Session, config registry.Config) (*registry.JetStream, error) {
	asking, permitted := s.Permitted(ctx, "")
	r, err := registry.Open(asking, s.JS, config)
	return r, permitted(err)
}

// copiesFolder returns where copies of modules are kept, beside the compiled ones, or "" for nowhere.
func copiesFolder(cache string) string {
	dir := CacheDir(cache)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "sources")
}

// keep watches the interpreters, so that damaged ones are reported and lost ones put back, until ctx or what it
// returns ends that.
func keep(ctx context.Context, languages registry.Registry, log *slog.Logger) (end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	changes, err := languages.Watch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ch := range changes {
			if ch.Err != nil {
				log.Error("runtime damaged in the store", "runtime", ch.Name, "err", ch.Err)
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}

// While serves functions on a connection while do runs, and until all has been answered.
func While(
	ctx context.Context, s *connect.Session, c Config, do func(context.Context, *connect.Session) error,
) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		served <- Serve(ctx, s, c, func(int) { close(ready) })
		cancel() // what is done needs the service
	}()
	defer func() {
		cancel()
		if end := <-served; end != nil && errors.Is(err, context.Canceled) {
			err = end // that is what has interrupted it
		} else {
			err = errors.Join(err, end)
		}
	}()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		if err == nil {
			err = ctx.Err()
		}
		return err
	}
	return do(ctx, s)
}

// openJournal opens the journal of what runs, beside the compiled modules. Functions run without one too.
func openJournal(ctx context.Context, cache string, log *slog.Logger) *quarantine.Journal {
	dir := CacheDir(cache)
	if dir == "" {
		return nil
	}
	j, err := quarantine.Open(ctx, filepath.Join(dir, "running"), log)
	if err != nil {
		log.Warn("a function that ended this process will be tried again", "err", err)
	}
	return j
}
