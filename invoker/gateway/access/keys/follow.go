package keys

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

// session is what a table has seen of the bucket between two losses of the connection.
type session struct {
	stream jetstream.Stream
	seen   *objects.Seen
}

// follow reads all keys and then what changes, until all must be read again.
func (t *Table) follow(ctx context.Context, kv jetstream.KeyValue) error {
	nc := t.js.Conn()
	status := nc.StatusChanged(nats.CONNECTED)
	defer nc.RemoveStatusListener(status)
	w, err := kv.WatchAll(ctx, jetstream.UpdatesOnly()) // before what there is is read, so that nothing lies between
	if err != nil {
		return err
	}
	defer stop(w)
	s, err := t.begin(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-status:
			return nil // the connection was lost and is back: who knows what was missed
		case e, ok := <-w.Updates():
			if !ok {
				return nil
			}
			if e != nil {
				t.update(s, e.Key(), storedOf(e))
			}
		case <-tick.C:
			if !t.agrees(ctx, s) {
				return nil
			}
		}
	}
}

// begin reads all that the bucket has.
func (t *Table) begin(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, listing)
	defer cancel()
	is, err := t.js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	all, err := readAll(ctx, t.js)
	if err != nil {
		return nil, err
	}
	s := &session{stream: is, seen: objects.NewSeen(is.CachedInfo().Created.UnixNano(), 0)}
	keys := make(map[string]*Entry, len(all))
	for key, e := range all {
		s.seen.Saw(key, e.revision)
		if id, ok := strings.CutPrefix(key, keyPrefix); ok && !e.deleted {
			t.put(keys, id, t.entry(id, e.value))
		}
	}
	for key, e := range all {
		if id, ok := strings.CutPrefix(key, usedPrefix); ok && keys[id] != nil {
			keys[id].used.Store(parseUse(e.value).Unix())
		}
	}
	t.mu.Lock()
	t.keys = keys
	t.mu.Unlock()
	t.ready()
	return s, nil
}

// update takes note of what has changed.
func (t *Table) update(s *session, key string, e stored) {
	if !s.seen.Saw(key, e.revision) {
		return
	}
	if id, ok := strings.CutPrefix(key, usedPrefix); ok && !e.deleted {
		t.updateUse(id, e.value)
	}
	id, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return
	}
	var entry *Entry
	if !e.deleted {
		entry = t.entry(id, e.value)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if was := t.keys[id]; was != nil && entry != nil {
		entry.used.Store(was.used.Load())
	}
	t.put(t.keys, id, entry)
}

// updateUse takes note of when a key was used, perhaps elsewhere.
func (t *Table) updateUse(id string, b []byte) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.keys[id]; e != nil {
		e.used.Store(parseUse(b).Unix())
	}
}

// put puts an entry into a table's keys, or removes it if it is nil.
func (t *Table) put(keys map[string]*Entry, id string, e *Entry) {
	switch {
	case e == nil:
		delete(keys, id)
	case len(keys) >= MaxKeys && keys[id] == nil:
		t.log.Error("keys: there are too many, so one opens nothing: revoke some", "key", id, "most", MaxKeys)
	default:
		keys[id] = e
	}
}

// entry returns what a record says, or nil for one that cannot be read, which is reported.
func (t *Table) entry(id string, b []byte) *Entry {
	k, d, err := decode(id, b)
	if err != nil {
		t.log.Warn("keys: a record cannot be read, so its key opens nothing; polyvoke key revoke removes it",
			"key", protocol.CleanValue(id, 40), "bucket", Bucket, "err", protocol.CleanValue(err.Error(), MaxNote))
		return nil
	}
	e := &Entry{Key: k, Principal: "key:" + id, digest: d}
	e.Rate, _ = protocol.ParseRate(k.Rate) // decode has checked it
	return e
}

// agrees reports whether the bucket is what a session has seen of it.
func (t *Table) agrees(ctx context.Context, s *session) bool {
	ctx, cancel := context.WithTimeout(ctx, look/2) // changes must not wait for longer
	defer cancel()
	return s.seen.Agrees(ctx, s.stream, &t.accepted)
}
