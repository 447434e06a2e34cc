package invoker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// function is a name that the invoker serves.
type function struct {
	v       *Invoker
	name    string
	id      string // of this instance of the service, for discovery
	started time.Time
	inbox   chan *nats.Msg
	calls   *stats.Endpoint // of fn.NAME

	mu        sync.Mutex
	entry     registry.Entry
	latest    *version // nil before the first version is loaded and after the function has ended
	versions  map[int]*version
	subs      map[subjects.Subject]*nats.Subscription
	denied    []error                    // why subscriptions are not there; of the one of subscribe that is under way
	asking    bool                       // one is
	unsure    bool                       // NATS has denied it something, and did not say what
	triggers  map[string]*stats.Endpoint // by subject
	running   int                        // admitted calls that are not waiting
	onCPU     int                        // of them, those that do not sleep
	queue     []*call
	taken     time.Time     // when a call of the queue could start last
	pace      time.Duration // between two such moments, a moving mean
	fullSince time.Time     // when the queue became full; zero if it has been half empty since
	fullAt    int           // how many waited then
	room      chan struct{} // gets a token when the queue has become shorter
	tasks     int           // goroutines and timers that owe an answer, the receiver included
	idle      chan struct{} // closed when there are none of them any more

	// What follow.go applies.
	wanted    *registry.Change   // the newest change that was not applied yet
	applying  bool               // a goroutine is at it
	poke      chan struct{}      // tells it that there is something newer
	failure   error              // why the last change could not be applied
	failed    *protocol.Function // the version that failure is about
	confirmed registry.Entry     // the entry whose subscriptions the server has confirmed
}

// newFunction makes a function that has no version yet.
func newFunction(v *Invoker, name, id string) *function {
	f := &function{
		v: v, name: name, id: id, started: time.Now().UTC(),
		inbox:    make(chan *nats.Msg, inboxSize),
		calls:    new(stats.Endpoint),
		versions: map[int]*version{},
		subs:     map[subjects.Subject]*nats.Subscription{},
		triggers: map[string]*stats.Endpoint{},
		room:     make(chan struct{}, 1),
		tasks:    1,
		idle:     make(chan struct{}),
		poke:     make(chan struct{}, 1),
	}
	f.receive()
	return f
}

// endpoint returns the figures of a trigger's subject.
func (f *function) endpoint(pattern string) *stats.Endpoint {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.triggers[pattern]; s != nil {
		return s
	}
	return f.calls // the trigger was taken away while its message was on the way
}

// serve makes e what the function is: its latest version is loaded, its subjects are
// subscribed to, and the server has said so.
func (f *function) serve(ctx context.Context, e registry.Entry) error {
	if err := subjects.Fit(e, f.v.line); err != nil {
		return err
	}
	latest := newVersion(e.Latest())
	p, err := f.v.program(ctx, latest.manifest)
	if err != nil {
		return err
	}
	latest.program = p
	f.replace(e, latest)
	if err := f.subscribe(e); err != nil {
		return err
	}
	f.mu.Lock()
	f.confirmed = e
	f.mu.Unlock()
	return nil
}

// replace puts a new entry in place of the old one. Calls that have begun end with the
// version that they began with.
func (f *function) replace(e registry.Entry, latest *version) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.versions
	f.entry, f.latest, f.versions = e, latest, map[int]*version{}
	f.keepTriggers(e)
	for i := range e.Versions {
		m := &e.Versions[i]
		s := old[m.Version]
		switch {
		case m.Version == latest.manifest.Version:
			s = latest
		case s == nil || !s.manifest.Created.Equal(m.Created):
			s = newVersion(m)
		}
		f.versions[m.Version] = s
	}
	for n, s := range old {
		s.retired = f.versions[n] != s
		f.unload(s)
	}
}

// subscribe makes the subscriptions those of the entry: first the new ones, confirmed by a
// round trip, since only then does the next message arrive; then the old ones go.
func (f *function) subscribe(e registry.Entry) error {
	want := map[subjects.Subject]bool{}
	for _, s := range subjects.Of(e) {
		want[s] = true
	}
	for _, name := range f.discoverySubjects() {
		want[subjects.Subject{Name: name}] = true
	}
	var errs []error
	f.mu.Lock()
	f.asking, f.denied = true, nil
	var made []subjects.Subject
	for s := range want {
		if f.subs[s] == nil {
			errs = append(errs, f.listen(s))
			made = append(made, s)
		}
	}
	var gone []*nats.Subscription
	for s, sub := range f.subs {
		if !want[s] {
			gone = append(gone, sub)
			delete(f.subs, s)
		}
	}
	f.mu.Unlock()
	errs = append(errs, f.v.roundTrip())
	errs = append(errs, f.heard(made)...)
	for _, sub := range gone {
		errs = append(errs, sub.Drain())
	}
	return errors.Join(errs...)
}

// heard returns why subscriptions that were just made are not there. If nobody knows which those are, none is.
func (f *function) heard(made []subjects.Subject) []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	why := f.denied
	for _, s := range made {
		if sub := f.subs[s]; sub != nil && f.unsure {
			_ = sub.Unsubscribe() // an error means that the connection is gone
			delete(f.subs, s)
		}
	}
	f.asking, f.denied, f.unsure = false, nil, false
	return why
}

// listen makes one subscription. The caller holds the mutex.
func (f *function) listen(s subjects.Subject) error {
	inbox := f.inbox
	if s.Queue == "" {
		inbox = f.v.discovery.inbox
	}
	sub, err := f.v.nc.ChanQueueSubscribe(s.Name, s.Queue, inbox)
	if err == nil {
		f.subs[s] = sub
	}
	return err
}

// denied takes note of what NATS does not let the invoker do. A subscription that is not there is tried again as a
// deployment that has failed is: at once by the one that is under way, which fails, or else as if the function had
// changed.
func (v *Invoker) denied(d denials.Denial) {
	if !d.Subscription || strings.HasPrefix(d.Subject, micro.APIPrefix+".") {
		return // the ErrorHandler says so; without discovery functions are called all the same
	}
	if strings.HasPrefix(d.Subject, protocol.RootAPI+".") {
		v.Log.Error("this invoker does not answer a control verb", "err", d.Refusal())
	}
	v.mu.Lock()
	all := slices.Collect(maps.Values(v.functions))
	v.mu.Unlock()
	for _, f := range all {
		if again := f.miss(d); again != nil && v.open.Err() == nil {
			v.want(v.open, *again)
		}
	}
}

// miss takes note that a subscription of the function's is not there, and returns the change that makes it again if
// nobody does.
func (f *function) miss(d denials.Denial) *registry.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := subjects.Subject{Name: d.Subject, Queue: d.Queue}
	sub := f.subs[s]
	if sub == nil && (d.Subject != "" || !f.asking) {
		return nil
	}
	if sub != nil {
		_ = sub.Unsubscribe() // an error means that it is gone already
		delete(f.subs, s)
	}
	if f.asking {
		f.denied = append(f.denied, d.Refusal())
		f.unsure = f.unsure || d.Subject == ""
		return nil
	}
	return &registry.Change{Name: f.name, Entry: f.entry}
}

// keepTriggers makes the figures of triggers those of the entry; what a trigger has counted
// stays. The caller holds the mutex.
func (f *function) keepTriggers(e registry.Entry) {
	old := f.triggers
	f.triggers = map[string]*stats.Endpoint{}
	for _, t := range e.Latest().Triggers {
		s := old[t.Subject]
		if s == nil {
			s = new(stats.Endpoint)
		}
		f.triggers[t.Subject] = s
	}
}

// end takes no new message, answers what has come in, and gives everything back. The
// round trip makes sure that the server sends no more; the nil behind it is the inbox's last.
func (f *function) end() {
	f.mu.Lock()
	for _, sub := range f.subs {
		_ = sub.Drain() // an error means that the connection is gone, and with it the callers
	}
	clear(f.subs)
	f.mu.Unlock()
	_ = f.v.roundTrip()
	f.inbox <- nil
	<-f.idle
	_ = f.v.flushOwn() // so that what was passed on reaches the next before it ends

	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest, f.confirmed = nil, registry.Entry{}
	for _, s := range f.versions {
		s.retired = true
		f.unload(s)
	}
	clear(f.versions)
}

// enter counts a task, unless the function has ended.
func (f *function) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tasks == 0 {
		return false
	}
	f.tasks++
	return true
}

// exit ends a task.
func (f *function) exit() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exitLocked()
}

// exitLocked ends a task. The caller holds the mutex.
func (f *function) exitLocked() {
	if f.tasks--; f.tasks == 0 {
		close(f.idle)
	}
}
