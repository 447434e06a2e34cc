package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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

// fronts are those beside an invoker.
type fronts struct {
	all   []front
	door  *door         // the one that answers from the beginning; nil for none
	ready chan struct{} // closed when the invoker serves all functions
	log   *slog.Logger
}

// serve runs all fronts from when the invoker serves until ctx ends. HTTP is answered before, if only to say so.
func (f fronts) serve(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if f.door != nil {
		running.Go(func() {
			if err := f.door.Serve(ctx); err != nil {
				f.log.Error("HTTP has ended; calls by NATS go on", "err", err)
			}
		})
	}
	select {
	case <-f.ready:
	case <-ctx.Done():
		return
	}
	for _, one := range f.all {
		running.Go(func() {
			if err := one.Serve(ctx); err != nil && !errors.Is(err, context.Canceled) {
				f.log.Error("jobs or triggers have ended; calls go on", "err", err)
			}
		})
	}
}

// overheard is a registry whose changes are told, besides to who watches it: a watch of their own would have the fronts
// mend a damaged store at the same time as the invoker.
type overheard struct {
	registry.Registry
	registry.Aliases
	tell func(registry.Change)
}

// Watch implements registry.Registry.
func (o overheard) Watch(ctx context.Context) (<-chan registry.Change, error) {
	changes, err := o.Registry.Watch(ctx)
	if err != nil {
		return nil, err
	}
	passed := make(chan registry.Change)
	go func() {
		defer close(passed)
		for ch := range changes {
			select {
			case passed <- ch:
			case <-ctx.Done():
			}
			o.tell(ch)
		}
	}()
	return passed, nil
}

// tell tells all fronts of a change. What cannot be read stays as it was.
func (f fronts) tell(ch registry.Change) {
	all := f.all
	if f.door != nil {
		all = append(slices.Clip(all), f.door)
	}
	for _, one := range all {
		switch {
		case ch.Synced:
			one.Synced()
		case ch.Err != nil:
		case len(ch.Entry.Versions) == 0:
			one.Remove(ch.Name)
		default:
			one.Apply(ch.Entry.Main())
		}
	}
}
