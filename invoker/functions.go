package invoker

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/invoker/paths"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// functions are those of an invoker: what the registry says that there are.
//
// Each has at most one goroutine that applies what the registry says about it, so that a module that compiles for long
// delays nobody else's deployment, and so that changes of one function are applied in their order. Only the newest one
// counts.
type functions struct {
	svc      *service
	open     context.Context // ends when nothing new is to be begun
	ready    func()          // called once, when all functions that are known have been applied
	routes   subjects.Routes // of the functions that the registry has
	paths    paths.Index     // of their routes of HTTP
	appliers sync.WaitGroup
	applied  broadcast // fires when a function was applied, or has failed

	mu      sync.Mutex
	all     map[string]*function
	damaged map[string]error // functions whose records cannot be read or served, and why
}

// newFunctions returns an empty set, whose changes are applied until open ends.
func newFunctions(s *service, open context.Context, ready func()) *functions {
	return &functions{svc: s, open: open, ready: ready, all: map[string]*function{}, damaged: map[string]error{}}
}

// follow applies what the registry says until the set's context ends.
func (l *functions) follow(changes <-chan registry.Change) {
	for ch := range changes {
		switch {
		case ch.Synced:
			l.appliers.Go(l.sayReady)
		case l.sound(ch):
			l.want(ch)
		}
	}
	l.appliers.Wait()
}

// get returns the function that is served under a name, or nil.
func (l *functions) get(name string) *function {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[name]
}

// list returns all functions.
func (l *functions) list() []*function {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.all))
}

// served returns the functions that are being served, by name.
func (l *functions) served() []*function {
	all := slices.DeleteFunc(l.list(), func(f *function) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.confirmed.Versions) == 0
	})
	slices.SortFunc(all, func(a, b *function) int { return strings.Compare(a.name, b.name) })
	return all
}

// denied takes note of what NATS does not let the invoker do. A subscription that is not there is tried again as a
// deployment that has failed is: at once by the one that is under way, which fails, or else as if the function had
// changed.
func (l *functions) denied(d denials.Denial) {
	if !d.Subscription || strings.HasPrefix(d.Subject, micro.APIPrefix+".") {
		return // the ErrorHandler says so; without discovery functions are called all the same
	}
	if strings.HasPrefix(d.Subject, protocol.RootAPI+".") {
		l.svc.log.Error("this invoker does not answer a control verb", "err", d.Refusal())
	}
	for _, f := range l.list() {
		if f.subs.miss(d) && l.open.Err() == nil {
			e, _ := f.versions.current()
			l.want(registry.Change{Name: f.name, Entry: e})
		}
	}
}

// sound reports whether a change is to be applied. A function whose record cannot be read stays what it was; one that
// needs what this invoker does not know is no longer served. Both are logged.
func (l *functions) sound(ch registry.Change) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ch.Err != nil {
		l.damaged[ch.Name] = ch.Err
		if unknown, _ := registry.UnknownNeeds(ch.Err); unknown != nil {
			l.routes.Remove(ch.Name)
			l.paths.Remove(ch.Name)
			l.applied.fire() // whoever waits for the version need not wait any longer
			l.svc.log.Error("function not served: it needs what this invoker does not know; update the invoker",
				"function", ch.Name, "needs", strings.Join(unknown, ","))
			return true
		}
		l.svc.log.Error("function damaged in the store", "function", ch.Name, "served", l.all[ch.Name] != nil, "err", ch.Err)
		return false
	}
	delete(l.damaged, ch.Name)
	if len(ch.Entry.Versions) == 0 {
		l.routes.Remove(ch.Name)
		l.paths.Remove(ch.Name)
	} else {
		l.routes.Set(ch.Entry.Main())
		l.paths.Set(ch.Entry.Main())
	}
	return true
}

// sayReady calls Ready when all functions that are known have been applied.
func (l *functions) sayReady() {
	for {
		changed := l.applied.next()
		if l.settled() {
			break
		}
		select {
		case <-changed:
		case <-l.open.Done():
			return
		}
	}
	l.ready()
}

// settled reports whether every function has been applied, or has failed, once.
func (l *functions) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.all {
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
func (l *functions) want(ch registry.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.all[ch.Name]
	if f == nil {
		if len(ch.Entry.Versions) == 0 {
			return
		}
		f = newFunction(l.svc, ch.Name, newID())
		f.receive()
		l.all[ch.Name] = f
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
	l.appliers.Go(func() { l.apply(f) })
}

// apply applies changes until there is none left.
func (l *functions) apply(f *function) {
	for {
		f.mu.Lock()
		ch := f.wanted
		f.wanted = nil
		if ch == nil || l.open.Err() != nil {
			f.applying = false
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		if len(ch.Entry.Versions) == 0 {
			l.vanish(f, ch)
			return
		}
		l.applyEntry(f, ch.Entry)
	}
}

// vanish ends a function that was deleted, or that this invoker cannot serve any more. If it has come back meanwhile,
// it begins anew.
func (l *functions) vanish(f *function, gone *registry.Change) {
	f.end()
	l.mu.Lock()
	delete(l.all, f.name)
	f.mu.Lock()
	again := f.wanted
	f.mu.Unlock()
	l.mu.Unlock()
	l.applied.fire()
	if gone.Err == nil {
		l.svc.log.Info("function removed", "function", f.name)
	}
	if again != nil {
		l.want(*again)
	}
}

// applyEntry serves a new entry, trying again while that may help and nothing newer is wanted.
func (l *functions) applyEntry(f *function, e registry.Entry) {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := f.serve(l.open, e)
		f.mu.Lock()
		f.failure, f.failed = err, e
		f.mu.Unlock()
		l.applied.fire()
		if err == nil {
			l.svc.log.Info("function ready", "function", e.Main().Ref(), "digest", e.Main().Digest)
			return
		}
		l.svc.log.Error("function not ready", "function", e.Main().Ref(), "err", err)
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
		case <-l.open.Done():
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
func (l *functions) serves(m *protocol.Function) (done bool, err error) {
	if err := l.misses(m.Name); err != nil {
		return true, err
	}
	f := l.get(m.Name)
	if f == nil {
		return false, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	failed := f.failure != nil && !passing(f.failure)
	if failed && f.failed.Main().Created.Equal(m.Created) {
		return true, f.failure
	}
	if s := f.confirmed.Numbered(m.Version); s != nil && s.Created.Equal(m.Created) {
		return true, nil
	}
	if s := f.failed.Numbered(m.Version); failed && s != nil && s.Created.Equal(m.Created) {
		return true, f.failure
	}
	return false, nil
}

// means reports whether calls follow an alias as it is in a state, or in a later one, or why they cannot. Of one that was
// removed the state's revision does not matter.
func (l *functions) means(s protocol.AliasState) (done bool, err error) {
	if err := l.misses(s.Function); err != nil {
		return true, err
	}
	f := l.get(s.Function)
	if f == nil {
		return s.Removed, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	is, there := f.confirmed.Aliases[s.Alias]
	if s.Removed && !there || !s.Removed && there && is.Revision >= s.Revision {
		return true, nil
	}
	if f.failure != nil && !passing(f.failure) && f.failed.Aliases[s.Alias].Revision >= s.Revision && !s.Removed {
		return true, f.failure
	}
	return false, nil
}

// misses returns an error if a function needs what this invoker does not know.
func (l *functions) misses(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if unknown, _ := registry.UnknownNeeds(l.damaged[name]); unknown != nil {
		return l.damaged[name]
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
