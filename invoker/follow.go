package invoker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Each function has at most one goroutine that applies what the registry says about it, so
// that a module that compiles for long delays nobody else's deployment, and so that changes of
// one function are applied in their order. Only the newest one counts.

// follow applies what the registry says until ctx ends.
func (v *Invoker) follow(ctx context.Context, changes <-chan registry.Change) {
	for ch := range changes {
		switch {
		case ch.Synced:
			v.appliers.Go(func() { v.sayReady(ctx) })
		case v.sound(ch):
			v.want(ctx, ch)
		}
	}
	v.appliers.Wait()
}

// sound reports whether a change is to be applied. A function whose record cannot be read stays what it was; one that
// needs what this invoker does not know is served no more. People are told of both.
func (v *Invoker) sound(ch registry.Change) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if ch.Err != nil {
		v.damaged[ch.Name] = ch.Err
		if unknown, _ := registry.UnknownNeeds(ch.Err); unknown != nil {
			v.routes.Remove(ch.Name)
			v.applied.fire() // whoever waits for the version need not wait any longer
			v.Log.Error("function not served: it needs what this invoker does not know; update it", "function", ch.Name, "needs", strings.Join(unknown, ","))
			return true
		}
		v.Log.Error("function damaged in the store", "function", ch.Name, "served", v.functions[ch.Name] != nil, "err", ch.Err)
		return false
	}
	delete(v.damaged, ch.Name)
	if len(ch.Entry.Versions) == 0 {
		v.routes.Remove(ch.Name)
	} else {
		v.routes.Set(ch.Entry.Latest())
	}
	return true
}

// sayReady calls Ready when all functions that are known have been applied.
func (v *Invoker) sayReady(ctx context.Context) {
	for {
		changed := v.applied.next()
		if v.settled() {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
	v.become(Serving)
	if v.Ready != nil {
		v.Ready()
	}
}

// settled reports whether every function has been applied, or has failed, once.
func (v *Invoker) settled() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range v.functions {
		f.mu.Lock()
		open := len(f.confirmed.Versions) == 0 && f.failure == nil
		f.mu.Unlock()
		if open {
			return false
		}
	}
	return true
}

// want hands a change to its function.
func (v *Invoker) want(ctx context.Context, ch registry.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := v.functions[ch.Name]
	if f == nil {
		if len(ch.Entry.Versions) == 0 {
			return
		}
		f = newFunction(v, ch.Name, newID())
		v.functions[ch.Name] = f
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wanted = &ch
	if f.applying {
		select {
		case f.poke <- struct{}{}:
		default:
		}
		return
	}
	f.applying = true
	v.appliers.Go(func() { f.apply(ctx) })
}

// apply applies changes until there is none left.
func (f *function) apply(ctx context.Context) {
	for {
		f.mu.Lock()
		ch := f.wanted
		f.wanted = nil
		if ch == nil || ctx.Err() != nil {
			f.applying = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		if len(ch.Entry.Versions) == 0 {
			f.vanish(ctx, ch)
			return
		}
		f.applyEntry(ctx, ch.Entry)
	}
}

// vanish ends a function that was deleted, or that this invoker cannot serve any more. If it has come back meanwhile, it
// begins anew.
func (f *function) vanish(ctx context.Context, gone *registry.Change) {
	f.end()
	v := f.v
	v.mu.Lock()
	delete(v.functions, f.name)
	f.mu.Lock()
	again := f.wanted
	f.mu.Unlock()
	v.mu.Unlock()
	v.applied.fire()
	if gone.Err == nil {
		v.Log.Info("function removed", "function", f.name)
	}
	if again != nil {
		v.want(ctx, *again)
	}
}

// applyEntry serves a new entry, trying again while that may help and nothing newer is wanted.
func (f *function) applyEntry(ctx context.Context, e registry.Entry) {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := f.serve(ctx, e)
		f.mu.Lock()
		f.failure, f.failed = err, e.Latest()
		f.mu.Unlock()
		f.v.applied.fire()
		if err == nil {
			f.v.Log.Info("function ready", "function", e.Latest().Ref(), "digest", e.Latest().Digest)
			return
		}
		f.v.Log.Error("function not ready", "function", e.Latest().Ref(), "err", err)
		if refused(err) != nil {
			return
		}
		if passing(err) {
			pause = passingPause
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-f.poke:
			t.Stop()
			return
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// refused returns the reason why a module cannot be run, if that is what err says.
func refused(err error) *runtimes.ModuleError {
	var m *runtimes.ModuleError
	errors.As(err, &m)
	return m
}

// passingPause is the time between two tries that fail because the connection does: it is about to be made anew.
const passingPause = 100 * time.Millisecond

// passing reports whether an error is that of a connection which broke, so that it passes by itself. The error of a
// connection that was closed is also that of one that is being made anew.
func passing(err error) bool {
	return refused(err) == nil && (errors.Is(err, nats.ErrDisconnected) || errors.Is(err, nats.ErrConnectionClosed) ||
		errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded))
}

// serves reports whether a version is served, or could not be.
func (v *Invoker) serves(m *protocol.Function) (done bool, err error) {
	if err := v.misses(m.Name); err != nil {
		return true, err
	}
	f := v.function(m.Name)
	if f == nil {
		return false, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failure != nil && !passing(f.failure) && f.failed.Created.Equal(m.Created) {
		return true, f.failure
	}
	for i := range f.confirmed.Versions {
		if s := &f.confirmed.Versions[i]; s.Version == m.Version && s.Created.Equal(m.Created) {
			return true, nil
		}
	}
	return false, nil
}

// misses returns an error if a function needs what this invoker does not know.
func (v *Invoker) misses(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if unknown, _ := registry.UnknownNeeds(v.damaged[name]); unknown != nil {
		return v.damaged[name]
	}
	return nil
}

// broadcast tells any number of waiters that something has changed. Its zero value is ready.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// next returns a channel that the next fire closes.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

// fire wakes everybody who waits.
func (b *broadcast) fire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
