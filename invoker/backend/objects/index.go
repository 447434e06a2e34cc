package objects

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
)

const (
	// maxNames is how many objects a bucket can have whose names a process wants to see, and maxNameBytes how long
	// they are together. So a list takes 50 MB at most.
	maxNames     = 100_000
	maxNameBytes = 16 << 20

	verifyAfter = time.Second     // since the list was compared with the state of the stream
	renewAfter  = 5 * time.Minute // since it was made: descriptions that were purged are forgotten then
)

// errTooMany is why a list cannot be had.
var errTooMany = errors.New("the bucket has more objects than can be listed")

// index is the list of the objects of a bucket, which is brought up to date by one request when a run wants to see it.
type index struct {
	store *objects.Bucket
	turn  chan struct{} // holds one value while a run brings it up to date

	mu          sync.Mutex
	next        uint64 // the sequence of what is not in it
	made        time.Time
	verified    time.Time
	created     int64 // when the stream was
	root        *folder
	count       int64 // of objects
	bytes       int64 // of their content
	nameBytes   int64
	tooManyHere bool
}

// folder is what an index has below a name.
type folder struct {
	files   map[string]entry
	folders map[string]*folder
}

// entry is an object of an index.
type entry struct {
	size   int64
	stored time.Time
}

// newIndex returns the index of a bucket, which knows nothing.
func newIndex(store *objects.Bucket) index {
	return index{store: store, turn: make(chan struct{}, 1), root: new(folder)}
}

// update brings the list up to date.
func (x *index) update(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := x.verify(ctx); err != nil {
		return err
	}
	x.mu.Lock()
	next := x.next
	x.mu.Unlock()
	next, err := x.store.Since(ctx, next, func(o objects.Object) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.put(o)
	})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.next, x.tooManyHere = next, errors.Is(err, errTooMany)
	if err != nil {
		x.forget()
	}
	return err
}

// verify forgets all if the bucket is another one than that of which the list was made, or if the list is old.
func (x *index) verify(ctx context.Context) error {
	now := time.Now()
	x.mu.Lock()
	sure := now.Sub(x.verified) < verifyAfter
	x.mu.Unlock()
	if sure {
		return nil
	}
	state, err := x.store.State(ctx)
	x.mu.Lock()
	defer x.mu.Unlock()
	if err != nil || state.Created != x.created || state.Last+1 < x.next || now.Sub(x.made) > renewAfter {
		x.forget()
		x.created, x.made = state.Created, now
	}
	if err == nil {
		x.verified = now
	}
	return err
}

// forget makes the list one that knows nothing. The caller holds the mutex, as that of all below does.
func (x *index) forget() {
	x.next, x.root, x.count, x.bytes, x.nameBytes = 0, new(folder), 0, 0, 0
	x.made, x.verified = time.Time{}, time.Time{}
}

// put notes what the bucket says about an object.
func (x *index) put(o objects.Object) error {
	name := o.Info.Name
	if checkName(name) != nil || name == "." {
		return nil // no path leads there
	}
	f, old, was := x.get(name)
	if was {
		x.count, x.bytes, x.nameBytes = x.count-1, x.bytes-old.size, x.nameBytes-int64(len(name))
	}
	if !o.Live() {
		if was {
			x.root.remove(name)
		}
		return nil
	}
	if f == nil {
		f = x.root.make(name)
	}
	size := sizeOf(o)
	x.count, x.bytes, x.nameBytes = x.count+1, x.bytes+size, x.nameBytes+int64(len(name))
	if x.count > maxNames || x.nameBytes > maxNameBytes {
		return errTooMany
	}
	if f.files == nil {
		f.files = map[string]entry{}
	}
	f.files[last(name)] = entry{size, o.Stored}
	return nil
}

// get returns the folder that a name is in, if there is one, and the entry, if there is one.
func (x *index) get(name string) (in *folder, e entry, ok bool) {
	in = x.root
	for {
		first, rest, more := strings.Cut(name, "/")
		if in == nil || !more {
			break
		}
		in, name = in.folders[first], rest
	}
	if in != nil {
		e, ok = in.files[name]
	}
	return in, e, ok
}

// at returns the folder with a name, or nil.
func (x *index) at(name string) *folder {
	if name == "." {
		return x.root
	}
	in, _, _ := x.get(name + "/")
	return in
}

// make returns the folder that a name is in.
func (f *folder) make(name string) *folder {
	first, rest, more := strings.Cut(name, "/")
	if !more {
		return f
	}
	if f.folders == nil {
		f.folders = map[string]*folder{}
	}
	if f.folders[first] == nil {
		f.folders[first] = new(folder)
	}
	return f.folders[first].make(rest)
}

// remove takes an object out, and folders in which nothing is left.
func (f *folder) remove(name string) {
	first, rest, more := strings.Cut(name, "/")
	if !more {
		delete(f.files, name)
		return
	}
	if in := f.folders[first]; in != nil {
		in.remove(rest)
		if len(in.files)+len(in.folders) == 0 {
			delete(f.folders, first)
		}
	}
}

// last returns the last part of a name.
func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// join returns the name of something in a folder.
func join(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
}

// walk calls each for the names of all objects in a folder and below it, until each returns false. It reports whether
// each never did.
func (f *folder) walk(name string, each func(name string) bool) bool {
	if f == nil {
		return true
	}
	for n := range f.files {
		if !each(join(name, n)) {
			return false
		}
	}
	for n, in := range f.folders {
		if !in.walk(join(name, n), each) {
			return false
		}
	}
	return true
}

// sizeOf returns the size of an object. A description may say anything.
func sizeOf(o objects.Object) int64 { return int64(min(o.Info.Size, 1<<62)) }

// checkName returns why a name is none of an object that a process can open.
func checkName(name string) error {
	if !fs.ValidPath(name) {
		return fs.ErrInvalid
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] == 0x7f {
			return fs.ErrInvalid
		}
	}
	if len(name) > objects.MaxName {
		return errNameTooLong
	}
	return nil
}
