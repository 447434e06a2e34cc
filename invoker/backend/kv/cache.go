package kv

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// limits bound what a cache holds.
type limits struct {
	keys  int   // with their values
	bytes int64 // of them
	names int   // without their values
}

// defaultLimits are those of the bucket of a version.
var defaultLimits = limits{keys: 10_000, bytes: 16 << 20, names: 250_000}

// checkEvery is how often a cache is compared with the server. A bucket that was deleted or purged is noticed by then.
const checkEvery = 2 * time.Second

// keyCost is what a key takes besides its name and value, in bytes.
const keyCost = 128

// level is how much of a bucket a cache has.
type level int

// The levels.
const (
	none   level = iota // it is loading, or the bucket is away, or too large
	names               // which keys there are
	values              // all of it
)

// cache is a bucket in memory, which a watcher keeps. What it says is as old as the watcher is late. Its methods may be
// called from several goroutines.
type cache struct {
	every time.Duration
	most  limits
	said  string // what the operator was told last; of the goroutine that watches
	end   context.CancelFunc
	ended sync.WaitGroup

	mu      sync.RWMutex
	level   level
	ready   chan struct{} // closed when it has been loaded, or could not be
	items   map[string]item
	folders map[string]int // how many keys there are below each
	bytes   int64
	live    int             // keys that exist
	seen    uint64          // the highest revision
	doubts  map[string]bool // keys that are known to have changed
}

// item is a key in a cache. One that was deleted stays, for its revision.
type item struct {
	revision uint64
	exists   bool
	data     []byte
	at       time.Time
}

// newCache returns a cache that is loading. Zeros are the defaults.
func newCache(every time.Duration, most limits) *cache {
	if most == (limits{}) {
		most = defaultLimits
	}
	c := &cache{every: cmp.Or(every, checkEvery), most: most}
	c.clear()
	return c
}

// clear forgets all that there is. The caller holds the mutex, or is alone.
func (c *cache) clear() {
	if c.ready == nil || closed(c.ready) {
		c.ready = make(chan struct{})
	}
	c.level, c.bytes, c.live, c.seen = none, 0, 0, 0
	c.items, c.folders, c.doubts = map[string]item{}, map[string]int{}, map[string]bool{}
}

// closed reports whether a channel is.
func closed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// start begins to watch. stop ends it.
func (c *cache) start(b *bucket) {
	ctx, cancel := context.WithCancel(context.Background())
	c.end = cancel
	c.ended.Go(func() { c.run(ctx, b) })
}

// stop ends what start began, and returns when nothing of it runs any more.
func (c *cache) stop() {
	c.end()
	c.ended.Wait()
}

// get returns a key, if the cache knows it.
func (c *cache) get(key string) (v value, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.level != values || len(c.doubts) > 0 && c.doubts[key] {
		return value{}, false
	}
	i := c.items[key]
	return value{revision: i.revision, exists: i.exists, data: i.data, at: i.at}, true
}

// index calls do with the cache, locked, if it knows all names. Do must not wait.
func (c *cache) index(do func()) (known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.level == none {
		return false
	}
	do()
	return true
}

// loaded returns a channel that is closed when the cache has been loaded, or cannot be.
func (c *cache) loaded() <-chan struct{} {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ready
}

// doubt has a key read from the server until the watcher says more of it.
func (c *cache) doubt(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.level == values {
		c.doubts[key] = true
	}
}

// note takes note of a key that was read from the server or written, before the watcher has it.
func (c *cache) note(key string, v value) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.level != none && v.revision > 0 && !isInternal(key) {
		c.put(key, item{v.revision, v.exists, v.data, v.at})
	}
}

// put replaces what is older. The caller holds the mutex.
func (c *cache) put(key string, i item) {
	if c.level == names {
		i.data = nil
	}
	old, had := c.items[key]
	if had && old.revision > i.revision {
		return
	}
	delete(c.doubts, key)
	c.items[key] = i
	c.bytes += int64(len(i.data) - len(old.data))
	if !had {
		c.bytes += int64(len(key)) + keyCost
	}
	if had && old.exists == i.exists || !had && !i.exists {
		return
	}
	step := 1
	if !i.exists {
		step = -1
	}
	c.live += step
	above(key, func(folder string) bool {
		if c.folders[folder] += step; c.folders[folder] == 0 {
			delete(c.folders, folder)
		}
		return true
	})
}

// errLarger ends a watch of a bucket that has become too large for its level.
var errLarger = errors.New("it has become too large")

// errStale ends a watch that does not say any more what the bucket is.
var errStale = errors.New("it is not what was watched")

// errForgets is why a bucket is not watched whose keys come to an end without a message.
var errForgets = errors.New("its keys expire, and it has no limit_markers that say so")

// run watches until ctx ends, whatever becomes of the bucket.
func (c *cache) run(ctx context.Context, b *bucket) {
	want := values
	for ctx.Err() == nil {
		level, err := c.watch(ctx, b, want)
		if want = values; c.whole() {
			c.said = "" // what is wrong now is new
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLarger):
			if want = level - 1; want > none {
				continue
			}
			want = values // when it has become small again
			c.say(b, "a bucket is too large for its names to be kept in memory: it is read from the server")
		case errors.Is(err, errStale):
			continue
		case err != nil:
			c.say(b, "a bucket cannot be watched: it is read from the server", "err", err)
		}
		c.fail()
		c.rest(ctx)
	}
}

// whole reports whether the cache has all of the bucket, or had until now.
func (c *cache) whole() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.level == values
}

// say tells the operator something that is not what was said last.
func (c *cache) say(b *bucket, text string, with ...any) {
	if c.said != text {
		b.kind.log().Warn(text, append([]any{"bucket", b.name}, with...)...)
		c.said = text
	}
}

// fail lets those that wait for the cache go on without it.
func (c *cache) fail() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clear()
	close(c.ready)
}

// rest pauses before the next attempt.
func (c *cache) rest(ctx context.Context) {
	t := time.NewTimer(c.every)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// watch loads the bucket, at most at a level, and follows it. It returns why that has ended, and the level.
func (c *cache) watch(ctx context.Context, b *bucket, most level) (level, error) {
	info, err := b.state(ctx)
	if err != nil {
		return none, err
	}
	s := settingsOf(info, info.Config)
	b.settings.Store(s)
	level := min(c.fits(info), most)
	switch {
	case s.forgets:
		return none, errForgets
	case level == none:
		return names, errLarger
	}
	kv, err := b.kind.JetStream.KeyValue(ctx, b.name)
	if err != nil {
		return level, err
	}
	var options []jetstream.WatchOpt
	if level == names {
		options = append(options, jetstream.MetaOnly())
		c.say(b, "a bucket is too large to be kept in memory: its values are read from the server")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := kv.WatchAll(ctx, options...)
	if err != nil {
		return level, err
	}
	defer func() { _ = w.Stop() }() // it may have ended with the connection
	c.mu.Lock()
	c.clear()
	c.mu.Unlock()
	return level, c.follow(ctx, b, w, level, info)
}

// fits returns how much of a bucket has room here, as far as its state tells.
func (c *cache) fits(info *jetstream.StreamInfo) level {
	history := max(uint64(info.Config.MaxMsgsPerSubject), 1)
	switch s := info.State; {
	case int64(s.NumSubjects) > int64(c.most.names):
		return none
	case s.NumSubjects > uint64(c.most.keys), s.Bytes/history > uint64(c.most.bytes):
		return names
	}
	return values
}

// follow takes what a watcher says until it ends, or is found not to be true.
func (c *cache) follow(ctx context.Context, b *bucket, w jetstream.KeyWatcher, level level,
	info *jetstream.StreamInfo) error {
	check := time.NewTicker(c.every)
	defer check.Stop()
	reached := uint64(0) // what was seen at the last check
	for loaded := false; ; {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return errStale
			case e == nil:
				loaded = true
				c.begin(level, info.State.LastSeq)
			case !c.take(e, level):
				return errLarger
			}
		case <-check.C:
			err := error(nil)
			if loaded {
				err = c.check(ctx, b, level, info.Created, &reached)
			} else {
				err = c.progress(&reached)
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin opens the cache to questions.
func (c *cache) begin(level level, seen uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.level, c.seen = level, max(c.seen, seen)
	if !closed(c.ready) {
		close(c.ready)
	}
}

// take takes what a watcher says of a key. It reports whether there is room for it.
func (c *cache) take(e jetstream.KeyValueEntry, level level) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = max(c.seen, e.Revision())
	if isInternal(e.Key()) {
		return true
	}
	i := item{revision: e.Revision(), exists: e.Operation() == jetstream.KeyValuePut, at: e.Created()}
	if level == values && i.exists {
		i.data = e.Value()
	}
	c.put(e.Key(), i)
	if level == values {
		return len(c.items) <= c.most.keys && c.bytes <= c.most.bytes
	}
	return len(c.items) <= c.most.names
}

// errSilent is why the load of a bucket is given up, so that nobody waits for it any more.
var errSilent = errors.New("NATS sends nothing of it")

// progress looks whether more has come since the last check.
func (c *cache) progress(reached *uint64) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.seen == *reached {
		return errSilent
	}
	*reached = c.seen
	return nil
}

// check compares the cache with the server: whether it is the same bucket, whether it was purged, and whether the
// watcher moves on.
func (c *cache) check(ctx context.Context, b *bucket, level level, created time.Time, reached *uint64) error {
	ctx, cancel := context.WithTimeout(ctx, c.every)
	defer cancel()
	info, err := b.state(ctx)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return err
	case err != nil:
		return nil // NATS is away: what is known is as good as it was
	case !info.Created.Equal(created):
		return errStale
	}
	b.settings.Store(settingsOf(info, info.Config))
	if level == names && info.State.NumSubjects < uint64(c.most.keys)/2 && info.State.Bytes < uint64(c.most.bytes)/2 {
		return errStale // it has become small again
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, i := range c.items {
		if i.exists && i.revision < info.State.FirstSeq {
			return errStale
		}
	}
	if stuck := c.seen == *reached && c.seen < info.State.LastSeq; stuck {
		return errStale
	}
	*reached = c.seen
	return nil
}
