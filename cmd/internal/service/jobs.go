package service

import (
	"context"
	"os"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/triggers/schedule"
	"github.com/polyvoke/polyvoke/invoker/upkeep"
	"github.com/polyvoke/polyvoke/protocol"
)

// jobFronts returns what runs jobs by an invoker, has them wait, and makes them of triggers.
func jobFronts(own *connect.Session, caller protocol.Caller, c Config) []front {
	waiting := later.New(own.JS, later.Config{Replicas: c.Replicas, Log: c.Log})
	name, _ := os.Hostname() // it is for people
	run := jobs.New(jobs.Config{JetStream: own.JS, Caller: caller, Later: waiting, Invoker: name, Replicas: c.Replicas,
		Drain: c.Drain, Log: c.Log, Assets: []upkeep.Asset{{Stream: protocol.StreamLater,
			Lost: "jobs cannot wait for their time, or for their next attempt", Make: waiting.Make}}})
	ticks := schedule.New(schedule.Config{Store: store.New(own.JS, store.Config{Replicas: c.Replicas, Log: c.Log}),
		Later: waiting, Log: c.Log})
	mover := later.NewMover(waiting)
	mover.Lost = func(ctx context.Context, d *later.Due, reason string) error {
		return run.Lost(ctx, d.Name, d.ID, d.Msg, reason)
	}
	mover.Handle(schedule.Kind, ticks.Tick)
	return []front{run, moving{mover}, ticks}
}

// moving is a mover as a front: it does not ask which functions there are.
type moving struct{ *later.Mover }

// Apply implements front.
func (moving) Apply(*protocol.Function) {}

// Remove implements front.
func (moving) Remove(string) {}

// Synced implements front.
func (moving) Synced() {}

// Serve implements front.
func (m moving) Serve(ctx context.Context) error { return m.Move(ctx) }
