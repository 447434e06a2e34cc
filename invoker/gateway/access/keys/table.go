package keys

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	look = time.Second // how often a table asks what the store has, or whether there is one
	hour = time.Hour   // how coarsely it is known when a key was used

	// MaxKeys is how many keys a Table knows. Further ones open nothing, which is reported.
	MaxKeys = 100_000
)

// Entry is a valid key in a Table. It is not to be changed.
type Entry struct {
	Key
	Rate      protocol.Rate // that of Key, read
	Principal string        // "key:ID"

	digest  digest
	used    atomic.Int64 // what the bucket says, in seconds since 1970
	touched atomic.Bool  // its use is to be written
}

// Table knows the keys that are valid now. Its methods may be called from several goroutines.
type Table struct {
	js  jetstream.JetStream
	log *slog.Logger
	now func() time.Time

	known   chan struct{} // closed when the store has answered once
	touched chan *Entry   // whose uses are to be written

	mu   sync.RWMutex
	keys map[string]*Entry

	accepted objects.Gap // what reading everything again has not closed; only Run uses it
}

// NewTable returns a table of the keys on js, empty until Run runs. Now is the clock; log must not be nil.
func NewTable(js jetstream.JetStream, now func() time.Time, log *slog.Logger) *Table {
	return &Table{js: js, log: log, now: now, known: make(chan struct{}), touched: make(chan *Entry, 1024),
		keys: map[string]*Entry{}}
}

// Known is closed when the table knows the keys for the first time. Before that, that a key is not there means nothing.
func (t *Table) Known() <-chan struct{} { return t.known }

// Match returns the entry of a key's text, and nil if there is none. It takes as long for a key that is not there as
// for one with another secret. It does not look at the time.
func (t *Table) Match(text string) *Entry {
	id, ok := split(text)
	if !ok {
		return nil
	}
	t.mu.RLock()
	e := t.keys[id]
	t.mu.RUnlock()
	var nobody digest // nothing has this digest that anybody could find
	want, is := &nobody, digestOf(text)
	if e != nil {
		want = &e.digest
	}
	if !is.is(want) {
		return nil
	}
	return e
}

// Touch takes note that a key is used. Run writes it down, at most once an hour.
func (t *Table) Touch(e *Entry, now time.Time) {
	if now.Unix()-e.used.Load() < int64(hour/time.Second) || e.touched.Load() || !e.touched.CompareAndSwap(false, true) {
		return
	}
	select {
	case t.touched <- e:
	default: // a later use is written
		e.touched.Store(false)
	}
}

// Run follows the store until ctx ends. While the store cannot be reached, the table stays as it is. A store that has
// no bucket has no keys.
func (t *Table) Run(ctx context.Context) {
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() { t.writeUses(ctx) })
	gone := 0
	for try := 0; ctx.Err() == nil; try++ {
		kv, err := t.open(ctx)
		switch {
		case err == nil:
			gone = 0
			if err = t.follow(ctx, kv); err == nil {
				try = 0
			}
		case objects.Gone(err):
			if gone++; gone == 2 { // a server that starts may not know its streams at once
				t.emptied()
			}
			try = 0
		}
		if err != nil && !objects.Gone(err) && ctx.Err() == nil && try&(try-1) == 0 { // 0, 1, 2, 4, 8 ...
			t.log.Warn("keys: the store cannot be read; keys stay as they were", "bucket", Bucket, "err", err)
		}
		wait(ctx, look/4)
	}
}

// wait waits for a time, or for the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// open opens the bucket.
func (t *Table) open(ctx context.Context) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	return t.js.KeyValue(ctx, Bucket)
}

// emptied takes note that there is no bucket.
func (t *Table) emptied() {
	t.mu.Lock()
	lost := len(t.keys)
	clear(t.keys)
	t.mu.Unlock()
	if lost > 0 {
		t.log.Error("keys: their bucket is gone from the store, so no key is valid any more", "bucket", Bucket, "keys", lost)
	}
	t.ready()
}

// ready says that the keys are known. Only Run calls it.
func (t *Table) ready() {
	select {
	case <-t.known:
	default:
		close(t.known)
	}
}
