package service

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// front turns events into calls, beside the messages that the invoker takes itself. It knows of functions what it is
// told, in the order of the registry's changes, by one goroutine.
type front interface {
	// Apply tells of a function that is new or has a new version, the latest of which it gets.
	Apply(f *protocol.Function)
	// Remove tells of a function that is gone.
	Remove(name string)
	// Synced tells that all functions that were there have been told of.
	Synced()
	// Serve works until ctx ends, and returns when all that it has begun has ended, or been given back.
	Serve(ctx context.Context) error
}

// fronts runs several fronts beside an invoker.
type fronts struct {
	all []front
	log *slog.Logger
}

// serve runs all fronts until ctx ends. An error means that they could not begin.
func (f fronts) serve(ctx context.Context, reg registry.Registry) error {
	changes, err := reg.Watch(ctx)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	for _, one := range f.all {
		running.Go(func() {
			if err := one.Serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
				f.log.Error("jobs or triggers have ended; calls go on", "err", err)
			}
		})
	}
	for ch := range changes {
		f.tell(ch)
	}
	running.Wait()
	return nil
}

// tell tells all fronts of a change. What cannot be read stays as it was.
func (f fronts) tell(ch registry.Change) {
	for _, one := range f.all {
		switch {
		case ch.Synced:
			one.Synced()
		case ch.Err != nil:
		case len(ch.Entry.Versions) == 0:
			one.Remove(ch.Name)
		default:
			one.Apply(ch.Entry.Latest())
		}
	}
}
