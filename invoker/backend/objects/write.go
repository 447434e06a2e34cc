package objects

import (
	"cmp"
	"context"
	"io/fs"
	"path"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

const (
	maxFolders = 10_000 // that a run can make
	maxRename  = 1_000  // objects of a folder that gets another name
)

// Open implements files.Tree.
func (s *session) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var n *node
	var err error
	switch {
	case how.Has(files.Create | files.Exclusive):
		n, err = s.exclusive(ctx, name)
	case how.Has(files.Create | files.Truncate | files.Write):
		n, err = s.blind(ctx, name)
	default:
		n, err = s.existing(ctx, name, how)
	}
	if err != nil {
		return nil, err
	}
	return n.open(how), nil
}

// exclusive makes a file that must not exist, which is looked at again at the commit.
func (s *session) exclusive(ctx context.Context, name string) (*node, error) {
	n, err := s.lookup(ctx, name)
	if err != nil {
		return nil, err
	}
	is, err := s.isFolder(ctx, name)
	if err == nil && (is || n.now != nil) {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, err
	}
	if n, err = s.add(ctx, name); err == nil {
		n.exact = true
	}
	return n, err
}

// blind makes a file, or takes away what is in it. Nobody asks what that was: the last one to write wins.
func (s *session) blind(ctx context.Context, name string) (*node, error) {
	if n := s.nodes[name]; n != nil && n.now != nil {
		if err := s.writable(name); err != nil {
			return nil, err
		}
		return n, n.now.empty()
	}
	if is, err := s.isFolder(ctx, name); err != nil || is {
		return nil, cmp.Or[error](err, files.ErrIsDir)
	}
	return s.add(ctx, name)
}

// existing opens what is there, or makes it if the flags say so.
func (s *session) existing(ctx context.Context, name string, how files.Flags) (*node, error) {
	look := s.read
	if how.Has(files.Truncate) {
		look = s.lookup
	}
	n, err := look(ctx, name)
	if err != nil {
		return nil, err
	}
	if n.now != nil {
		if how.Has(files.Write) || how.Has(files.Truncate) {
			err = s.writable(name)
		}
		if err == nil && how.Has(files.Truncate) {
			err = n.now.empty()
		}
		return n, err
	}
	if is, err := s.isFolder(ctx, name); err != nil || is {
		return nil, cmp.Or[error](err, files.ErrIsDir)
	}
	if !how.Has(files.Create) {
		return nil, s.absent(ctx, name)
	}
	if n, err = s.add(ctx, name); err == nil {
		n.exact = true // it goes on from nothing
	}
	return n, err
}

// add makes a file with a name that nothing has.
func (s *session) add(ctx context.Context, name string) (*node, error) {
	if err := s.writable(name); err != nil {
		return nil, err
	}
	if err := s.parent(ctx, name); err != nil {
		return nil, err
	}
	if err := s.another(ctx); err != nil {
		return nil, err
	}
	if err := s.lead(name); err != nil {
		return nil, err
	}
	c, err := s.create()
	if err != nil {
		return nil, err
	}
	n := s.node(name)
	n.set(c)
	n.changed = true
	return n, nil
}

// empty takes away what is in a file.
func (c *content) empty() error {
	if c.node != nil {
		c.node.changed = true
	}
	if c.memory == nil {
		return c.toMemory()
	}
	return c.memory.Truncate(context.Background(), 0)
}

// writable returns why an object cannot be written.
func (s *session) writable(name string) error {
	switch read, write := s.r.may(name); {
	case write:
		return nil
	case read:
		s.log(name, `it can only be read: its grant has no access = "rw"`)
		return files.ErrReadOnly
	}
	s.log(name, "no grant of the function covers that name: see keys")
	return fs.ErrPermission
}

// Mkdir implements files.Tree. The folder is there until the run ends, and then if there are objects in it.
func (s *session) Mkdir(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	is, err := s.isFolder(ctx, name)
	if err != nil || is {
		return cmp.Or(err, fs.ErrExist)
	}
	n, err := s.lookup(ctx, name)
	if err != nil {
		return err
	}
	if n.now != nil {
		return fs.ErrExist
	}
	if err := s.parent(ctx, name); err != nil {
		return err
	}
	return cmp.Or(s.lead(name), s.keep(name))
}

// keep lets a folder exist even when nothing is in it.
func (s *session) keep(name string) error {
	if s.folders == nil {
		s.folders = map[string]bool{}
	}
	if len(s.folders) >= maxFolders {
		return files.ErrNoSpace
	}
	for ; name != "."; name = path.Dir(name) {
		s.folders[name] = true
	}
	return nil
}

// Remove implements files.Tree.
func (s *session) Remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if name == "." {
		return files.ErrBusy
	}
	n, err := s.lookup(ctx, name)
	if err != nil {
		return err
	}
	if n.now != nil {
		if err := cmp.Or(s.writable(name), s.keep(path.Dir(name))); err != nil {
			return err
		}
		n.drop()
		return nil
	}
	if is, err := s.isFolder(ctx, name); err != nil || !is {
		return cmp.Or(err, s.absent(ctx, name))
	}
	full, err := s.full(ctx, name)
	if err != nil || full {
		return cmp.Or[error](err, files.ErrNotEmpty)
	}
	delete(s.folders, name)
	return s.keep(path.Dir(name))
}

// full reports whether there is something in a folder.
func (s *session) full(ctx context.Context, name string) (bool, error) {
	for f := range s.folders {
		if strings.HasPrefix(f, name+"/") {
			return true, nil
		}
	}
	if err := s.list(ctx); err != nil {
		return false, err
	}
	return s.any(name), nil
}

// drop takes the content of a node away. It stays for those who have it open.
func (n *node) drop() {
	if c := n.now; c != nil {
		n.set(nil)
		c.release()
	}
	n.changed = true
}

// Rename implements files.Tree. What is wrong is found in the order of Linux.
func (s *session) Rename(ctx context.Context, from, to string) error {
	if err := cmp.Or(checkName(from), checkName(to)); err != nil {
		return err
	}
	if from == "." || to == "." {
		return files.ErrBusy
	}
	if err := s.leads(ctx, from); err != nil {
		return err
	}
	if err := s.parent(ctx, to); err != nil {
		return err
	}
	n, err := s.lookup(ctx, from)
	if err != nil {
		return err
	}
	if n.now != nil {
		return s.renameFile(ctx, n, to)
	}
	switch is, err := s.isFolder(ctx, from); {
	case err != nil || !is:
		return cmp.Or(err, s.absent(ctx, from))
	case strings.HasPrefix(to, from+"/"):
		return fs.ErrInvalid
	case strings.HasPrefix(from, to+"/"):
		return files.ErrNotEmpty
	case from == to:
		return nil
	}
	return s.renameFolder(ctx, from, to)
}

// renameFile gives a file another name.
func (s *session) renameFile(ctx context.Context, n *node, to string) error {
	switch {
	case strings.HasPrefix(to, n.name+"/"):
		return fs.ErrInvalid
	case strings.HasPrefix(n.name, to+"/"):
		return files.ErrNotEmpty
	case n.name == to:
		return nil
	}
	there, err := s.lookup(ctx, to)
	if err != nil {
		return err
	}
	if there.now == nil {
		if is, err := s.isFolder(ctx, to); err != nil || is {
			return cmp.Or[error](err, files.ErrIsDir)
		}
	}
	if err := cmp.Or(s.writable(n.name), s.writable(to), s.keep(path.Dir(n.name))); err != nil {
		return err
	}
	if err := s.lead(to); err != nil {
		return err
	}
	n.move(s.node(to))
	return nil
}

// move gives the content of a node to another one. What the bucket has of it is looked at again at the commit.
func (n *node) move(to *node) {
	c := n.now
	if c.home != nil {
		c.home.exact = true
	}
	to.drop()
	n.set(nil)
	to.set(c)
	n.changed = true
}

// renameFolder gives a folder another name, with all that is in it.
func (s *session) renameFolder(ctx context.Context, from, to string) error {
	there, err := s.lookup(ctx, to)
	if err != nil {
		return err
	}
	if there.now != nil {
		return files.ErrNotDir
	}
	if full, err := s.full(ctx, to); err != nil || full {
		return cmp.Or[error](err, files.ErrNotEmpty)
	}
	nodes, err := s.movable(ctx, from, to)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		n.move(s.node(to + n.name[len(from):]))
	}
	for f := range s.folders {
		if strings.HasPrefix(f, from+"/") {
			delete(s.folders, f)
			s.folders[to+f[len(from):]] = true
		}
	}
	delete(s.folders, from)
	return cmp.Or(s.keep(to), s.keep(path.Dir(from)), s.lead(to))
}

// movable returns the nodes of all that is below a folder, if they can have names below another one.
func (s *session) movable(ctx context.Context, from, to string) ([]*node, error) {
	var names []string
	if s.below(from, func(name string) bool { names = append(names, name); return len(names) <= maxRename }) {
		s.log(from, "the folder has more than %d objects, and cannot be renamed at once", maxRename)
		return nil, files.ErrNoSpace
	}
	var nodes []*node
	for _, name := range names {
		after := to + name[len(from):]
		if err := cmp.Or(checkName(after), s.writable(name), s.writable(after)); err != nil {
			return nil, err
		}
		n, err := s.lookup(ctx, name)
		if err != nil {
			return nil, err
		}
		if n.now != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}
