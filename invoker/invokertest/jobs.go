package invokertest

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/control"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// durable is what runs jobs beside an invoker.
type durable struct {
	owner    owner
	registry registry.Registry
	jobs     *jobs.Front
	mover    *later.Mover
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// newDurable prepares jobs, whose attempts the invoker runs, and has it answer the verbs about them.
func newDurable(o owner, nc *nats.Conn, v *invoker.Invoker, log *slog.Logger) *durable {
	o.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		o.Fatalf("JetStream: %v", err)
	}
	kept, waiting := store.New(js, store.Config{Log: log}), later.New(js, later.Config{Log: log})
	d := &durable{owner: o, registry: v.Registry, mover: later.NewMover(waiting),
		jobs: jobs.New(jobs.Config{JetStream: js, Caller: v, Later: waiting, Drain: v.Drain, Log: log})}
	d.mover.Lost = func(ctx context.Context, due *later.Due, reason string) error {
		return d.jobs.Lost(ctx, due.Name, due.ID, due.Msg, reason)
	}
	asked := &control.Service{Store: kept, Find: d.find, Opened: d.jobs.Open, Log: log}
	v.Verbs, v.Queues = asked.Verbs(), asked
	return d
}

// find returns the main version of a function.
func (d *durable) find(ctx context.Context, name string) (*protocol.Function, error) {
	return registry.Main(ctx, d.registry, name)
}

// start begins to run jobs.
func (d *durable) start() {
	d.owner.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	changes, err := d.registry.Watch(ctx)
	if err != nil {
		d.owner.Fatalf("watch functions: %v", err)
	}
	d.running.Go(func() {
		for ch := range changes {
			d.tell(ch)
		}
	})
	for _, serve := range []func(context.Context) error{d.jobs.Serve, d.mover.Move} {
		d.running.Go(func() {
			if err := serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
				d.owner.Errorf("jobs: %v", err)
			}
		})
	}
}

// tell tells of a change of functions.
func (d *durable) tell(ch registry.Change) {
	switch {
	case ch.Synced:
		d.jobs.Synced()
	case ch.Err != nil:
	case len(ch.Entry.Versions) == 0:
		d.jobs.Remove(ch.Name)
	default:
		d.jobs.Apply(ch.Entry.Main())
	}
}

// end ends the jobs, before their invoker ends.
func (d *durable) end() {
	d.stop()
	d.running.Wait()
}
