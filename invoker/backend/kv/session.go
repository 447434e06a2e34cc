package kv

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// errNotGranted is the error of making a key that no grant of the function covers. To open such a key is ENOENT.
const errNotGranted = syscall.EACCES

// errReadOnly is the error of changing what the grant only lets the function read.
var errReadOnly = because(files.ErrReadOnly, `it can only be read: its grant has no access = "rw"`)

// Bounds of what one run holds.
const (
	maxRead    = 64 << 20         // bytes of values that it has read from the server
	maxFolders = 10_000           // that it has made, or emptied
	maxListed  = 250_000          // names in one folder
	maxRename  = 1000             // keys below a folder that gets another name
	leastHeld  = 1 << 20          // bytes of what it writes, whatever limits.output is
	patience   = 10 * time.Second // of one request to NATS
	patient    = 5 * time.Minute  // of a listing
)

// session is a bucket as one run sees it. It is a backend.Session. One goroutine at a time uses it.
type session struct {
	on *mount
	t  *backend.Transaction

	keys    map[string]*entry
	made    map[string]bool // folders that exist although no key need be below them
	order   int             // of the last change
	changes int             // entries that are changed
	ops     int             // that went outside, or would have without the cache
	held    int64           // bytes of contents that the run has written
	read    int64           // bytes of contents that it has read from the server
	listed  bool            // it has seen what keys there are
	last    uint64          // the revision of the bucket at the first listing, if the grant is serializable
	said    map[string]bool // what the function's log was told
	used    *usage          // of the bucket, when it was asked for a quota
}

// entry is a key as the run knows it.
type entry struct {
	key      string
	known    bool     // it has been looked at: revision and existed say what there was
	revision uint64   // of the last message of the key, 0 if there was none
	size     int64    // of the value that there was
	existed  bool     // that message was not one that deletes it
	now      *content // what it is now to the run, nil if it does not exist
	changed  bool     // by the run
	order    int      // of the first change
}

// content is what is in a file. Open files keep theirs when its name goes to another.
type content struct {
	data  []byte
	own   bool // data is that of the run, and not that of others too
	at    time.Time
	entry *entry // whose content it is now, or nil
	users int    // open files
	size  int64  // what it counts in session.held
}

// reason is an error number with what the function's log says about it.
type reason struct {
	error
	text string
}

// Unwrap returns the number.
func (r reason) Unwrap() error { return r.error }

// because returns an error number with a reason for the log.
func because(number error, format string, a ...any) error {
	return reason{number, fmt.Sprintf(format, a...)}
}

// fail returns an error of an operation. The reason for it, if there is one, goes to the function's log, once for each
// name.
func (s *session) fail(op, name string, err error) error {
	var r reason
	if asReason(err, &r) {
		s.say(name, r.text)
		err = r.error
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// asReason reports whether an error is itself a reason, and sets r to it. Reasons are never wrapped.
func asReason(err error, r *reason) (ok bool) {
	*r, ok = err.(reason)
	return ok
}

// say writes a line to the function's log, unless it has one about that already.
func (s *session) say(name, text string) {
	path := s.on.path
	if name != "." {
		path += "/" + name
	}
	if s.said[path+text] || len(s.said) > 100 || s.t.Log == nil {
		return
	}
	if s.said == nil {
		s.said = map[string]bool{}
	}
	s.said[path+text] = true
	s.t.Log(fmt.Sprintf("%.300q: %s", path, text))
}

// result is what a request has come to.
type result[T any] struct {
	value T
	err   error
}

// ask makes a request to NATS, while the process waits. If the wait ends first, the request is canceled.
func ask[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	return askFor(ctx, patience, f)
}

// askFor is ask for a request that may take up to most.
func askFor[T any](ctx context.Context, most time.Duration, f func(context.Context) (T, error)) (T, error) {
	apart, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	done, r := make(chan struct{}), new(result[T])
	go func() {
		defer close(done)
		r.value, r.err = f(apart)
	}()
	if err := files.Wait(ctx, done); err != nil {
		return *new(T), waiting{err}
	}
	return r.value, r.err
}

// waiting is an error of files.Wait, which an operation returns as it is.
type waiting struct{ error }

// another returns an error if the run may make no further operation.
func (s *session) another() error {
	if s.ops+s.changes < s.on.Ops {
		return nil
	}
	return because(files.ErrNoSpace, "the call has made %d operations, which is what its grant allows: give it more "+
		"max_ops", s.on.Ops)
}

// outside counts an operation that goes outside.
func (s *session) outside() error {
	if err := s.another(); err != nil {
		return err
	}
	s.ops++
	return nil
}

// broken returns the error for what NATS has not answered.
func (s *session) broken(ctx context.Context, err error) error {
	if w, ok := err.(waiting); ok {
		return w.error
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return because(syscall.EIO, "%s", away("", s.on.bucket.name, err).Error())
}

// fresh reports whether a key is to be read from the server.
func (s *session) fresh(key string) bool {
	return s.t.Again > 0 || s.on.has(key, func(r rule) bool { return r.consistent })
}

// entry returns what the run knows of a key. It may be nothing.
func (s *session) entry(key string) *entry {
	e := s.keys[key]
	if e == nil {
		if s.keys == nil {
			s.keys = map[string]*entry{}
		}
		e = &entry{key: key}
		s.keys[key] = e
	}
	return e
}

// look returns a key that the run knows, or that it reads now. What the run has made of it stays. A key that is not
// granted, or that is none, is nil.
func (s *session) look(ctx context.Context, key string) (*entry, error) {
	if e := s.keys[key]; e != nil && e.known {
		return e, nil
	}
	if !validKey(key) || !s.on.sees(key) {
		return nil, nil
	}
	if err := s.outside(); err != nil {
		return nil, err
	}
	s.t.Read()
	v, cached := value{}, false
	fresh := s.fresh(key)
	if !fresh {
		v, cached = s.on.bucket.cache.get(key)
	}
	if !cached {
		b := s.on.bucket
		var err error
		v, err = ask(ctx, func(ctx context.Context) (value, error) { return b.get(ctx, key, fresh) })
		if err != nil {
			return nil, s.broken(ctx, err)
		}
		b.cache.note(key, v)
		if s.read += int64(len(v.data)); s.read > maxRead {
			return nil, because(syscall.ENOMEM, "the call has read more than %d MiB of values", maxRead>>20)
		}
	}
	e := s.entry(key)
	e.known, e.revision, e.existed, e.size = true, v.revision, v.exists, int64(len(v.data))
	if v.exists && !e.changed {
		e.now = &content{data: v.data, at: v.at, entry: e}
	}
	return e, nil
}

// find is look for a caller that needs to know only what the file is now, and not what it was.
func (s *session) find(ctx context.Context, key string) (*entry, error) {
	if e := s.keys[key]; e != nil && e.now != nil {
		return e, nil
	}
	return s.look(ctx, key)
}

// isFile reports whether a key exists to the run, and looks at it only if that cannot be known otherwise.
func (s *session) isFile(ctx context.Context, key string) (is bool, err error) {
	if e := s.keys[key]; e != nil && (e.known || e.changed) {
		return e.now != nil, nil
	}
	if !validKey(key) || !s.on.sees(key) {
		return false, nil
	}
	if err := s.settled(ctx); err != nil {
		return false, err
	}
	if c := s.on.bucket.cache; c.index(func() { is = c.items[key].exists }) {
		return is, nil
	}
	e, err := s.look(ctx, key)
	return e != nil && e.now != nil, err
}

// settled waits until the cache has been loaded, or cannot be.
func (s *session) settled(ctx context.Context) error {
	ready := s.on.bucket.cache.loaded()
	if closed(ready) {
		return nil
	}
	return files.Wait(ctx, ready)
}

// isFolder reports whether there is a folder: the run has made it, or a key is below it.
func (s *session) isFolder(ctx context.Context, name string) (is bool, err error) {
	if name == "." || s.made[name] {
		return true, nil
	}
	if !s.reaches(name) {
		return false, nil
	}
	prefix, gone := below(name), 0
	for _, e := range s.keys {
		if (e.known || e.changed) && strings.HasPrefix(e.key, prefix) {
			if e.now != nil {
				return true, nil
			}
			gone++
		}
	}
	if err := s.settled(ctx); err != nil {
		return false, err
	}
	c, count := s.on.bucket.cache, 0
	known := c.index(func() { count = c.folders[name] })
	if known && (count == 0 || count > gone && s.on.all()) {
		return count > 0, nil
	}
	first := func(string) bool {
		is = true
		return false
	}
	if known, err = s.walk(ctx, prefix, first); known || err != nil {
		return is, err
	}
	err = s.scan(ctx, prefix, first)
	return is, err
}

// reaches reports whether a key can be granted below a folder.
func (s *session) reaches(folder string) bool {
	prefix := below(folder)
	if strings.HasPrefix(prefix, internal) || !validKey(prefix+"x") {
		return false
	}
	for _, r := range s.on.rules {
		if r.keys.reaches(prefix) {
			return true
		}
	}
	return false
}

// others reports whether the run can see a key of the bucket, and has no entry of its own for it.
func (s *session) others(key string) bool {
	if e := s.keys[key]; e != nil && (e.known || e.changed) {
		return false
	}
	return s.on.sees(key) && validKey(key)
}

// scan calls do with each key that the server has, that begins so, and that the run can see and knows nothing else
// about, until do returns false. Do runs while the process waits.
func (s *session) scan(ctx context.Context, prefix string, do func(key string) bool) error {
	if err := s.outside(); err != nil {
		return err
	}
	s.t.Read()
	b, stop := s.on.bucket, new(stopped)
	look := func(key string) bool {
		return !strings.HasPrefix(key, prefix) || stop.do(func() bool { return !s.others(key) || do(key) })
	}
	_, err := askFor(ctx, patient, func(ctx context.Context) (struct{}, error) { return struct{}{}, b.list(ctx, look) })
	stop.stop() // what was left behind does not come near the session any more
	if err != nil {
		return s.broken(ctx, err)
	}
	return nil
}

// stopped keeps a function from being called when nobody waits for it any more.
type stopped struct {
	mu  sync.Mutex
	yes bool
}

// do calls f, unless it is stopped. Then it returns false.
func (d *stopped) do(f func() bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.yes && f()
}

// stop stops it.
func (d *stopped) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.yes = true
}

// quickWalk is how many names are looked at while the process keeps its processor: some ten microseconds.
const quickWalk = 1000

// walk is scan for a bucket whose names are in memory. It reports whether they are.
func (s *session) walk(ctx context.Context, prefix string, do func(key string) bool) (known bool, err error) {
	c, stop, all := s.on.bucket.cache, new(stopped), 0
	walk := func() (known bool) {
		return c.index(func() {
			for key, i := range c.items {
				if i.exists && strings.HasPrefix(key, prefix) &&
					!stop.do(func() bool { return !s.others(key) || do(key) }) {
					return
				}
			}
		})
	}
	if c.index(func() { all = len(c.items) }); all <= quickWalk {
		return walk(), nil
	}
	known, err = askFor(ctx, patient, func(context.Context) (bool, error) { return walk(), nil })
	stop.stop()
	if err != nil {
		err = s.broken(ctx, err)
	}
	return known, err
}

// each calls do with each key of the bucket that begins so, and that the run can see and knows nothing else about,
// until do returns false.
func (s *session) each(ctx context.Context, prefix string, do func(key string) bool) error {
	if err := s.listing(ctx); err != nil {
		return err
	}
	consistent := s.on.serial // what the cache lists may be older than what listing has noted
	for _, r := range s.on.rules {
		consistent = consistent || r.consistent
	}
	if !consistent && s.t.Again == 0 {
		if err := s.settled(ctx); err != nil {
			return err
		}
		if known, err := s.walk(ctx, prefix, do); known || err != nil {
			s.t.Read()
			return cmp.Or(err, s.outside())
		}
	}
	return s.scan(ctx, prefix, do)
}

// listing takes note that the run has seen which keys there are, which a serializable grant checks.
func (s *session) listing(ctx context.Context) error {
	if s.listed || !s.on.serial {
		return nil
	}
	b := s.on.bucket
	last, err := ask(ctx, func(ctx context.Context) (uint64, error) {
		info, err := b.state(ctx)
		if err != nil {
			return 0, err
		}
		return info.State.LastSeq, nil
	})
	if err != nil {
		return s.broken(ctx, err)
	}
	s.listed, s.last = true, last
	return nil
}

// change takes note that an entry is changed.
func (s *session) change(e *entry) error {
	if e.changed {
		return nil
	}
	if err := s.another(); err != nil {
		return err
	}
	s.order++
	s.changes++
	e.changed, e.order = true, s.order
	return nil
}

// settle forgets that an entry was changed, if it is again what it was at first: nothing.
func (s *session) settle(e *entry) {
	if e.changed && e.known && !e.existed && e.now == nil {
		e.changed = false
		s.changes--
	}
}

// give gives an entry another content, or none.
func (s *session) give(e *entry, c *content) {
	if old := e.now; old != nil {
		old.entry = nil
		s.release(old)
	}
	e.now = c
	if c != nil {
		c.entry = e
	}
}

// release gives back the room of content that nothing refers to any more.
func (s *session) release(c *content) {
	if c.entry == nil && c.users == 0 {
		s.held -= c.size
		c.data, c.size = nil, 0
	}
}

// room returns how many bytes the run may hold of what it writes.
func (s *session) room() int64 { return max(s.t.Output, leastHeld) }

// resize gives content another size, and makes it the run's own.
func (s *session) resize(c *content, size int64) error {
	if most := s.on.bucket.maxValue(); size > most {
		return because(files.ErrTooLarge, "a value has at most %d bytes: that is NATS's max_payload less headers, or the "+
			"bucket's max-value-size; grant an obj for what is larger", most)
	}
	if s.held+size-c.size > s.room() {
		return because(files.ErrNoSpace, "the call has written %d bytes, which is what limits.output allows", s.room())
	}
	if c.entry != nil {
		if err := s.change(c.entry); err != nil {
			return err
		}
	}
	old := int64(len(c.data))
	switch {
	case size == 0:
		c.data = nil
	case !c.own || size > int64(cap(c.data)) || size < int64(cap(c.data))/2:
		room := size
		if size > old && c.own { // what is written piece by piece is not copied with each
			room = max(size, min(2*old, s.on.bucket.maxValue()))
		}
		moved := make([]byte, size, room)
		copy(moved, c.data)
		c.data = moved
	default:
		c.data = c.data[:size]
		clear(c.data[min(old, size):])
	}
	s.held += size - c.size
	c.own, c.size, c.at = true, size, time.Now()
	return nil
}

// Tree implements backend.Session.
func (s *session) Tree() files.Tree {
	if s.on.writes {
		return &tree{s}
	}
	return &readTree{session: s}
}

// End implements backend.Session.
func (s *session) End() { s.keys, s.made, s.said = nil, nil, nil }
