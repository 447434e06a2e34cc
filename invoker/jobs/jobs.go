// Package jobs runs durable calls: in goes a message of a function's queue, out comes one outcome.
//
// serve.go takes a job along its way, one file a step: consume.go has the messages sent, begin.go finds out whether
// the job is to run, attempt.go runs it, verdict.go says what the reply means, settle.go decides. Beside the way lie
// queue.go and pace.go (the queue of one function, and how much it may have in hand), alone.go (jobs that may have
// ended a process), tick.go (what happens with time), drain.go (the end). Package store has what all of it is kept in.
//
// # Promises
//
// Each job that was accepted gets one outcome: the record that is created once. What follows from it is done before the
// job leaves its queue, and can be done again. A job whose process, invoker or connection ends is delivered again.
package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/upkeep"
	"github.com/polyvoke/polyvoke/protocol"
)

// Later keeps messages until their time has come.
type Later interface {
	// Make makes the stream in which messages wait, where it is missing.
	Make(ctx context.Context) error
	// Put keeps m, and publishes it on m.Subject at a time. It replaces what waits for the same function and id.
	Put(ctx context.Context, name, id string, at time.Time, m *nats.Msg) error
}

// Config configures a Front. JetStream, Caller and Later must be set.
type Config struct {
	JetStream jetstream.JetStream
	Caller    protocol.Caller // runs the attempts
	Later     Later           // keeps jobs that wait for their time, or for their next attempt
	Recorder  Recorder        // keeps recordings of attempts; nil: none are made
	Observer  Observer        // sees what becomes of jobs; nil: nobody does
	Invoker   string          // what this invoker is called where attempts are described
	Replicas  int             // of what is made on JetStream; 0: 1
	Drain     time.Duration   // how long what runs goes on after the end of the context; 0: 30 s
	Log       *slog.Logger    // nil discards
}

// Front runs the jobs of all functions on one invoker. Any number of invokers share the work.
type Front struct {
	config Config
	log    *slog.Logger
	nc     *nats.Conn
	store  *store.Store
	bodies *bodies.Store // of jobs that wait, dead letters and outcomes
	sent   *bodies.Store // of callers
	api    string        // what the subjects of JetStream's API begin with

	changed chan struct{} // gets a token when one of the next has changed
	mu      sync.Mutex
	wanted  map[string]*protocol.Function // all functions
	opened  map[lane]bool                 // those that exist, or did when that was looked at last
	synced  bool                          // wanted is whole
	queues  map[lane]*queue

	serving context.Context // ends when no job is to begin any more
	giveUp  context.CancelFunc
	working context.Context // of what runs
	settler *settler        // there from the first queue on
	gate    gate
	keeping sync.WaitGroup
	tasks   chan task     // for goroutines that are idle
	idle    atomic.Int32  // of those
	lonely  chan struct{} // taken by the one job that is alone, or is to be
	marks   cancelled
	subs    []*nats.Subscription
	after   func(step string) // of tests: called when a step is done
}

// New returns a front. Its methods may be called from several goroutines; Serve may be called once.
func New(c Config) *Front {
	c.Drain = cmp.Or(c.Drain, 30*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Front{config: c, log: c.Log, nc: c.JetStream.Conn(), changed: make(chan struct{}, 1),
		store: store.New(c.JetStream, store.Config{Replicas: c.Replicas, Log: c.Log}),
		bodies: bodies.New(c.JetStream, bodies.Config{Bucket: protocol.BucketJobs, Replicas: c.Replicas,
			TTL: time.Duration(protocol.MaxJobAge) + time.Duration(protocol.MaxUnique), Expire: true}),
		sent:   bodies.New(c.JetStream, bodies.Config{Replicas: c.Replicas}),
		wanted: map[string]*protocol.Function{}, opened: map[lane]bool{}, queues: map[lane]*queue{},
		api: objects.APIPrefix(c.JetStream), lonely: make(chan struct{}, 1), tasks: make(chan task), after: func(string) {}}
}

// Apply tells of a function that is new or has a new version, the latest of which it gets. f is not changed afterwards.
func (f *Front) Apply(fn *protocol.Function) { f.change(func() { f.wanted[fn.Name] = fn }) }

// Remove tells of a function that is gone.
func (f *Front) Remove(name string) { f.change(func() { delete(f.wanted, name) }) }

// Synced tells that all functions that were there have been told of.
func (f *Front) Synced() { f.change(func() { f.synced = true }) }

// Open runs the jobs of a function that has a queue though its manifest does not ask for one.
func (f *Front) Open(name string) { f.change(func() { f.opened[lane{name: name}] = true }) }

// change changes what is known of functions.
func (f *Front) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	f.wake()
}

// wake has what is known of functions looked at.
func (f *Front) wake() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// discovery is how often queues are looked for that nobody has told of.
const discovery = 15 * time.Second

// Serve runs jobs until ctx ends, and returns when all that it has begun has ended, or been given back. Nothing is
// made on JetStream until a function has a queue.
func (f *Front) Serve(ctx context.Context) error {
	if f.config.Caller == nil || f.config.Later == nil {
		return errors.New("jobs: Caller and Later must be set")
	}
	f.serving = ctx
	f.working, f.giveUp = context.WithCancel(context.WithoutCancel(ctx))
	defer f.keeping.Wait()
	defer f.giveUp()
	back := f.nc.StatusChanged(nats.CONNECTED)
	defer f.nc.RemoveStatusListener(back)
	look := time.NewTicker(discovery)
	defer look.Stop()
	f.discover()
	missed, patience := 0, 0 // what fails is not tried as often
	for {
		f.reconcile()
		select {
		case <-ctx.Done():
			f.drain()
			return nil
		case <-f.changed:
		case <-look.C:
			if patience--; patience > 0 {
				continue
			}
			if f.discover() {
				missed = 0
			} else {
				missed = min(2*missed+1, 40)
			}
			patience = missed
		case <-back:
			f.askAgain()
			f.lookAtTurns()
			f.discover()
		}
	}
}

// lookAtTurns has the lines of keys looked at, since the server may have been killed.
func (f *Front) lookAtTurns() {
	for _, q := range f.all() {
		if q.kind == ofTurns {
			q.look()
		}
	}
}

// discover looks which functions have a queue, and reports whether that was possible.
func (f *Front) discover() bool {
	ctx, cancel := context.WithTimeout(f.serving, roundTrip)
	defer cancel()
	names, err := f.store.Queues(ctx)
	if err != nil {
		f.log.Debug("queues cannot be listed now", "err", err)
		return false
	}
	lines, ranked, err := f.store.TurnFunctions(ctx)
	if err != nil {
		f.log.Debug("lines cannot be listed now", "err", err)
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		f.opened[lane{name: name}] = true
	}
	for _, name := range lines {
		f.opened[lane{name: name, kind: ofTurns}] = true
	}
	for _, name := range ranked {
		for _, l := range rankLanes(name) {
			f.opened[l] = true
		}
	}
	return true
}

// roundTrip is how long an answer of JetStream may take.
const roundTrip = 5 * time.Second

// reconcile sees to it that each function that has a queue is served, and what is left of functions that are gone.
func (f *Front) reconcile() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, fn := range f.wanted {
		jobs, turns := lane{name: name}, lane{name: name, kind: ofTurns}
		if fn.Job != nil || f.opened[jobs] || slices.ContainsFunc(fn.Triggers, protocol.Trigger.Durable) {
			f.serve(jobs, fn)
		}
		if fn.Job != nil && fn.Job.Key != "" || f.opened[turns] {
			f.serve(turns, fn)
		}
		f.serveRanks(name, fn)
	}
	for l := range f.opened {
		if f.synced && f.wanted[l.name] == nil {
			f.serve(l, nil)
			f.serveRanks(l.name, nil)
		}
	}
	for l, q := range f.queues {
		if f.wanted[l.name] == nil && f.synced {
			q.configure(nil)
		}
		if q.ended.Load() {
			delete(f.queues, l)
			delete(f.opened, l)
		}
	}
}

// of returns the queues of a function that are served.
func (f *Front) of(name string) (all []*queue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range lanes(name) {
		if q := f.queues[l]; q != nil {
			all = append(all, q)
		}
	}
	return all
}

// serve begins to serve a queue, or tells it of a new version. fn is nil for what a function has left behind. The
// caller holds the mutex.
func (f *Front) serve(l lane, fn *protocol.Function) {
	if q := f.queues[l]; q != nil {
		q.configure(fn)
		return
	}
	if f.settler == nil && !f.open() {
		return
	}
	s, isNew := f.shareOf(l)
	q := newQueue(f, l, s)
	q.configure(fn)
	f.queues[l] = q
	f.keeping.Go(q.run)
	if isNew {
		f.keeping.Go(func() { s.keep(f, l.name) })
	}
}

// open makes what all queues need. It is called when the first one is to be served.
func (f *Front) open() bool {
	s, err := newSettler(f)
	if err != nil {
		f.log.Error("jobs cannot be run", "err", err)
		return false
	}
	f.settler = s
	opening, cancel := context.WithTimeout(f.serving, roundTrip)
	defer cancel()
	f.keeping.Go(upkeep.Keep(f.working, opening, f.config.JetStream, f.log, append(f.store.Assets(), upkeep.Asset{
		Stream: "OBJ_" + protocol.BucketJobs, Lost: "jobs with large bodies wait", Make: f.bodies.Make})...))
	f.keeping.Go(f.makeLater)
	f.keeping.Go(f.watchMarks)
	f.keeping.Go(f.tick)
	for _, consumer := range []string{store.Consumer, "high", "normal", "low"} {
		f.watchLeaders(consumer)
	}
	return true
}

// makeLater has this invoker move messages whose time has come, too. Whoever puts one makes the stream as well.
func (f *Front) makeLater() {
	for warned := false; ; warned = true {
		ctx, cancel := context.WithTimeout(f.working, roundTrip)
		err := f.config.Later.Make(ctx)
		cancel()
		if err == nil {
			return
		}
		if !warned {
			f.log.Warn("jobs that are to begin later, or to be tried again, wait", "err", err)
		}
		timer := time.NewTimer(longestInsisting)
		select {
		case <-f.serving.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// all returns the queues that are served.
func (f *Front) all() []*queue {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*queue, 0, len(f.queues))
	for _, q := range f.queues {
		all = append(all, q)
	}
	return all
}
