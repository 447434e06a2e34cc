package registry

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// A record can be gone from the store without having been removed: its bucket was deleted, the server came back
// without its files or with older ones, or cannot read them. Whoever watches still has it, and puts it back, unless
// somebody else was quicker. A removal is a record too, which says so; so what was removed stays removed, unless that
// note is lost with everything else.

// putBack puts what the watcher knows in the place of records that the store has lost, and tries again what it does
// not take, after a second at first and 4 s at last.
func (w *watch) putBack(ctx context.Context, s *session) {
	if w.r.cfg.ReadOnly {
		clear(s.lost) // the watch brings what others put back
	}
	if len(s.lost) == 0 || time.Now().Before(s.retry) {
		return
	}
	for name, is := range s.lost {
		if w.putBackOne(ctx, name, is) {
			delete(s.lost, name) // the watch brings what is there now
		}
	}
	if len(s.lost) == 0 {
		s.pause = 0
		return
	}
	s.pause = min(max(look, 2*s.pause), 4*time.Second)
	s.retry = time.Now().Add(s.pause)
}

// putBackOne puts one record back, and reports whether somebody has.
func (w *watch) putBackOne(ctx context.Context, name string, is record) bool {
	m, log := w.known[name], w.r.cfg.Log
	if len(m.entry.Versions) == 0 { // it could never be read, and now it is gone
		w.forget(name)
		return true
	}
	err := w.r.putBack(ctx, m.entry, is)
	if err == nil || lost(err) {
		log.Error("registry: the store had lost a function that was not removed; it is put back",
			"function", name, "bucket", w.r.bucket)
		return true
	}
	log.Error("registry: the store has lost a function that was not removed, and does not take it back yet",
		"function", name, "bucket", w.r.bucket, "err", err)
	m.err = protocol.Errorf(protocol.CodeUnavailable, "",
		"the store has lost the function, and does not take it back yet: %w", err)
	w.remember(name, m)
	w.feed.add(Change{Name: name, Err: m.err})
	return false
}

// putBack writes an entry in the place of a record that is gone, and before it the modules that are gone too.
func (r *JetStream) putBack(ctx context.Context, e Entry, is record) error {
	b, _, err := encodeEntry(e, r.maxRecord(), named{})
	if err != nil {
		return err
	}
	for digest := range e.digests() {
		module := r.copies.get(digest)
		if module == nil {
			continue // the store has it, or the next look says that it is missing
		}
		claim, err := r.claim(ctx, digest, module)
		if err != nil {
			return err
		}
		defer func() { r.garbage(digest, r.unclaim(context.WithoutCancel(ctx), claim, digest)) }()
	}
	return r.write(ctx, e.Name, b, is)
}

const (
	settle   = time.Minute // until all modules are looked at for the first time: a start has more urgent things to do
	everyone = time.Hour   // until they are looked at again if nothing has changed
)

// keepModules looks after the modules that the known functions run, until ctx ends: each is in the store, with all of
// its chunks, and there is a copy of it here. What a Put left behind that died is removed.
func (w *watch) keepModules(ctx context.Context, was objects.State) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	k := stocktaking{w: w, was: was, all: time.Now().Add(settle)}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			k.look(ctx)
		}
	}
}

// stocktaking is what a watch knows of the bucket of modules.
type stocktaking struct {
	w    *watch
	was  objects.State // what the bucket was when each module was asked for
	next time.Time     // not before that they are asked for again
	all  time.Time     // then they are, even if nothing has changed
}

// look asks whether the bucket is there and is as it was. Only when it has changed is each module asked for, and that
// takes a fiftieth of the time at most. A bucket that was gone is made and filled at once.
func (k *stocktaking) look(ctx context.Context) {
	now, err := k.w.r.modules.State(ctx)
	begin := time.Now()
	full := begin.After(k.all)
	if err == nil {
		if now == k.was && !full || begin.Before(k.next) {
			return
		}
		err = k.w.stock(ctx)
		k.next = time.Now().Add(50 * time.Since(begin))
	}
	k.was = now
	switch {
	case ctx.Err() != nil:
	case err != nil:
		k.was = objects.State{}
		if objects.Gone(err) {
			k.next = time.Time{}
		}
		k.w.r.remake(ctx, err)
	case full:
		k.all = time.Now().Add(everyone)
		k.w.r.tidy(ctx)
	}
}

// tidy removes garbage, here and in the store.
func (r *JetStream) tidy(ctx context.Context) {
	r.copies.tidy()
	if err := r.sweep(ctx, orphanAge); err != nil && ctx.Err() == nil {
		r.cfg.Log.Warn("registry: garbage stays until the next look", "bucket", r.bucket, "err", err)
	}
}

// stock puts modules back into the store that it has lost, and keeps copies of all others.
func (w *watch) stock(ctx context.Context) error {
	users := w.users()
	gone, err := w.r.modules.Missing(ctx, maps.Keys(users))
	if err != nil {
		return err
	}
	still := w.users() // some may have been gone because nobody needs them any more
	for _, digest := range gone {
		if still[digest] != "" {
			err = errors.Join(err, w.returnModule(ctx, digest, users[digest]))
		}
		delete(users, digest)
	}
	for digest, function := range users {
		w.copyModule(ctx, digest, function)
	}
	return errors.Join(err, ctx.Err())
}

// copyModule sees to it that there is a copy of a module which the store has.
func (w *watch) copyModule(ctx context.Context, digest, function string) {
	if w.r.copies.folder != "" && !w.r.copies.have(digest) {
		if _, err := w.r.Module(ctx, digest); err != nil { // which keeps a copy
			if !w.missing[digest] {
				w.r.cfg.Log.Error("registry: a module cannot be read: deploy its function again", "function", function, "err", err)
			}
			w.missing[digest] = true
			return
		}
	}
	delete(w.missing, digest)
}

// users returns the modules that are needed, and a function for each that needs it.
func (w *watch) users() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	users := map[string]string{}
	for name, m := range w.known {
		for digest := range m.entry.digests() {
			users[digest] = name
		}
	}
	return users
}

// returnModule puts a module back into the store. What it cannot do is reported once; the error is that of a store
// that does not take the module, which is tried again.
func (w *watch) returnModule(ctx context.Context, digest, function string) error {
	log := w.r.cfg.Log.With("function", function, "digest", digest)
	module := w.r.copies.get(digest)
	if module == nil {
		if !w.missing[digest] {
			log.Error("registry: the store has lost a module, and there is no copy of it here: deploy its function again")
		}
		w.missing[digest] = true
		return nil
	}
	claim, err := w.r.claim(ctx, digest, module)
	if err == nil {
		// And nothing more: its record may be gone at this moment too.
		err = w.r.unclaim(context.WithoutCancel(ctx), claim, digest)
	}
	switch {
	case err == nil:
		delete(w.missing, digest)
		log.Error("registry: the store had lost a module; it is put back")
	case !w.missing[digest]:
		w.missing[digest] = true
		log.Error("registry: the store has lost a module, and does not take it back yet", "err", err)
	}
	return err
}
