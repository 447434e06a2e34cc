package registry

import (
	"cmp"
	"context"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

// Watch implements Registry. A watch reads everything, and then follows what changes. It reads everything again
// when the connection is back after a loss, and when the store is not what the watch
// has seen of it: emptied, made anew, or put back to an older state. What the store has lost, and was not removed
// from it, is put back: see restore.go.
func (r *JetStream) Watch(ctx context.Context) (<-chan Change, error) {
	w := &watch{r: r, feed: newMerger(), known: map[string]moment{}, missing: map[string]bool{}}
	modules, err := r.modules.State(ctx)
	if err != nil {
		return nil, objects.Error("watch", err)
	}
	names := &aliasWatch{r: r, to: w.feed, known: map[string]aliased{}}
	if err := names.begin(ctx); err != nil { // before the functions, which are never seen without their aliases
		return nil, objects.Error("watch", err)
	}
	first, err := w.begin(ctx)
	if err != nil {
		return nil, objects.Error("watch", err)
	}
	out := make(chan Change)
	go func() {
		defer close(out)
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx, first) })
		running.Go(func() { names.run(ctx) })
		if !r.cfg.ReadOnly {
			running.Go(func() { w.keepModules(ctx, modules) })
		}
		w.feed.out.pump(ctx, out)
		running.Wait()
	}()
	return out, nil
}

// look is how often a watch asks what the store has.
const look = time.Second

// watch is one watch of a JetStream registry.
type watch struct {
	r        *JetStream
	feed     *merger
	synced   bool
	accepted objects.Gap     // what reading everything again has not closed
	missing  map[string]bool // modules that are gone for good, and were reported

	mu    sync.Mutex        // for those who only read known
	known map[string]moment // the functions that the watcher has been told of, or could not be
}

// moment is what the watcher knows about a function: a state of its record, which is identified even if
// the bucket was created anew.
type moment struct {
	revision uint64
	created  int64
	entry    Entry // the last one that could be read
	err      error // why the present one cannot
}

// session is a watch for as long as the store goes on as it was.
type session struct {
	watcher jetstream.KeyWatcher
	status  chan nats.Status // says when the connection is back
	end     context.CancelFunc
	seen    *objects.Seen
	lost    map[string]record // what stands in the place of records that are to be put back
	retry   time.Time         // when that is tried again
	pause   time.Duration     // after which it was
}

// begin starts a session.
func (w *watch) begin(ctx context.Context) (*session, error) {
	ctx, end := context.WithCancel(ctx)
	s := &session{end: end, status: w.r.js.Conn().StatusChanged(nats.CONNECTED)}
	err := w.read(ctx, s)
	if err != nil {
		w.finish(s)
		return nil, err
	}
	return s, nil
}

// read subscribes to what changes, and only then reads what there is, so that nothing lies between.
func (w *watch) read(ctx context.Context, s *session) error {
	state, err := objects.StateOf(ctx, w.r.records)
	if err != nil {
		return err
	}
	if s.watcher, err = w.r.kv.WatchAll(ctx, jetstream.UpdatesOnly()); err != nil {
		return err
	}
	all, err := w.r.heal(ctx)
	if err != nil {
		return err
	}
	s.seen, s.lost = objects.NewSeen(state.Created, state.Last), map[string]record{}
	inOrder := func(a, b string) int { return cmp.Compare(all[a].seq, all[b].seq) }
	for _, name := range slices.SortedFunc(maps.Keys(all), inOrder) {
		s.seen.Saw(name, all[name].seq)
		w.update(s, name, all[name])
	}
	for name, m := range w.known {
		if rec := all[name]; !rec.there() && !rec.deleted || rec.rotten() && len(m.entry.Versions) > 0 {
			s.lost[name] = rec
		}
	}
	w.putBack(ctx, s)
	if !w.synced {
		w.synced = true
		w.feed.add(Change{Synced: true})
	}
	return nil
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
		if s, err = w.begin(ctx); err != nil && ctx.Err() == nil {
			if try&(try-1) == 0 { // 0, 1, 2, 4, 8 ...
				w.r.cfg.Log.Warn("registry: the watch cannot go on yet", "bucket", w.r.bucket, "try", try+1, "err", err)
			}
			w.r.remake(ctx, err)
		}
	}
}

// remake creates the buckets again if err says that they are gone, unless that is for others to do.
func (r *JetStream) remake(ctx context.Context, err error) {
	if r.cfg.ReadOnly || !objects.Gone(err) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	if err = r.create(ctx); err == nil { // otherwise the next try does it
		r.cfg.Log.Error("registry: a bucket was gone from the store, and is created again", "records", r.bucket)
	}
}

// follow tells the watcher what a session brings, until the session or ctx ends.
func (w *watch) follow(ctx context.Context, s *session) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.status:
			return // the connection was lost and is back: who knows what was missed
		case kve, ok := <-s.watcher.Updates():
			if !ok {
				return
			}
			if kve != nil && s.seen.Saw(kve.Key(), kve.Revision()) {
				delete(s.lost, kve.Key())
				w.update(s, kve.Key(), recordOf(kve, w.r.cfg.knows))
			}
		case <-tick.C:
			if !s.seen.Agrees(ctx, w.r.records, &w.accepted) {
				return
			}
			w.putBack(ctx, s)
		}
	}
}

// recordOf returns the record that a KV watch has brought.
func recordOf(kve jetstream.KeyValueEntry, knows func(word string) bool) record {
	rec := record{seq: kve.Revision(), created: kve.Created()}
	if kve.Operation() != jetstream.KeyValuePut {
		rec.deleted = true
		return rec
	}
	rec.raw = append([]byte{}, kve.Value()...)
	rec.entry, rec.err = decodeEntry(kve.Key(), rec.raw, knows)
	return rec
}

// update tells the watcher of one record, if that is news. One that is known to have been followed by others is the
// state of a store that has lost those.
func (w *watch) update(s *session, name string, rec record) {
	was, known := w.known[name]
	now := moment{revision: rec.seq, created: rec.created.UnixNano(), entry: was.entry, err: rec.err}
	switch {
	case !rec.there():
		if known && rec.deleted {
			w.forget(name)
		}
		return
	case known && was.revision == now.revision && was.created == now.created && (was.err == nil) == (now.err == nil):
		return
	case rec.err == nil && rec.entry.before(was.entry):
		s.lost[name] = rec
		return
	case rec.err != nil:
		if rec.foreign() { // what was known before is not to be served, or put back, any more
			now.entry = Entry{}
		}
		w.feed.add(Change{Name: name, Err: w.r.broken("", name, rec.err)})
	default:
		now.entry = rec.entry
		if was.err != nil || !reflect.DeepEqual(was.entry, rec.entry) {
			w.feed.add(Change{Name: name, Entry: rec.entry})
		}
	}
	w.remember(name, now)
}

func (w *watch) remember(name string, m moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known[name] = m
}

// forget tells the watcher that a function is gone.
func (w *watch) forget(name string) {
	w.mu.Lock()
	delete(w.known, name)
	w.mu.Unlock()
	w.feed.add(Change{Name: name})
}
