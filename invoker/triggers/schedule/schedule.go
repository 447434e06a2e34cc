// Package schedule runs functions at times.
//
// In go the functions that have triggers with a schedule; out come jobs in their queues, one for each time, however
// many invokers there are and whichever of them ends.
//
// Each schedule is a chain. One message waits in FN_LATER for its next time. The invoker that gets it when it is due
// publishes the job, notes the time in a mark, and lets the next message wait; only then is the message done with. What
// can happen twice has the same id both times: of the job, which is made of its time, and of the message.
//
// schedule.go is told of functions, serve.go begins and ends chains, tick.go is what a chain does when it is due,
// missed.go and overlap.go are the policies, mark.go is the record of the last run.
package schedule

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/schedule"
)

// Kind is the name under which chains wait in FN_LATER, with FUNCTION-SOURCE as id.
const Kind = "_tick"

// Later keeps messages until their time, as *later.Store does.
type Later interface {
	Make(ctx context.Context) error
	Put(ctx context.Context, name, id string, at time.Time, m *nats.Msg) error
	Get(ctx context.Context, name, id string) (later.Waiting, bool, error)
	Cancel(ctx context.Context, name, id string) (found bool, err error)
}

// Config configures a front. All but Log and Now must be set.
type Config struct {
	Store *store.Store     // records and queues
	Later Later            // where chains wait
	Log   *slog.Logger     // nil: nowhere
	Now   func() time.Time // nil: time.Now
	// Made is told of each job that is to be made, and may give it a place in a trace, see triggers.Config. It may be nil.
	Made func(function, id string, h protocol.Header)
}

// Front runs functions at times. Apply, Remove and Synced are called by one goroutine, all else by any.
type Front struct {
	config Config
	js     jetstream.JetStream
	synced chan struct{} // closed when all functions are known that were there
	wake   chan struct{} // says that changed is not empty

	mu      sync.Mutex
	chains  map[string]*chain // those that there should be, by their ids
	changed map[string]bool   // ids of those that may have to begin or end
	marks   jetstream.KeyValue
}

// chain is a trigger of a function.
type chain struct {
	function *protocol.Function
	trigger  protocol.Trigger
	schedule schedule.Schedule
}

// id returns the id of a trigger's chain. Functions' names have - in them too, but sources do not.
func id(name string, t protocol.Trigger) string { return name + "-" + t.SourceID() }

// nameOf returns the function that a chain belongs to.
func nameOf(id string) string { return id[:max(0, strings.LastIndexByte(id, '-'))] }

// New returns a front. Its Tick must be given what is due of Kind, which a later.Mover does.
func New(c Config) *Front {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Front{config: c, js: c.Store.JetStream(), synced: make(chan struct{}), wake: make(chan struct{}, 1),
		chains: map[string]*chain{}, changed: map[string]bool{}}
}

// Apply tells of a function that is new, or that has a new version. A schedule that it had before goes on.
func (f *Front) Apply(fn *protocol.Function) {
	now := map[string]*chain{}
	for _, t := range fn.Triggers {
		if t.Source() != protocol.SourceSchedule {
			continue
		}
		s, err := t.ParseSchedule()
		if err != nil { // its check has let it pass, so this system does not know the zone
			f.config.Log.Error("a schedule does not run here", "function", fn.Name, "schedule", t.Schedule, "err", err)
			continue
		}
		now[id(fn.Name, t)] = &chain{fn, t, s}
	}
	f.change(fn.Name, now)
}

// Remove tells of a function that is gone.
func (f *Front) Remove(name string) { f.change(name, nil) }

// change replaces the chains of a function.
func (f *Front) change(name string, now map[string]*chain) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, c := range f.chains {
		if c.function.Name == name && now[id] == nil {
			delete(f.chains, id)
			f.changed[id] = true
		}
	}
	for id := range now {
		if f.chains[id] == nil {
			f.changed[id] = true
		}
	}
	maps.Copy(f.chains, now)
	f.notify()
}

// notify wakes Serve if there is something to do.
func (f *Front) notify() {
	if len(f.changed) == 0 {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// Synced tells that all functions that were there have been told of.
func (f *Front) Synced() { close(f.synced) }

// chain returns the chain of an id, or nil if no function has it.
func (f *Front) chain(id string) *chain {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chains[id]
}

// queueError says what a queue that does not take a job has said.
func queueError(name string, err error) error {
	return protocol.Errorf(protocol.CodeUnavailable, "run "+name+" by its schedule",
		"its queue does not take the job: %w", err)
}

// errUnknown says that no function has a chain.
var errUnknown = fmt.Errorf("no function has this schedule: %w", later.ErrAgain)
