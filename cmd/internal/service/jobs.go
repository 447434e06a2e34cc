package service

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/control"
	"github.com/polyvoke/polyvoke/invoker/jobs/recordings"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/triggers"
	"github.com/polyvoke/polyvoke/invoker/triggers/schedule"
	"github.com/polyvoke/polyvoke/protocol"
)

// durable is what makes calls durable beside an invoker: jobs runs them, later keeps those that wait, schedules makes
// some at their times, triggers makes some of events, and control answers what is asked about them.
type durable struct {
	jobs      *jobs.Front
	mover     *later.Mover
	schedules *schedule.Front
	triggers  *triggers.Front
	control   *control.Service
	records   *recordings.Store
}

// newDurable puts the parts together. The caller runs the attempts of jobs.
func newDurable(js jetstream.JetStream, reg registry.Registry, caller protocol.Caller, c Config) *durable {
	kept := store.New(js, store.Config{Replicas: c.Replicas, Log: c.Log})
	waiting := later.New(js, later.Config{Replicas: c.Replicas, Log: c.Log})
	records := recordings.New(js, recordings.Config{Replicas: c.Replicas, Invoker: thisProcess(), Log: c.Log})
	d := &durable{
		jobs: jobs.New(jobs.Config{JetStream: js, Caller: caller, Later: waiting, Recorder: records,
			Observer: c.Telemetry.jobs(), Invoker: thisProcess(),
			Replicas: c.Replicas, Drain: c.Drain, Log: c.Log}),
		records: records,
		mover:   later.NewMover(waiting),
		triggers: triggers.New(triggers.Config{JetStream: js, Known: known(reg), Replicas: c.Replicas, Log: c.Log,
			Made: c.Telemetry.made()}),
		schedules: schedule.New(schedule.Config{Store: kept, Later: waiting, Log: c.Log, Made: c.Telemetry.made()}),
		control:   &control.Service{Store: kept, Find: finder(reg), Log: c.Log},
	}
	d.control.Opened, d.control.Lags = d.jobs.Open, lags(js)
	d.mover.Handle(schedule.Kind, d.schedules.Tick)
	d.mover.Lost = func(ctx context.Context, due *later.Due, reason string) error {
		return d.jobs.Lost(ctx, due.Name, due.ID, due.Msg, reason)
	}
	return d
}

// fronts returns the parts that work beside the invoker.
func (d *durable) fronts() []front {
	return []front{d.jobs, d.schedules, d.triggers, mover{d.mover}}
}

// mover is a front that need not know of functions.
type mover struct{ *later.Mover }

// Apply implements front.
func (mover) Apply(*protocol.Function) {}

// Remove implements front.
func (mover) Remove(string) {}

// Synced implements front.
func (mover) Synced() {}

// Serve implements front: it moves what is due.
func (m mover) Serve(ctx context.Context) error { return m.Move(ctx) }

// finder returns what finds the main version of a function.
func finder(reg registry.Registry) func(context.Context, string) (*protocol.Function, error) {
	return func(ctx context.Context, name string) (*protocol.Function, error) {
		return registry.Main(ctx, reg, name)
	}
}

// known returns what finds out whether a function exists, be it one that this invoker cannot serve.
func known(reg registry.Registry) func(context.Context, string) (bool, error) {
	return func(ctx context.Context, name string) (bool, error) {
		_, err := reg.Find(ctx, name)
		if protocol.CodeOf(err) == protocol.CodeNotFound {
			return false, nil
		}
		return true, err
	}
}

// thisProcess is what a job's story calls the invoker that ran an attempt.
func thisProcess() string {
	host, _ := os.Hostname() // "" is as good as it gets then
	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}
