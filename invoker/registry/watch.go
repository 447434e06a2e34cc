package registry

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// Watch implements Registry. When the connection is back after a loss, everything is read
// again and what is new is sent; a function that was deleted meanwhile is sent as deleted. A bucket
// that is gone is created again. Records that cannot be read are skipped and reported,
// and the last state that could be read stays.
func (r *JetStream) Watch(ctx context.Context) (<-chan Change, error) {
	w := &watch{r: r, feed: newFeed(), known: map[string]moment{}}
	first, err := w.begin(ctx)
	if err != nil {
		return nil, objects.Error("watch", err)
	}
	out := make(chan Change)
	go func() {
		defer close(out)
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx, first) })
		w.feed.pump(ctx, out)
		running.Wait()
	}()
	return out, nil
}

// watch is one watch of a JetStream registry.
type watch struct {
	r      *JetStream
	feed   *feed
	known  map[string]moment // the functions that the watcher has been told of
	synced bool
}

// moment identifies a state of a record, even if the bucket was created anew.
type moment struct {
	revision uint64
	created  int64
}

// session is a watch for as long as the connection holds.
type session struct {
	watcher jetstream.KeyWatcher
	status  chan nats.Status // says when the connection is back
	end     context.CancelFunc
}

// begin starts a session.
func (w *watch) begin(ctx context.Context) (*session, error) {
	ctx, end := context.WithCancel(ctx)
	s := &session{end: end, status: w.r.js.Conn().StatusChanged(nats.CONNECTED)}
	var err error
	if s.watcher, err = w.r.kv.WatchAll(ctx); err != nil {
		w.finish(s)
		return nil, err
	}
	return s, nil
}

// finish ends a session and waits until nothing of it runs.
func (w *watch) finish(s *session) {
	s.end()
	w.r.js.Conn().RemoveStatusListener(s.status)
	if s.watcher != nil {
		stop(s.watcher)
	}
}

// stop stops a KV watcher, which blocks in its own goroutine until it is read to the end.
func stop(kw jetstream.KeyWatcher) {
	_ = kw.Stop() // the only error is that it has stopped
	for range kw.Updates() {
	}
}

// run follows one session after the other until ctx ends.
func (w *watch) run(ctx context.Context, s *session) {
	for try := 0; ; try++ {
		if s != nil {
			w.follow(ctx, s)
			w.finish(s)
			try = 0
		}
		if ctx.Err() != nil {
			return
		}
		_ = backOff(ctx, try)
		var err error
		if s, err = w.begin(ctx); err != nil {
			w.r.cfg.Log.Warn("registry: the watch cannot go on yet", "try", try+1, "err", err)
			w.restore(ctx, err)
		}
	}
}

// restore creates the buckets again if they are gone.
func (w *watch) restore(ctx context.Context, err error) {
	if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, nats.ErrStreamNotFound) {
		ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
		defer cancel()
		_ = w.r.create(ctx) // or the next try does it
	}
}

// follow tells the watcher what a session brings, until the session or ctx ends.
func (w *watch) follow(ctx context.Context, s *session) {
	seen := map[string]bool{} // what there is at the session's beginning; nil once that is complete
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.status:
			return // the connection was lost and is back: who knows what was missed
		case kve, ok := <-s.watcher.Updates():
			switch {
			case !ok:
				return
			case kve == nil:
				w.complete(seen)
				seen = nil
			default:
				if seen != nil && kve.Operation() == jetstream.KeyValuePut {
					seen[kve.Key()] = true
				}
				w.update(kve)
			}
		}
	}
}

// update tells the watcher of one record, if that is news.
func (w *watch) update(kve jetstream.KeyValueEntry) {
	name := kve.Key()
	if kve.Operation() != jetstream.KeyValuePut {
		w.forget(name)
		return
	}
	now := moment{kve.Revision(), kve.Created().UnixNano()}
	if w.known[name] == now {
		return
	}
	e, err := decodeEntry(name, kve.Value())
	if err != nil {
		w.r.skipped(kve, err)
		return
	}
	w.known[name] = now
	w.feed.add(Change{Name: name, Entry: e})
}

// forget tells the watcher that a function it knows is gone.
func (w *watch) forget(name string) {
	if _, ok := w.known[name]; ok {
		delete(w.known, name)
		w.feed.add(Change{Name: name})
	}
}

// complete is called when all that there is has been seen.
func (w *watch) complete(seen map[string]bool) {
	for name := range w.known {
		if !seen[name] {
			w.forget(name)
		}
	}
	if !w.synced {
		w.synced = true
		w.feed.add(Change{Synced: true})
	}
}
