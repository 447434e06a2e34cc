package invoker

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/queue"
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
	queue   *queue.Queue[*call]
	tasks   *tasks
	subs    subscriptions

	mu       sync.Mutex
	entry    registry.Entry
	latest   *version // nil before the first version is loaded and after the function has ended
	versions map[int]*version
	triggers map[string]*stats.Endpoint // by subject

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
		triggers: map[string]*stats.Endpoint{},
		queue:    queue.New((*call).dismiss),
		tasks:    newTasks(),
		poke:     make(chan struct{}, 1),
	}
	f.subs.make = f.listen
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
	if err := f.subs.become(f.subjects(e), f.v.roundTrip); err != nil {
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
	f.queue.SetLimits(queue.Limits{Running: latest.limits.Concurrency, Processing: f.v.Slots, Waiting: latest.limits.Queue})
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

// subjects returns what a function with this entry listens to.
func (f *function) subjects(e registry.Entry) map[subjects.Subject]bool {
	want := map[subjects.Subject]bool{}
	for _, s := range subjects.Of(e) {
		want[s] = true
	}
	for _, name := range f.discoverySubjects() {
		want[subjects.Subject{Name: name}] = true
	}
	return want
}

// listen makes one subscription.
func (f *function) listen(s subjects.Subject) (*nats.Subscription, error) {
	inbox := f.inbox
	if s.Queue == "" {
		inbox = f.v.discovery.inbox
	}
	return f.v.nc.ChanQueueSubscribe(s.Name, s.Queue, inbox)
}

// served returns what the function is now.
func (f *function) served() registry.Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.entry
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
	f.subs.drain()
	_ = f.v.roundTrip()
	f.inbox <- nil
	<-f.tasks.idle
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
