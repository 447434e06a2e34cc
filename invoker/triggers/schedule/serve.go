package schedule

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	look    = time.Minute      // how often we look whether all chains are there
	again   = time.Second      // after what has failed
	settles = 16               // chains that begin or end at a time
	few     = 8                // chains that are asked for one by one
	patient = 20 * time.Second // how long one chain may take to begin or end
)

// Serve begins the chains of functions that come, and ends those of functions that go, until ctx ends. Once a minute it
// looks whether all are there: a stream that was deleted has taken its chains with it. They begin again where their
// marks say.
func (f *Front) Serve(ctx context.Context) error {
	looked, pause, failing := time.Now(), look, false
	for {
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-f.wake:
			t.Stop()
		case <-t.C:
		}
		all := time.Since(looked) >= look
		err := f.settle(ctx, all)
		if pause = look; err != nil {
			if pause = again; !failing && ctx.Err() == nil {
				f.config.Log.Warn("schedules do not begin or end until JetStream answers", "err", err)
			}
		} else if all {
			looked = time.Now()
		}
		failing = err != nil
	}
}

// settle begins and ends chains: those that have changed, or all. Those that fail count as changed.
func (f *Front) settle(ctx context.Context, all bool) error {
	f.mu.Lock()
	ids := slices.Collect(maps.Keys(f.changed))
	if all {
		ids = slices.AppendSeq(ids, maps.Keys(f.chains))
	}
	clear(f.changed)
	f.mu.Unlock()
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	waiting, err := f.waiting(ctx, ids)
	if err != nil {
		f.failed(ids...)
		return err
	}
	var running sync.WaitGroup
	var mu sync.Mutex
	slots := make(chan struct{}, settles)
	for _, id := range ids {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if one := f.settleOne(ctx, id, waiting[id]); one != nil {
				f.failed(id)
				mu.Lock()
				err = one
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return err
}

// failed takes note of chains that could not begin or end.
func (f *Front) failed(ids ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		f.changed[id] = true
	}
}

// waiting returns which chains wait, or are due. It makes what they need where it is missing.
func (f *Front) waiting(ctx context.Context, ids []string) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	if err := errors.Join(f.config.Store.Make(ctx), f.config.Later.Make(ctx)); err != nil {
		return nil, err
	}
	stream, err := f.js.Stream(ctx, protocol.StreamLater)
	if err != nil {
		return nil, unavailable("look which schedules wait", err)
	}
	if len(ids) > few {
		ids = []string{"*"}
	}
	waiting := map[string]bool{}
	for _, id := range ids {
		subjects, err := objects.Subjects(ctx, stream, "*."+Kind+"."+id)
		if err != nil {
			return nil, unavailable("look which schedules wait", err)
		}
		for subject := range subjects {
			waiting[subject[strings.LastIndexByte(subject, '.')+1:]] = true
		}
	}
	return waiting, nil
}

// settleOne begins or ends a chain.
func (f *Front) settleOne(ctx context.Context, id string, waits bool) error {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	c := f.chain(id)
	if c == nil {
		return f.end(ctx, id)
	}
	if waits {
		return nil
	}
	return f.begin(ctx, id, c)
}

// begin lets the first message of a chain wait. A chain that was there before goes on behind its last run: what it has
// missed is due at once.
func (f *Front) begin(ctx context.Context, id string, c *chain) error {
	m, ok, err := readMark(ctx, f.js, id)
	if err != nil {
		return err
	}
	if !ok {
		m = Mark{Last: f.config.Now()}
		if err = f.writeMark(ctx, id, m, true); errors.Is(err, jetstream.ErrKeyExists) {
			m, _, err = readMark(ctx, f.js, id) // another invoker was first
		}
		if err != nil {
			return err
		}
	}
	return f.next(ctx, id, c, m)
}

// end lets a chain not go on, and forgets its runs: a function that gets the schedule again begins anew.
func (f *Front) end(ctx context.Context, id string) error {
	if _, err := f.config.Later.Cancel(ctx, Kind, id); err != nil {
		return err
	}
	return f.deleteMark(ctx, id)
}
