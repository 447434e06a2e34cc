// Package upkeep makes what is needed of JetStream, and makes it again when it is gone.
//
// In goes a list of streams with a way to make each; as long as they are kept, they are there, whoever deletes them and
// whichever server loses them.
package upkeep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

const (
	look    = time.Second     // how often a stream is looked for that is there
	longest = 4 * time.Second // how long one is not looked for that could not be made several times
)

// Asset is a stream that is needed.
type Asset struct {
	Stream string                      // its name
	Lost   string                      // what does not work without it, such as "recent log lines are not kept"
	Make   func(context.Context) error // makes it if it is missing
}

// Keep makes the assets that are missing, and then, in the background, each that is gone, until ctx ends; wait
// returns when nothing of that runs any more. It looks once a second, and at once when the connection is back. What
// cannot be made is reported once and tried again, up to 4 s later. The first look, which Keep waits for,
// ends with opening.
func Keep(ctx, opening context.Context, js jetstream.JetStream, log *slog.Logger, assets ...Asset) (wait func()) {
	var keeping sync.WaitGroup
	for _, a := range assets {
		k := &keeper{Asset: a, js: js, log: log, pause: look}
		k.check(opening)
		keeping.Go(func() { k.run(ctx) })
	}
	return keeping.Wait
}

// keeper keeps one asset.
type keeper struct {
	Asset
	js      jetstream.JetStream
	log     *slog.Logger
	pause   time.Duration
	failing bool // that has been reported
}

func (k *keeper) run(ctx context.Context) {
	status := k.js.Conn().StatusChanged(nats.CONNECTED)
	defer k.js.Conn().RemoveStatusListener(status)
	for {
		t := time.NewTimer(k.pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-status:
			t.Stop()
		case <-t.C:
		}
		k.check(ctx)
	}
}

// check makes the asset if it is missing.
func (k *keeper) check(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	_, err := k.js.Stream(ctx, k.Stream)
	if objects.Gone(err) {
		if err = k.Make(ctx); err == nil {
			k.log.Info("a stream was missing and has been created", "stream", k.Stream)
		}
	}
	switch {
	case err == nil:
		k.pause, k.failing = look, false
	case ctx.Err() == nil && k.js.Conn().IsConnected(): // else there is nobody to ask, and coming back is an event
		k.pause = min(2*k.pause, longest)
		if !k.failing {
			k.log.Warn(k.Lost, "stream", k.Stream, "err", err)
		}
		k.failing = true
	}
}
