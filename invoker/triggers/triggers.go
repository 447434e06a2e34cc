// Package triggers turns what happens elsewhere into jobs: in go messages of streams, changed keys and objects, out
// come messages in the queues of functions.
//
// front.go knows which functions want what, and worker.go sees to one trigger of one function: source.go makes its
// durable consumer, single.go, batch.go and ordered.go take its events, event.go says what job an event is. forget.go
// removes what triggers leave behind. check.go is for those who deploy, lag.go for those who look.
//
// # Promises
//
// An event is acknowledged when the queue has its job. Until then JetStream delivers it again, and it becomes the same
// job again: its id is made of its place in its stream. A trigger goes on where it was, whoever works for it, until
// the function has it no more. What becomes of jobs is package jobs' part.
package triggers

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// Config configures a Front. JetStream must be set.
type Config struct {
	JetStream jetstream.JetStream
	// Bodies keeps the bodies of events that are too large for the message of a job, in protocol.BucketJobs; nil: made.
	Bodies *bodies.Store
	// Known reports whether a function exists that the front was not told of, since this invoker cannot serve it. Nil
	// means that it may: then nothing is removed that belongs to such a function.
	Known    func(ctx context.Context, name string) (bool, error)
	Replicas int           // of buckets that are made; 0: 1
	Grace    time.Duration // how long a trigger must be gone before its position is removed; 0: 30 s
	AckWait  time.Duration // how long JetStream waits for a word about an event; 0: 30 s
	Log      *slog.Logger  // nil discards
	// Made is told of each job that is to be made of events, and may give it another place in a trace: it sets the trace
	// context of the headers. It must not wait. Nil means that a job has that of its event.
	Made func(function, id string, h protocol.Header)
}

// Front works for the triggers of all functions on one invoker. Any number of invokers share the work.
type Front struct {
	config Config
	js     jetstream.JetStream // with a limit for what is published without waiting
	store  *store.Store
	log    *slog.Logger

	changed chan struct{} // gets a token when one of the next has changed
	mu      sync.Mutex
	wanted  map[string]*protocol.Function // functions by name
	gone    map[string]bool               // functions that were removed
	synced  bool                          // wanted is whole

	workers map[key]*worker   // of Serve's goroutine
	since   map[key]time.Time // when a trigger that left a mark was found to be gone
	working sync.WaitGroup
	after   func(step string) // of tests: called when a step is done
}

// key names a trigger of a function.
type key struct{ function, source string }

// answerLimit is how long the acknowledgement of a job's message may take.
const answerLimit = 10 * time.Second

// ackLimit is how long the answer to an acknowledgement may take.
const ackLimit = 5 * time.Second

// ackWait is how long JetStream waits for a word about an event.
const ackWait = 30 * time.Second

// New returns a front. Its methods may be called from several goroutines; Serve may be called once.
func New(c Config) *Front {
	c.Grace, c.AckWait = cmp.Or(c.Grace, 30*time.Second), cmp.Or(c.AckWait, ackWait)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Bodies == nil {
		c.Bodies = bodies.New(c.JetStream, bodies.Config{Bucket: protocol.BucketJobs, Replicas: c.Replicas,
			TTL: time.Duration(protocol.MaxJobAge) + time.Duration(protocol.MaxUnique)})
	}
	return &Front{config: c, js: limited(c.JetStream), log: c.Log, store: store.New(c.JetStream, store.Config{Replicas: c.Replicas}),
		changed: make(chan struct{}, 1), wanted: map[string]*protocol.Function{}, gone: map[string]bool{},
		workers: map[key]*worker{}, since: map[key]time.Time{}, after: func(string) {}}
}

// limited returns js with a limit for what is published without waiting: an answer that is lost never comes.
func limited(js jetstream.JetStream) jetstream.JetStream {
	o, limit := js.Options(), jetstream.WithPublishAsyncTimeout(answerLimit)
	most := jetstream.WithPublishAsyncMaxPending(1 << 16) // of all triggers; unanswered bounds each
	var err error
	same := js
	switch {
	case o.Domain != "":
		same, err = jetstream.NewWithDomain(js.Conn(), o.Domain, limit, most)
	case o.APIPrefix != "":
		same, err = jetstream.NewWithAPIPrefix(js.Conn(), o.APIPrefix, limit, most)
	default:
		same, err = jetstream.New(js.Conn(), limit, most)
	}
	if err != nil { // js was made with the same options
		return js
	}
	return same
}

// Apply tells of a function that is new or has a new version, the latest of which it gets. fn is not changed
// afterwards.
func (f *Front) Apply(fn *protocol.Function) {
	f.change(func() {
		f.wanted[fn.Name] = fn
		delete(f.gone, fn.Name)
	})
}

// Remove tells of a function that is gone.
func (f *Front) Remove(name string) {
	f.change(func() {
		delete(f.wanted, name)
		f.gone[name] = true
	})
}

// Synced tells that all functions that were there have been told of.
func (f *Front) Synced() { f.change(func() { f.synced = true }) }

// change changes what is known of functions.
func (f *Front) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// Serve takes events until ctx ends, and returns when all that it has taken has become a job, or been given back.
// Nothing is made on JetStream until a function has a trigger of this package's.
func (f *Front) Serve(ctx context.Context) error {
	defer f.working.Wait()
	back := f.js.Conn().StatusChanged(nats.CONNECTED)
	defer f.js.Conn().RemoveStatusListener(back)
	forget := time.NewTicker(f.config.Grace)
	defer forget.Stop()
	for {
		f.reconcile(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-f.changed:
		case <-forget.C:
			f.forget(ctx)
		case <-back:
			f.wake()
		}
	}
}

// wake has triggers look again for what was not there.
func (f *Front) wake() {
	for _, w := range f.workers {
		select {
		case w.back <- struct{}{}:
		default:
		}
	}
}

// reconcile sees to it that each trigger has a worker, and none that is gone.
func (f *Front) reconcile(ctx context.Context) {
	wanted := f.triggers()
	for k, w := range f.workers {
		if t, ok := wanted[k]; !ok || t != w.trigger {
			w.stop() // before its successor works, all that it has in hand has gone one way or the other
			delete(f.workers, k)
		}
	}
	for k, t := range wanted {
		if f.workers[k] == nil && ctx.Err() == nil {
			f.workers[k] = f.begin(ctx, k, t)
		}
	}
}

// triggers returns the triggers that are this package's part.
func (f *Front) triggers() map[key]protocol.Trigger {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[key]protocol.Trigger{}
	for name, fn := range f.wanted {
		for _, t := range fn.Triggers {
			if stream, _ := t.SourceStream(); stream != "" {
				all[key{name, t.SourceID()}] = t
			}
		}
	}
	return all
}
