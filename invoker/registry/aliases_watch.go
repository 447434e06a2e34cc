package registry

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// aliasWatch follows the bucket of aliases, which need not be there, for one watch of a JetStream registry. What the
// store has lost, and was not removed from it, is put back, as records are. One goroutine uses it at a time.
type aliasWatch struct {
	r        *JetStream
	to       *merger
	known    map[string]aliased // by key, without those that were removed
	accepted objects.Gap
	now      *aliasSession // nil while there is no bucket
}

// aliasSession is a watch for as long as the bucket goes on as it was.
type aliasSession struct {
	end     context.CancelFunc
	stream  jetstream.Stream
	watcher jetstream.KeyWatcher
	status  chan nats.Status
	seen    *objects.Seen
}

// begin reads all aliases and follows what changes, if there is a bucket.
func (w *aliasWatch) begin(ctx context.Context) error {
	if w.r.cfg.Runtimes {
		return nil
	}
	kv, err := w.r.aliasBucket(ctx, len(w.known) > 0 && !w.r.cfg.ReadOnly)
	if err != nil || kv == nil {
		return err
	}
	ctx, end := context.WithCancel(ctx)
	s := &aliasSession{end: end, status: w.r.js.Conn().StatusChanged(nats.CONNECTED)}
	if err := w.read(ctx, s, kv); err != nil {
		w.finish(s)
		return err
	}
	w.now = s
	return nil
}

// read subscribes to what changes, and only then reads what there is, so that nothing lies between.
func (w *aliasWatch) read(ctx context.Context, s *aliasSession, kv jetstream.KeyValue) (err error) {
	if s.stream, err = w.r.js.Stream(ctx, "KV_"+BucketAliases); err != nil {
		return err
	}
	state, err := objects.StateOf(ctx, s.stream)
	if err != nil {
		return err
	}
	if s.watcher, err = kv.WatchAll(ctx, jetstream.UpdatesOnly()); err != nil {
		return err
	}
	all, err := w.r.readAliases(ctx, "*")
	if err != nil {
		return err
	}
	s.seen = objects.NewSeen(state.Created, state.Last)
	there := map[string]bool{}
	for _, a := range all {
		key := a.Function + "." + a.Alias
		there[key] = true
		s.seen.Saw(key, a.seq)
		w.update(key, a)
	}
	for key, a := range w.known {
		if !there[key] {
			w.putBack(ctx, kv, key, a)
		}
	}
	return nil
}

// putBack writes an alias that the store has lost, unless somebody was quicker.
func (w *aliasWatch) putBack(ctx context.Context, kv jetstream.KeyValue, key string, a aliased) {
	if w.r.cfg.ReadOnly {
		return // the watch brings what others put back
	}
	_, err := kv.Create(ctx, key, a.raw)
	if err != nil && !lost(err) {
		w.r.cfg.Log.Error("registry: the store has lost an alias that was not removed, and does not take it back",
			"alias", key, "err", err)
		return
	}
	w.r.cfg.Log.Error("registry: the store had lost an alias that was not removed; it is put back", "alias", key)
}

// update tells of an alias, if that is news. One that cannot be read stays what it was.
func (w *aliasWatch) update(key string, a aliased) {
	was, known := w.known[key]
	switch {
	case a.Removed:
		if known {
			delete(w.known, key)
			w.to.alias(a.AliasState)
		}
	case a.Damage != "":
		w.r.cfg.Log.Error("registry: an alias cannot be read, and stays what it was; polyvoke alias set mends it",
			"alias", key, "revision", a.seq, "err", a.Damage)
	case !known || was.seq != a.seq || !was.Created.Equal(a.Created):
		w.known[key] = a
		w.to.alias(a.AliasState)
	}
}

// run follows one session after the other until ctx ends.
func (w *aliasWatch) run(ctx context.Context) {
	if w.r.cfg.Runtimes {
		return
	}
	for try := 0; ; try++ {
		if w.now != nil {
			w.follow(ctx, w.now)
			w.finish(w.now)
			w.now, try = nil, 0
		}
		pause := time.NewTimer(look)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		if err := w.begin(ctx); err != nil && ctx.Err() == nil && try&(try-1) == 0 {
			w.r.cfg.Log.Warn("registry: the watch of aliases cannot go on yet", "try", try+1, "err", err)
		}
	}
}

// follow tells of what a session brings, until the session or ctx ends.
func (w *aliasWatch) follow(ctx context.Context, s *aliasSession) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.status:
			return // who knows what was missed
		case e, ok := <-s.watcher.Updates():
			if !ok {
				return
			}
			if e == nil || !s.seen.Saw(e.Key(), e.Revision()) {
				continue
			}
			if name, alias, ok := parseAliasKey(e.Key()); ok {
				w.update(e.Key(), aliasOf(e, name, alias))
			}
		case <-tick.C:
			if !s.seen.Agrees(ctx, s.stream, &w.accepted) {
				return
			}
		}
	}
}

// finish ends a session and waits until nothing of it runs.
func (w *aliasWatch) finish(s *aliasSession) {
	s.end()
	w.r.js.Conn().RemoveStatusListener(s.status)
	if s.watcher != nil {
		stop(s.watcher)
	}
}
