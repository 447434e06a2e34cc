package objects

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/invoker/backend"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// errNameTooLong is of names that are no object's.
const errNameTooLong = files.ErrNameTooLong

// session is a bucket as one run sees it. It is the tree of the run, if that can write.
type session struct {
	r *resource
	t *backend.Transaction

	nodes   map[string]*node // what the run has asked for or changed
	within  map[string]int   // how many of them have content, by each folder that they are below
	folders map[string]bool  // that are there although nothing need be in them
	room    *files.Memory    // for what is written; nil until something is
	made    int              // files in room so far
	held    int64            // bytes of small objects that are open
	ops     int64            // that went outside
	listed  bool             // the list of the bucket is as new as the run needs it
	logged  map[string]bool
	done    objects.Changes // what was committed
}

// node is what a run knows of a name.
type node struct {
	s       *session
	name    string
	base    objects.Object // what the bucket has said
	known   bool           // it was asked
	exact   bool           // what the run does depends on it
	changed bool           // there is something to commit
	now     *content       // nil: there is nothing of that name
}

var (
	_ files.Inline   = (*session)(nil)
	_ backend.Undoer = (*session)(nil)
)

// Tree implements backend.Session.
func (s *session) Tree() files.Tree {
	if s.r.canWrite() {
		return s
	}
	return files.OnlyRead(s)
}

// Inline implements files.Inline.
func (s *session) Inline() {}

// outside does something that goes to NATS, while the process waits. Its time is that of the run.
func (s *session) outside(ctx context.Context, name string, do func(ctx context.Context) error) error {
	if s.ops++; s.ops > s.r.maxOps() {
		s.log(".", "it has made more than %d operations on the bucket: raise max_ops of its grant", s.r.maxOps())
		return files.ErrNoSpace
	}
	s.t.Read()
	return s.fetch(ctx, name, do)
}

// fetch is outside for what is part of another operation.
func (s *session) fetch(ctx context.Context, name string, do func(ctx context.Context) error) error {
	var err error
	if waited := s.t.Do(ctx, func(ctx context.Context) { err = do(ctx) }); waited != nil {
		return waited
	}
	return s.fail(name, err)
}

// fail returns the error of an operation as the process sees it, and tells the developer more.
func (s *session) fail(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTooMany), errors.Is(err, objects.ErrTooLarge):
		s.log(name, "%v", err)
		return files.ErrTooLarge
	case errors.Is(err, objects.ErrDamaged), errors.Is(err, objects.ErrNotFound):
		s.log(name, "%v: it is not complete, or was replaced while it was read", err)
	default:
		s.log(name, "%v", unavailable("", s.r.bucket.name, err))
	}
	return syscall.EIO
}

// log writes a line to the log of the function, once a run and name.
func (s *session) log(name, format string, a ...any) {
	if s.logged[name] || len(s.logged) > 20 || s.t.Log == nil {
		return
	}
	if s.logged == nil {
		s.logged = map[string]bool{}
	}
	s.logged[name] = true
	s.t.Log(fmt.Sprintf("%q: ", s.r.path(name)) + fmt.Sprintf(format, a...))
}

// node returns what is known of a name.
func (s *session) node(name string) *node {
	n := s.nodes[name]
	if n == nil {
		n = &node{s: s, name: name}
		if s.nodes == nil {
			s.nodes = map[string]*node{}
		}
		s.nodes[name] = n
	}
	return n
}

// lookup returns the node of a name, of which the bucket was asked if the run has not said what it is.
func (s *session) lookup(ctx context.Context, name string) (*node, error) {
	n := s.nodes[name]
	if n != nil && (n.known || n.changed) {
		return n, nil
	}
	if read, _ := s.r.may(name); !read || name == "." {
		return &node{s: s, name: name, known: true}, nil
	}
	base, _, err := s.ask(ctx, name, objects.Object{}, false)
	if err != nil {
		return nil, err
	}
	n = s.node(name)
	n.is(base)
	return n, nil
}

// is notes what the bucket has said about a name.
func (n *node) is(base objects.Object) {
	n.base, n.known = base, true
	switch {
	case !base.Live():
		n.set(nil)
	case n.now == nil || n.now.size != sizeOf(base) || n.now.home != n:
		n.set(&content{s: n.s, home: n, size: sizeOf(base)})
	}
}

// attempts is how often a small object is read that others replace meanwhile.
const attempts = 10

// ask asks the bucket about a name, if base is not what it has said already. With whole it returns the content of a
// small object, too, as it is then: in one step, so that whoever replaces it meanwhile is no reason to fail.
func (s *session) ask(
	ctx context.Context, name string, base objects.Object, whole bool,
) (objects.Object, []byte, error) {
	var body []byte
	store, small := s.r.bucket.store, &s.r.kind.small
	err := s.outside(ctx, name, func(ctx context.Context) (err error) {
		seen, again := uint64(0), base.Seq == 0
		for range attempts {
			if again {
				if base, err = store.Stat(ctx, name); err != nil {
					return err
				}
			}
			if !whole || !base.Live() || sizeOf(base) > maxWhole {
				return nil
			}
			var ok bool
			if body, ok = small.get(base.Info.NUID); ok {
				return nil
			}
			if body, err = store.Load(ctx, base, maxWhole); err == nil {
				small.put(base.Info.NUID, body)
				return nil
			}
			if !errors.Is(err, objects.ErrDamaged) || base.Seq == seen {
				return err
			}
			seen, again = base.Seq, true
		}
		return err
	})
	if err != nil {
		return objects.Object{}, nil, err
	}
	return base, body, nil
}

// read returns the node of a name that is to be opened as it is. A small object is read as a whole at once, and is what
// it is now: what the run has only looked at by its name may have been replaced since.
func (s *session) read(ctx context.Context, name string) (*node, error) {
	var base objects.Object
	if n := s.nodes[name]; n != nil && (n.known || n.changed) {
		c := n.now
		if n.exact || n.changed || c == nil || c.whole != nil || c.size > maxWhole {
			return n, nil
		}
		base = n.base
	}
	if read, _ := s.r.may(name); !read || name == "." {
		return s.lookup(ctx, name)
	}
	base, body, err := s.ask(ctx, name, base, true)
	if err != nil {
		return nil, err
	}
	n := s.node(name)
	n.is(base)
	if n.now != nil && body != nil && n.now.whole == nil && s.held+n.now.size <= maxHeld {
		n.now.whole = body
		s.held += n.now.size
	}
	return n, nil
}

// list brings the list of the bucket up to date, once a run. It is no error if there are too many: then folders of
// which nothing is known exist.
func (s *session) list(ctx context.Context) error {
	if s.listed {
		return nil
	}
	err := s.outside(ctx, ".", func(ctx context.Context) error {
		if err := s.r.bucket.list.update(ctx); !errors.Is(err, errTooMany) {
			return err
		}
		return nil
	})
	s.listed = err == nil
	return err
}

// isFolder reports whether a name is that of a folder.
func (s *session) isFolder(ctx context.Context, name string) (bool, error) {
	if name == "." || s.folders[name] {
		return true, nil
	}
	if err := s.list(ctx); err != nil {
		return false, err
	}
	return s.any(name), nil
}

// any reports whether there are objects below a folder.
func (s *session) any(name string) bool {
	return s.within[name] > 0 || s.below(name, func(string) bool { return false })
}

// set gives a node content, or takes it away.
func (n *node) set(c *content) {
	more := 0
	if n.now != nil {
		n.now.node = nil
		more--
	}
	if n.now = c; c != nil {
		c.node = n
		more++
	}
	if n.s.within == nil {
		n.s.within = map[string]int{}
	}
	for in := path.Dir(n.name); more != 0; in = path.Dir(in) {
		n.s.within[in] += more
		if in == "." {
			break
		}
	}
}

// below calls each for the names of all objects below a folder, until each returns false. It reports whether each did
// return false.
func (s *session) below(name string, each func(name string) bool) (ended bool) {
	if !s.touched(name, each) {
		return true
	}
	x := &s.r.bucket.list
	x.mu.Lock()
	defer x.mu.Unlock()
	return !x.at(name).walk(name, func(name string) bool { return !s.lists(name) || each(name) })
}

// touched calls each for the names below a folder that the run has asked for or changed, as long as it returns true.
func (s *session) touched(name string, each func(name string) bool) bool {
	if s.within[name] == 0 {
		return true
	}
	for _, n := range s.nodes {
		if n.now != nil && (name == "." || strings.HasPrefix(n.name, name+"/")) && !each(n.name) {
			return false
		}
	}
	return true
}

// lists reports whether an object of the bucket's list is there for the run, which knows nothing more of it.
func (s *session) lists(name string) bool {
	n := s.nodes[name]
	read, _ := s.r.may(name)
	return read && (n == nil || !n.known && !n.changed)
}

// absent returns why there is nothing of some name, in the words of Linux: something that it is below of is a file, or
// is not there either.
func (s *session) absent(ctx context.Context, name string) error {
	in := path.Dir(name)
	for in != "." {
		n, err := s.lookup(ctx, in)
		if err != nil {
			return err
		}
		if n.now != nil {
			if is, err := s.isFolder(ctx, in); err != nil || is {
				return cmp.Or(err, fs.ErrNotExist)
			}
			return files.ErrNotDir
		}
		in = path.Dir(in)
	}
	return fs.ErrNotExist
}

// leads returns why there can be nothing of a name: the folder that it is in does not exist.
func (s *session) leads(ctx context.Context, name string) error {
	is, err := s.isFolder(ctx, path.Dir(name))
	if err != nil || is || s.tooMany() {
		return err
	}
	return s.absent(ctx, name)
}

// parent returns why a name cannot be made: something that leads to it is a file. It need not be there: an object store
// has names only.
func (s *session) parent(ctx context.Context, name string) error {
	if err := s.leads(ctx, name); err != fs.ErrNotExist {
		return err
	}
	return nil
}

// lead keeps the folders that lead to a name until the run ends, whatever becomes of what is in them.
func (s *session) lead(name string) error {
	for in := path.Dir(name); in != "."; in = path.Dir(in) {
		if err := s.keep(in); err != nil {
			return err
		}
	}
	return nil
}

// tooMany reports whether the list of the bucket does not have all of its objects.
func (s *session) tooMany() bool {
	s.r.bucket.list.mu.Lock()
	defer s.r.bucket.list.mu.Unlock()
	return s.r.bucket.list.tooManyHere
}

// Stat implements files.Tree. When the bucket was listed, what the list says is enough.
func (s *session) Stat(ctx context.Context, name string) (files.Info, error) {
	if err := checkName(name); err != nil {
		return files.Info{}, err
	}
	if e, ok := s.entry(name); ok {
		return files.Info{Size: e.size, ModTime: e.stored}, nil
	}
	n, err := s.lookup(ctx, name)
	if err != nil {
		return files.Info{}, err
	}
	if n.now != nil {
		return n.now.info(ctx)
	}
	if is, err := s.isFolder(ctx, name); err != nil || is {
		return files.Info{Mode: fs.ModeDir}, err
	}
	return files.Info{}, s.absent(ctx, name)
}

// entry returns what the list says about an object that the run knows nothing more of.
func (s *session) entry(name string) (e entry, ok bool) {
	if !s.listed || !s.lists(name) {
		return e, false
	}
	x := &s.r.bucket.list
	x.mu.Lock()
	defer x.mu.Unlock()
	_, e, ok = x.get(name)
	return e, ok
}

// ReadDir implements files.Tree. The entries are sorted. Where a file and a folder have one name, the folder is listed.
func (s *session) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	is, err := s.isFolder(ctx, name)
	if err == nil && !is {
		if err = s.absent(ctx, name+"/x"); err == fs.ErrNotExist && s.tooMany() {
			is, err = true, nil
		}
	}
	if err == nil {
		err = s.list(ctx)
	}
	if err == nil && s.tooMany() {
		s.log(name, "%v: at most %d", errTooMany, maxNames)
		err = files.ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return s.entries(name), nil
}

// entries returns what is in a folder.
func (s *session) entries(name string) []files.Entry {
	modes := map[string]fs.FileMode{}
	skip := len(name) + 1
	if name == "." {
		skip = 0
	}
	add := func(below string) bool {
		first, _, deep := strings.Cut(below[skip:], "/")
		if deep {
			modes[first] = fs.ModeDir
		} else if _, there := modes[first]; !there {
			modes[first] = 0
		}
		return true
	}
	s.touched(name, add)
	s.shallow(name, add)
	for f := range s.folders {
		if len(f) > skip && strings.HasPrefix(f, name+"/") || skip == 0 {
			first, _, _ := strings.Cut(f[skip:], "/")
			modes[first] = fs.ModeDir
		}
	}
	all := make([]files.Entry, 0, len(modes))
	for n, m := range modes {
		all = append(all, files.Entry{Name: n, Mode: m})
	}
	slices.SortFunc(all, func(a, b files.Entry) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// shallow calls add for the objects that the list has in a folder, and for one of each folder in it.
func (s *session) shallow(name string, add func(name string) bool) {
	x := &s.r.bucket.list
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.at(name)
	if f == nil {
		return
	}
	for n := range f.files {
		if n = join(name, n); s.lists(n) {
			add(n)
		}
	}
	for n, in := range f.folders {
		in.walk(join(name, n), func(name string) bool { return !s.lists(name) || !add(name) })
	}
}

// SetTime implements files.Tree. The time of an object is that of its last change, whatever a process says.
func (s *session) SetTime(ctx context.Context, name string, _ time.Time) error {
	_, err := s.Stat(ctx, name)
	return err
}
