// Package devloop keeps a function as its sources are: it builds and deploys them, and does so again whenever they
// change.
//
// In go three verbs, build, deploy and wait for a change; out come events that say what happened. What is deployed
// stays until the next version answers, so no call notices more than a new version; what cannot be built or deployed
// changes nothing.
package devloop

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// Loop builds and deploys. All fields must be set.
type Loop struct {
	// Build makes of the sources what Deploy deploys.
	Build func(ctx context.Context) error
	// Deploy returns when the next call is answered by what was built.
	Deploy func(ctx context.Context) (protocol.DeployReply, error)
	// Next waits for a change of the sources and returns the files that changed.
	Next func(ctx context.Context) ([]string, error)
	// Say is told what happens, by the goroutine that Run runs in.
	Say func(Event)
}

// Event is one thing that happened: a build and what became of it.
type Event struct {
	Changed  []string      // why it was built; nil at the beginning
	Live     protocol.Ref  // what answers now; the zero value if nothing does
	First    bool          // nothing has answered before
	New      bool          // Live is a new version; otherwise it is the one that there was
	Warnings []string      // about it
	Built    time.Duration // how long the build took
	Swapped  time.Duration // from the end of the build until the function answers
	Stage    Stage         // at which it failed
	Err      error         // why; Live is then what stays
}

// Stage is a part of the way to a new version.
type Stage int

// The stages.
const (
	Done Stage = iota
	Building
	Deploying
)

// Run builds and deploys until ctx ends, whose error it returns, or until no change can be waited for any more.
func (l *Loop) Run(ctx context.Context) error {
	var live protocol.Ref
	var changed []string
	for {
		e := l.once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if e.Err != nil {
			e.Live = live
		}
		e.First = live.Name == "" && e.Err == nil
		e.Changed, live = changed, e.Live
		l.Say(e)
		var err error
		if changed, err = l.Next(ctx); err != nil {
			return err
		}
	}
}

// once builds and deploys.
func (l *Loop) once(ctx context.Context) (e Event) {
	begin := time.Now()
	err := l.Build(ctx)
	built := time.Now()
	e.Built = built.Sub(begin)
	if err != nil {
		e.Stage, e.Err = Building, err
		return e
	}
	reply, err := l.Deploy(ctx)
	if err != nil {
		e.Stage, e.Err = Deploying, err
		return e
	}
	e.Swapped, e.New, e.Warnings, e.Live = time.Since(built), reply.Created, reply.Warnings, reply.Function.Ref()
	return e
}
