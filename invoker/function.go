package invoker

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/queue"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

// inboxSize is how many messages of a function can lie between the connection and its
// receiver. The client library drops what does not fit, and an answer is owed to each; so it is
// much more than arrives while a receiver is away for a slice, and costs 24 KiB a function.
const inboxSize = 3000

// function is a name that the invoker serves: its versions, its subscriptions, and the calls that wait or run.
type function struct {
	svc      *service
	name     string
	id       string // of this instance of the service, for discovery
	began    time.Time
	inbox    chan *nats.Msg
	calls    *stats.Endpoint // of fn.NAME
	queue    *queue.Queue[*call]
	tasks    *tasks
	subs     subscriptions
	versions versions

	mu       sync.Mutex
	triggers map[string]*stats.Endpoint // by subject

	// What functions.go applies.
	wanted    *registry.Change // the newest change that was not applied yet
	applying  bool             // a goroutine is at it
	poke      chan struct{}    // tells it that there is something newer
	failure   error            // why the last change could not be applied
	failed    registry.Entry   // the entry that failure is about
	confirmed registry.Entry   // the entry whose subscriptions the server has confirmed
}

// newFunction makes a function that has no version yet. One of its tasks is a receiver, which is to be started.
func newFunction(s *service, name, id string) *function {
	f := &function{
		svc: s, name: name, id: id, began: time.Now().UTC(),
		inbox:    make(chan *nats.Msg, inboxSize),
		calls:    new(stats.Endpoint),
		queue:    queue.New((*call).dismiss),
		tasks:    newTasks(),
		versions: versions{loader: s.loader},
		triggers: map[string]*stats.Endpoint{},
		poke:     make(chan struct{}, 1),
	}
	f.subs.make = f.listen
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

// serve makes e what the function is: the versions that calls by its name get are loaded, its subjects are
// subscribed to, and the server has said so.
func (f *function) serve(ctx context.Context, e registry.Entry) error {
	if err := subjects.Fit(e, f.svc.line); err != nil {
		return err
	}
	held, err := f.versions.hold(ctx, e.Answering())
	defer func() { f.versions.unhold(held) }()
	if err != nil {
		return err
	}
	f.versions.replace(e, held)
	main := e.Main()
	limits := main.Limits.WithDefaults()
	f.queue.SetLimits(queue.Limits{Running: limits.Concurrency, Processing: f.svc.processing, Waiting: limits.Queue})
	f.keepTriggers(main)
	if err := f.subs.become(f.subjects(e), f.svc.flushes.roundTrip); err != nil {
		return err
	}
	f.mu.Lock()
	f.confirmed = e
	f.mu.Unlock()
	return nil
}

// subjects returns what a function with this entry listens to. A subject for discovery is for all verbs, since a
// subscription takes more than a kilobyte of the NATS server.
func (f *function) subjects(e registry.Entry) map[subjects.Subject]bool {
	want := map[subjects.Subject]bool{}
	for _, s := range subjects.Of(e) {
		want[s] = true
	}
	service := micro.APIPrefix + ".*." + f.name
	want[subjects.Subject{Name: service}] = true
	want[subjects.Subject{Name: service + "." + f.id}] = true
	return want
}

// listen makes one subscription.
func (f *function) listen(s subjects.Subject) (*nats.Subscription, error) {
	inbox := f.inbox
	if s.Queue == "" {
		inbox = f.svc.asked
	}
	return f.svc.nc.ChanQueueSubscribe(s.Name, s.Queue, inbox)
}

// keepTriggers makes the figures of triggers those of a manifest; what a trigger has counted stays.
func (f *function) keepTriggers(m *protocol.Function) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.triggers
	f.triggers = map[string]*stats.Endpoint{}
	for _, t := range m.SubjectTriggers() {
		s := old[t.Subject]
		if s == nil {
			s = new(stats.Endpoint)
		}
		f.triggers[t.Subject] = s
	}
}

// manifest returns the main version's manifest, or an empty one.
func (f *function) manifest() *protocol.Function {
	if _, m := f.versions.current(); m != nil {
		return m
	}
	return &protocol.Function{Name: f.name}
}

// notReady says why a function has no version that can run.
func (f *function) notReady() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil {
		return notHere("%s could not be loaded: %w", f.name, f.failure)
	}
	return notHere("%s is not loaded yet; try again", f.name)
}

// end takes no new message, answers what has come in, and gives everything back. The
// round trip makes sure that the server sends no more; the nil behind it is the inbox's last.
func (f *function) end() {
	f.subs.drain()
	_ = f.svc.flushes.roundTrip()
	f.inbox <- nil
	<-f.tasks.idle
	_ = f.svc.flushOwn() // so that what was passed on reaches the next before it ends
	f.mu.Lock()
	f.confirmed = registry.Entry{}
	f.mu.Unlock()
	f.versions.end()
}
