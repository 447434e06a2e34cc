package files

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// EntryCost is what a file or folder takes of the room of a Memory besides its content and its name, in bytes. It
// bounds how many there can be.
const EntryCost = 256

// Memory is a Tree in memory that can be written, such as a /tmp. It is Inline. Any number of goroutines may use it,
// but what they write at once comes in any order.
type Memory struct {
	mu   sync.Mutex
	root node
	room int64 // that is left
	now  func() time.Time
}

// node is a file or folder.
type node struct {
	content []byte
	folder  map[string]*node // nil for a file
	changed time.Time
	users   int  // of a file: how many have it open
	gone    bool // no folder has it any more
}

var _ Inline = (*Memory)(nil)

// NewMemory returns an empty tree for room bytes. What would be more is ErrNoSpace. Each entry takes EntryCost and
// the length of its name, and a file its size, with what it has of gaps. The memory of a file that has grown is up to
// twice its size.
func NewMemory(room int64) *Memory {
	t := &Memory{room: room, now: time.Now}
	t.root = node{folder: map[string]*node{}, changed: t.now()}
	return t
}

// Inline implements Inline.
func (t *Memory) Inline() {}

// Room returns how many bytes are left.
func (t *Memory) Room() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.room
}

// find returns what has a name. The caller holds the mutex, as that of all below does.
func (t *Memory) find(name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	n := &t.root
	if name == "." {
		return n, nil
	}
	for rest, more := name, true; more; {
		var first string
		first, rest, more = strings.Cut(rest, "/")
		if n.folder == nil {
			return nil, ErrNotDir
		}
		if n = n.folder[first]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parent returns the folder that a name is in, and the last part of the name.
func (t *Memory) parent(name string) (in *node, last string, err error) {
	if name == "." {
		return nil, "", ErrBusy
	}
	if in, err = t.find(path.Dir(name)); err != nil {
		return nil, "", err
	}
	if in.folder == nil {
		return nil, "", ErrNotDir
	}
	return in, path.Base(name), nil
}

// take takes room, or gives it back if n is below 0.
func (t *Memory) take(n int64) error {
	if n > t.room {
		return ErrNoSpace
	}
	t.room -= n
	return nil
}

// add puts a new file or folder into a folder.
func (t *Memory) add(in *node, name string, n *node) error {
	if err := t.take(EntryCost + int64(len(name))); err != nil {
		return err
	}
	n.changed = t.now()
	in.folder[name], in.changed = n, n.changed
	return nil
}

// drop takes an entry out of a folder. The content stays for those who have it open.
func (t *Memory) drop(in *node, name string) {
	n := in.folder[name]
	delete(in.folder, name)
	in.changed = t.now()
	t.room += EntryCost + int64(len(name))
	n.gone = true
	t.release(n)
}

// release gives back the room of content that nobody can come to any more.
func (t *Memory) release(n *node) {
	if n.gone && n.users == 0 {
		t.room += int64(len(n.content))
		n.content = nil
	}
}

// resize gives a file another size.
func (t *Memory) resize(n *node, size int64) error {
	old := int64(len(n.content))
	if err := t.take(size - old); err != nil {
		return err
	}
	switch room := int64(cap(n.content)); {
	case size == 0:
		n.content = nil
	case size > room || size < room/2: // so no file has more than twice of what it takes
		if room = size; size > old { // what is written piece by piece is not copied with each
			room = max(size, min(2*old, size+t.room))
		}
		moved := make([]byte, size, room)
		copy(moved, n.content)
		n.content = moved
	default:
		n.content = n.content[:size]
		clear(n.content[min(old, size):])
	}
	n.changed = t.now()
	return nil
}

// Open implements Tree.
func (t *Memory) Open(_ context.Context, name string, how Flags) (File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.open(name, how)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	n.users++
	return &memoryFile{tree: t, node: n, how: how}, nil
}

// open finds or makes the file.
func (t *Memory) open(name string, how Flags) (*node, error) {
	n, err := t.find(name)
	switch {
	case err == nil && how.Has(Create|Exclusive):
		return nil, fs.ErrExist
	case err == nil && n.folder != nil:
		return nil, ErrIsDir
	case err == nil && how.Has(Write|Truncate):
		return n, t.resize(n, 0)
	case err == fs.ErrNotExist && how.Has(Create):
		in, last, err := t.parent(name)
		if err != nil {
			return nil, err
		}
		n = &node{}
		return n, t.add(in, last, n)
	}
	return n, err
}

// Stat implements Tree.
func (t *Memory) Stat(_ context.Context, name string) (Info, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(name)
	if err != nil {
		return Info{}, pathError("stat", name, err)
	}
	return n.info(), nil
}

// info describes a node.
func (n *node) info() Info {
	return Info{Mode: n.mode(), Size: int64(len(n.content)), ModTime: n.changed}
}

// mode returns the type of a node.
func (n *node) mode() fs.FileMode {
	if n.folder != nil {
		return fs.ModeDir
	}
	return 0
}

// ReadDir implements Tree. The entries are sorted.
func (t *Memory) ReadDir(_ context.Context, name string) ([]Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n, err := t.find(name)
	if err == nil && n.folder == nil {
		err = ErrNotDir
	}
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	all := make([]Entry, 0, len(n.folder))
	for name, n := range n.folder {
		all = append(all, Entry{name, n.mode()})
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// change makes a change to what has a name.
func (t *Memory) change(op, name string, f func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := error(fs.ErrInvalid)
	if fs.ValidPath(name) {
		err = f()
	}
	if err != nil {
		return pathError(op, name, err)
	}
	return nil
}

// Mkdir implements Tree.
func (t *Memory) Mkdir(_ context.Context, name string) error {
	return t.change("mkdir", name, func() error {
		if _, err := t.find(name); err != fs.ErrNotExist {
			return cmp.Or(err, fs.ErrExist)
		}
		in, last, err := t.parent(name)
		if err != nil {
			return err
		}
		return t.add(in, last, &node{folder: map[string]*node{}})
	})
}

// Remove implements Tree.
func (t *Memory) Remove(_ context.Context, name string) error {
	return t.change("remove", name, func() error {
		n, err := t.find(name)
		if err != nil {
			return err
		}
		in, last, err := t.parent(name)
		switch {
		case err != nil:
			return err
		case len(n.folder) > 0:
			return ErrNotEmpty
		}
		t.drop(in, last)
		return nil
	})
}

// Rename implements Tree. What is wrong is found in the order of Linux.
func (t *Memory) Rename(_ context.Context, from, to string) error {
	return t.change("rename", from, func() error {
		if !fs.ValidPath(to) {
			return fs.ErrInvalid
		}
		in, last, err := t.parent(from)
		if err != nil {
			return err
		}
		into, name, err := t.parent(to)
		if err != nil {
			return err
		}
		n := in.folder[last]
		switch {
		case n == nil:
			return fs.ErrNotExist
		case strings.HasPrefix(to, from+"/"):
			return fs.ErrInvalid
		case strings.HasPrefix(from, to+"/"):
			return ErrNotEmpty
		}
		return t.move(in, last, into, name)
	})
}

// move gives an entry another name in perhaps another folder.
func (t *Memory) move(in *node, last string, into *node, name string) error {
	n, old := in.folder[last], into.folder[name]
	longer := int64(len(name) - len(last))
	switch {
	case old == n:
		return nil
	case old == nil:
		if err := t.take(longer); err != nil {
			return err
		}
	case old.folder == nil && n.folder != nil:
		return ErrNotDir
	case old.folder != nil && n.folder == nil:
		return ErrIsDir
	case len(old.folder) > 0:
		return ErrNotEmpty
	default:
		t.drop(into, name)
		t.room -= longer // what has become free is enough for that
	}
	delete(in.folder, last)
	now := t.now()
	into.folder[name], into.changed, in.changed = n, now, now
	return nil
}

// SetTime implements Tree.
func (t *Memory) SetTime(_ context.Context, name string, at time.Time) error {
	return t.change("chtimes", name, func() error {
		n, err := t.find(name)
		if err == nil {
			n.changed = at
		}
		return err
	})
}

// memoryFile is an open file.
type memoryFile struct {
	tree   *Memory
	node   *node
	how    Flags
	closed bool
}

// use calls do with the content, if the file was opened for that.
func (f *memoryFile) use(how Flags, do func(n *node) error) error {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.how.Has(how):
		return ErrBadFile
	}
	return do(f.node)
}

// Stat implements File.
func (f *memoryFile) Stat(context.Context) (info Info, err error) {
	err = f.use(0, func(n *node) error { info = n.info(); return nil })
	return info, err
}

// ReadAt implements File.
func (f *memoryFile) ReadAt(_ context.Context, b []byte, at int64) (read int, err error) {
	err = f.use(Read, func(n *node) error {
		if at >= int64(len(n.content)) {
			return io.EOF
		}
		read = copy(b, n.content[at:])
		return nil
	})
	return read, err
}

// WriteAt implements File. It writes all, or nothing.
func (f *memoryFile) WriteAt(_ context.Context, b []byte, at int64) (written int, err error) {
	err = f.use(Write, func(n *node) error {
		size := int64(len(n.content))
		if at == End {
			at = size
		}
		last := at + int64(len(b))
		switch {
		case at < 0:
			return fs.ErrInvalid
		case last < at:
			return ErrTooLarge
		case len(b) == 0:
			return nil
		}
		if err := f.tree.resize(n, max(last, size)); err != nil {
			return err
		}
		written = copy(n.content[at:], b)
		return nil
	})
	return written, err
}

// Truncate implements File.
func (f *memoryFile) Truncate(_ context.Context, size int64) error {
	return f.use(Write, func(n *node) error {
		if size < 0 {
			return fs.ErrInvalid
		}
		return f.tree.resize(n, size)
	})
}

// SetTime implements File.
func (f *memoryFile) SetTime(_ context.Context, at time.Time) error {
	return f.use(0, func(n *node) error { n.changed = at; return nil })
}

// Sync implements File.
func (f *memoryFile) Sync(context.Context) error { return f.use(0, func(*node) error { return nil }) }

// Close implements File.
func (f *memoryFile) Close(context.Context) error {
	return f.use(0, func(n *node) error {
		f.closed = true
		n.users--
		f.tree.release(n)
		return nil
	})
}
