// Package role is what a worker process of the benchmark does: it is a contestant, a NATS server or a
// client, as it is asked.
package role

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/metering"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/pipeline"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/profile"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// maxCallers is how many callers a contestant gets ready for.
const maxCallers = 128

// Run answers requests until stdin ends.
func Run(ctx context.Context) error {
	r := &role{ctx: ctx}
	err := worker.Serve(os.Stdin, os.Stdout, r.answer)
	return errors.Join(err, r.close())
}

// role is what the process has become.
type role struct {
	ctx    context.Context
	guest  *guest.Guest
	runner contestant.Runner
	client *pipeline.Client
	loads  metering.Loads
	dir    string       // of the NATS server
	stop   func() error // ends the profile, if there is one
}

// answer answers one request.
func (r *role) answer(q worker.Request) (worker.Reply, error) {
	switch q.Op {
	case worker.OpOpen:
		return worker.Reply{}, r.open(q)
	case worker.OpSlice:
		return r.slice(q.Slice)
	case worker.OpAllocs:
		return r.sites()
	case worker.OpServe:
		return worker.Reply{}, r.serve(q)
	case worker.OpUsage:
		return worker.Reply{CPU: measure.CPU()}, nil
	case worker.OpListen:
		return r.listen()
	case worker.OpLoad:
		return r.load(q)
	case worker.OpMeter:
		sample, err := r.loads.Run(r.ctx, q.Guest, q.Form, q.Cache)
		return worker.Reply{Sample: sample}, err
	}
	return worker.Reply{}, fmt.Errorf("a worker knows no %q", q.Op)
}

// open makes a contestant ready, and has it make one call.
func (r *role) open(q worker.Request) error {
	c, err := contestant.Find(q.Contestant)
	if err != nil {
		return err
	}
	runner, err := c.Open(r.ctx, contestant.Setup{Guest: q.Guest, Cache: q.Cache, Callers: maxCallers})
	if err != nil {
		return err
	}
	r.guest, r.runner = q.Guest, runner
	_, err = runner.Run(r.ctx, 0, r.guest.Body)
	return err
}

// slice makes calls within the process.
func (r *role) slice(s measure.Slice) (worker.Reply, error) {
	sample, err := s.Run(r.ctx, r.call)
	return worker.Reply{Sample: sample}, err
}

// call makes one call.
func (r *role) call(ctx context.Context, caller int) error {
	_, err := r.runner.Run(ctx, caller, r.guest.Body)
	return err
}

// serve answers calls through NATS, in the contestant's own way if it has one. Whoever serves has the collector that
// polyvoke serve has.
func (r *role) serve(q worker.Request) error {
	service.TuneCollector(os.Getenv)
	if q.Profile != "" {
		var err error
		if r.stop, err = profile.Start(q.Profile); err != nil {
			return err
		}
	}
	if s, ok := r.runner.(contestant.Server); ok {
		return s.Serve(r.ctx, q.URL, q.Subject)
	}
	return pipeline.Subscribe(r.ctx, q.URL, q.Subject, func(ctx context.Context, body []byte) ([]byte, error) {
		return r.runner.Run(ctx, 0, body)
	})
}

// listen becomes a NATS server.
func (r *role) listen() (worker.Reply, error) {
	var err error
	if r.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return worker.Reply{}, err
	}
	url, err := pipeline.Listen(r.dir)
	return worker.Reply{URL: url}, err
}

// load makes calls through NATS.
func (r *role) load(q worker.Request) (worker.Reply, error) {
	if r.client == nil {
		var err error
		if r.client, err = pipeline.Connect(q.URL); err != nil {
			return worker.Reply{}, err
		}
	}
	sample, err := r.client.Run(r.ctx,
		pipeline.Load{Subject: q.Subject, Body: q.Guest.Body, Want: q.Guest.Want, Slice: q.Slice, Rate: q.Rate})
	return worker.Reply{Sample: sample}, err
}

// close frees what the role holds.
func (r *role) close() error {
	var err error
	if r.stop != nil {
		err = r.stop()
	}
	if r.runner != nil {
		err = errors.Join(err, r.runner.Close())
	}
	err = errors.Join(err, r.loads.Close())
	if r.dir != "" {
		err = errors.Join(err, os.RemoveAll(r.dir))
	}
	return err
}
