package kv

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// tree is a session as files that can be written.
type tree struct{ *session }

// readTree is a session as files that can be read.
type readTree struct {
	files.ReadOnly
	*session
}

var (
	_ files.Inline = (*tree)(nil)
	_ files.Inline = (*readTree)(nil)
)

// Inline implements files.Inline.
func (s *session) Inline() {}

// Open implements files.Tree.
func (s *session) Open(ctx context.Context, name string, how files.Flags) (files.File, error) {
	c, err := s.open(ctx, name, how)
	if err != nil {
		return nil, s.fail("open", name, err)
	}
	c.users++
	return &file{s: s, content: c, name: name, how: how}, nil
}

// open finds or makes a file.
func (s *session) open(ctx context.Context, name string, how files.Flags) (*content, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	empties := how.Has(files.Write | files.Truncate)
	if name != "." && empties && how.Has(files.Create) && !how.Has(files.Exclusive) && s.keys[name] == nil {
		return s.blind(ctx, name)
	}
	e, err := s.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case e == nil || e.now == nil:
		return s.absent(ctx, name, how)
	case how.Has(files.Create | files.Exclusive):
		return nil, fs.ErrExist
	case how.Has(files.Write) && !s.on.canWrite(name):
		return nil, errReadOnly
	case empties:
		return e.now, s.resize(e.now, 0)
	}
	return e.now, nil
}

// blind makes a file empty without a look at what it was: what the run writes, it writes over whatever is there.
// Whether there is a folder of that name is known only if the names of the bucket are.
func (s *session) blind(ctx context.Context, name string) (*content, error) {
	if err := s.settled(ctx); err != nil {
		return nil, err
	}
	is := false
	c := s.on.bucket.cache
	if c.index(func() { is = c.items[name].exists && s.on.sees(name) }) && !is {
		return s.absent(ctx, name, files.Write|files.Create)
	}
	if err := s.mayMake(name); err != nil {
		return nil, err
	}
	return s.create(name)
}

// create makes an empty file.
func (s *session) create(name string) (*content, error) {
	e := s.entry(name)
	if err := s.change(e); err != nil {
		return nil, err
	}
	s.give(e, &content{own: true, at: time.Now()})
	s.keep(name)
	return e.now, nil
}

// absent opens what is no file.
func (s *session) absent(ctx context.Context, name string, how files.Flags) (*content, error) {
	folder, err := s.isFolder(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case folder && how.Has(files.Create|files.Exclusive):
		return nil, fs.ErrExist
	case folder:
		return nil, files.ErrIsDir
	case !how.Has(files.Create):
		return nil, s.missing(ctx, name)
	}
	if err := s.within(ctx, name); err != nil {
		return nil, err
	}
	if err := s.mayMake(name); err != nil {
		return nil, err
	}
	if err := s.quota(ctx, 1, 0); err != nil {
		return nil, err
	}
	return s.create(name)
}

// missing returns why there is nothing of a name.
func (s *session) missing(ctx context.Context, name string) error {
	if err := s.within(ctx, name); err != nil {
		return err
	}
	return fs.ErrNotExist
}

// within returns files.ErrNotDir if what leads to a name is a file, and no folder.
func (s *session) within(ctx context.Context, name string) (err error) {
	above(name, func(folder string) bool {
		var is bool
		if is, err = s.isFolder(ctx, folder); is || err != nil {
			return false
		}
		if is, err = s.isFile(ctx, folder); is {
			err = files.ErrNotDir
		}
		return err == nil
	})
	return err
}

// mayMake returns why a key cannot be made.
func (s *session) mayMake(name string) error {
	switch {
	case !s.on.writes:
		return errReadOnly
	case len(name) > MaxKey:
		return files.ErrNameTooLong
	case !validKey(name):
		return because(fs.ErrInvalid, "it is no key that NATS takes: those have letters, digits and -/_=. only, no dot at "+
			"either end, and not two of them")
	case !s.on.sees(name):
		return because(errNotGranted, "no grant of the function is of this key")
	case !s.on.canWrite(name):
		return errReadOnly
	}
	return nil
}

// keep keeps the folders that lead to a name until the run ends, whatever becomes of what is in them.
func (s *session) keep(name string) {
	above(name, func(folder string) bool {
		if s.made[folder] {
			return false // and so are those above it
		}
		if len(s.made) < maxFolders {
			s.make(folder)
		}
		return true
	})
}

// make makes a folder.
func (s *session) make(folder string) {
	if s.made == nil {
		s.made = map[string]bool{}
	}
	s.made[folder] = true
}

// Stat implements files.Tree. What is a file and a folder is described as a file.
func (s *session) Stat(ctx context.Context, name string) (files.Info, error) {
	info, err := s.stat(ctx, name)
	if err != nil {
		return files.Info{}, s.fail("stat", name, err)
	}
	return info, nil
}

// stat describes a file or folder.
func (s *session) stat(ctx context.Context, name string) (files.Info, error) {
	if !fs.ValidPath(name) {
		return files.Info{}, fs.ErrInvalid
	}
	if name == "." || s.made[name] && s.keys[name] == nil {
		return files.Info{Mode: fs.ModeDir}, nil
	}
	e, err := s.find(ctx, name)
	switch {
	case err != nil:
		return files.Info{}, err
	case e != nil && e.now != nil:
		return e.now.info(), nil
	}
	folder, err := s.isFolder(ctx, name)
	switch {
	case err != nil:
		return files.Info{}, err
	case folder:
		return files.Info{Mode: fs.ModeDir}, nil
	}
	return files.Info{}, s.missing(ctx, name)
}

// info describes a file.
func (c *content) info() files.Info { return files.Info{Size: int64(len(c.data)), ModTime: c.at} }

// ReadDir implements files.Tree. What is a file and a folder is listed as a folder.
func (s *session) ReadDir(ctx context.Context, name string) ([]files.Entry, error) {
	all, err := s.children(ctx, name)
	if err != nil {
		return nil, s.fail("readdir", name, err)
	}
	return all, nil
}

// children returns what is in a folder.
func (s *session) children(ctx context.Context, name string) ([]files.Entry, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	prefix, found := below(name), map[string]fs.FileMode{}
	add := func(key string, mode fs.FileMode) bool {
		rest, is := strings.CutPrefix(key, prefix)
		if !is || rest == "" {
			return true
		}
		first, _, more := strings.Cut(rest, "/")
		if more {
			mode = fs.ModeDir
		}
		if len(found) >= maxListed {
			return false
		}
		if _, has := found[first]; !has { // which may be a part of something longer, that need not be kept for it
			first = strings.Clone(first)
		}
		found[first] |= mode
		return true
	}
	full := false
	if name == "." || s.reaches(name) {
		if err := s.each(ctx, prefix, func(key string) bool { full = full || !add(key, 0); return !full }); err != nil {
			return nil, err
		}
	}
	for _, e := range s.keys {
		if e.now != nil {
			full = full || !add(e.key, 0)
		}
	}
	for folder := range s.made {
		full = full || !add(folder, fs.ModeDir)
	}
	switch {
	case full:
		return nil, because(files.ErrTooLarge, "there are more than %d names in the folder", maxListed)
	case len(found) == 0 && name != "." && !s.made[name]:
		return nil, s.noFolder(ctx, name)
	}
	all := make([]files.Entry, 0, len(found))
	for name, mode := range found {
		all = append(all, files.Entry{Name: name, Mode: mode})
	}
	return all, nil
}

// noFolder returns why there is no folder.
func (s *session) noFolder(ctx context.Context, name string) error {
	is, err := s.isFile(ctx, name)
	switch {
	case err != nil:
		return err
	case is:
		return files.ErrNotDir
	}
	return s.missing(ctx, name)
}

// Mkdir implements files.Tree.
func (t *tree) Mkdir(ctx context.Context, name string) error {
	if err := t.mkdir(ctx, name); err != nil {
		return t.fail("mkdir", name, err)
	}
	return nil
}

// mkdir makes a folder, for this run.
func (s *session) mkdir(ctx context.Context, name string) error {
	if !fs.ValidPath(name) {
		return fs.ErrInvalid
	}
	folder, err := s.isFolder(ctx, name)
	if err == nil && !folder {
		folder, err = s.isFile(ctx, name)
	}
	switch {
	case err != nil:
		return err
	case folder:
		return fs.ErrExist
	}
	if err := s.within(ctx, name); err != nil {
		return err
	}
	switch {
	case len(name) > MaxKey-2:
		return files.ErrNameTooLong
	case !validKey(name + "/x"):
		return because(fs.ErrInvalid, "it cannot be part of a key that NATS takes")
	case !s.reaches(name):
		return because(errNotGranted, "no grant of the function is of keys below it")
	case len(s.made) >= maxFolders:
		return because(files.ErrNoSpace, "the call has made %d folders, which is as many as it may", maxFolders)
	}
	s.make(name)
	s.keep(name)
	return nil
}

// Remove implements files.Tree.
func (t *tree) Remove(ctx context.Context, name string) error {
	if err := t.remove(ctx, name); err != nil {
		return t.fail("remove", name, err)
	}
	return nil
}

// remove removes a file, or else a folder.
func (s *session) remove(ctx context.Context, name string) error {
	switch {
	case !fs.ValidPath(name):
		return fs.ErrInvalid
	case name == ".":
		return files.ErrBusy
	}
	e, err := s.look(ctx, name)
	switch {
	case err != nil:
		return err
	case e == nil || e.now == nil:
		return s.removeFolder(ctx, name)
	case !s.on.canWrite(name):
		return errReadOnly
	}
	if err := s.change(e); err != nil {
		return err
	}
	s.give(e, nil)
	s.settle(e)
	s.keep(name)
	return nil
}

// removeFolder removes a folder in which there is nothing.
func (s *session) removeFolder(ctx context.Context, name string) error {
	if !s.made[name] {
		is, err := s.isFolder(ctx, name)
		switch {
		case err != nil:
			return err
		case is:
			return files.ErrNotEmpty
		}
		return s.missing(ctx, name)
	}
	all, err := s.children(ctx, name)
	switch {
	case err != nil:
		return err
	case len(all) > 0:
		return files.ErrNotEmpty
	}
	delete(s.made, name)
	s.keep(name)
	return nil
}

// SetTime implements files.Tree. A key has the time of its revision, whatever a process says.
func (t *tree) SetTime(ctx context.Context, name string, _ time.Time) error {
	if _, err := t.stat(ctx, name); err != nil {
		return t.fail("chtimes", name, err)
	}
	return nil
}

// file is an open file.
type file struct {
	s       *session
	content *content
	name    string
	how     files.Flags
	closed  bool
}

// may returns why a file cannot be used for something.
func (f *file) may(how files.Flags) error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case !f.how.Has(how):
		return files.ErrBadFile
	}
	return nil
}

// Stat implements files.File.
func (f *file) Stat(context.Context) (files.Info, error) { return f.content.info(), f.may(0) }

// ReadAt implements files.File.
func (f *file) ReadAt(_ context.Context, b []byte, at int64) (int, error) {
	if err := f.may(files.Read); err != nil {
		return 0, err
	}
	if at >= int64(len(f.content.data)) {
		return 0, io.EOF
	}
	return copy(b, f.content.data[at:]), nil
}

// WriteAt implements files.File. It writes all, or nothing.
func (f *file) WriteAt(ctx context.Context, b []byte, at int64) (int, error) {
	if err := f.may(files.Write); err != nil {
		return 0, err
	}
	size := int64(len(f.content.data))
	if at == files.End {
		at = size
	}
	end := at + int64(len(b))
	switch {
	case at < 0:
		return 0, fs.ErrInvalid
	case end < at:
		return 0, files.ErrTooLarge
	case len(b) == 0:
		return 0, nil
	}
	if err := f.resize(ctx, max(end, size)); err != nil {
		return 0, err
	}
	return copy(f.content.data[at:], b), nil
}

// resize gives the file another size.
func (f *file) resize(ctx context.Context, size int64) error {
	err := error(nil)
	if more := size - int64(len(f.content.data)); more > 0 && f.content.entry != nil {
		err = f.s.quota(ctx, 0, more)
	}
	if err == nil {
		err = f.s.resize(f.content, size)
	}
	if err != nil {
		return f.s.fail("write", f.name, err)
	}
	return nil
}

// Truncate implements files.File.
func (f *file) Truncate(ctx context.Context, size int64) error {
	if err := f.may(files.Write); err != nil {
		return err
	}
	if size < 0 {
		return fs.ErrInvalid
	}
	return f.resize(ctx, size)
}

// SetTime implements files.File. See tree.SetTime.
func (f *file) SetTime(context.Context, time.Time) error { return f.may(0) }

// Sync implements files.File. Nothing is anywhere before the process has ended well.
func (f *file) Sync(context.Context) error { return f.may(0) }

// Close implements files.File.
func (f *file) Close(context.Context) error {
	if err := f.may(0); err != nil {
		return err
	}
	f.closed = true
	f.content.users--
	f.s.release(f.content)
	return nil
}

// Rename implements files.Tree.
func (t *tree) Rename(ctx context.Context, from, to string) error {
	if err := t.rename(ctx, from, to); err != nil {
		return t.fail("rename", from, err)
	}
	return nil
}

// rename gives a file, or else a folder, another name. What is wrong is found in the order of Linux.
func (s *session) rename(ctx context.Context, from, to string) error {
	switch {
	case !fs.ValidPath(from) || !fs.ValidPath(to):
		return fs.ErrInvalid
	case from == "." || to == ".":
		return files.ErrBusy
	}
	e, err := s.look(ctx, from)
	if err != nil {
		return err
	}
	file, folder := e != nil && e.now != nil, false
	if !file {
		if folder, err = s.isFolder(ctx, from); err != nil {
			return err
		}
	}
	if !file && !folder {
		if err := s.within(ctx, from); err != nil {
			return err
		}
		if in, err := s.isFolder(ctx, path.Dir(from)); err != nil || !in {
			return orNotExist(err)
		}
	}
	if err := s.within(ctx, to); err != nil {
		return err
	}
	switch {
	case !file && !folder:
		return fs.ErrNotExist
	case strings.HasPrefix(to, from+"/"):
		if file {
			return files.ErrNotDir
		}
		return fs.ErrInvalid
	case strings.HasPrefix(from, to+"/"):
		return files.ErrNotEmpty
	case from == to:
		return nil
	case file:
		return s.renameFile(ctx, e, to)
	}
	return s.renameFolder(ctx, from, to)
}

// orNotExist returns err, or fs.ErrNotExist if err is nil.
func orNotExist(err error) error {
	if err != nil {
		return err
	}
	return fs.ErrNotExist
}

// renameFile gives a file another name, and replaces a file of that name.
func (s *session) renameFile(ctx context.Context, e *entry, to string) error {
	is, err := s.isFile(ctx, to)
	if err == nil && !is {
		if is, err = s.isFolder(ctx, to); is {
			err = files.ErrIsDir
		}
	}
	if err == nil {
		err = s.mayMake(to)
	}
	if err == nil && !s.on.canWrite(e.key) {
		err = errReadOnly
	}
	if err != nil {
		return err
	}
	return s.move(e, to)
}

// move gives the content of an entry to another, which is free.
func (s *session) move(e *entry, to string) error {
	target := s.entry(to)
	for _, changed := range []*entry{e, target} {
		if err := s.change(changed); err != nil {
			return err
		}
	}
	c := e.now
	e.now = nil
	s.give(target, c)
	s.settle(e)
	s.keep(e.key)
	s.keep(to)
	return nil
}

// renameFolder gives a folder another name: all keys below it.
func (s *session) renameFolder(ctx context.Context, from, to string) error {
	is, err := s.isFile(ctx, to)
	switch {
	case err != nil:
		return err
	case is:
		return files.ErrNotDir
	}
	if is, err = s.isFolder(ctx, to); err != nil {
		return err
	}
	if is {
		all, err := s.children(ctx, to)
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return files.ErrNotEmpty
		}
	}
	moving, err := s.keysBelow(ctx, from)
	if err != nil {
		return err
	}
	for _, e := range moving {
		if err := s.move(e, to+strings.TrimPrefix(e.key, from)); err != nil {
			return err
		}
	}
	s.moveFolders(from, to)
	return nil
}

// keysBelow returns the files below a folder that is to be renamed, in the order of their names.
func (s *session) keysBelow(ctx context.Context, folder string) ([]*entry, error) {
	prefix := below(folder)
	var keys []string
	add := func(key string) bool {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
		return len(keys) <= maxRename
	}
	if err := s.each(ctx, prefix, add); err != nil {
		return nil, err
	}
	for _, e := range s.keys {
		if e.now != nil && !add(e.key) {
			break
		}
	}
	if len(keys) > maxRename {
		return nil, because(files.ErrNoSpace, "a folder with more than %d keys cannot get another name", maxRename)
	}
	if need := 3 * len(keys); s.ops+s.changes+need > s.on.Ops {
		return nil, because(files.ErrNoSpace, "the folder has %d keys, and each takes up to 3 operations, of which the "+
			"call may make %d: give its grant more max_ops", len(keys), s.on.Ops)
	}
	slices.Sort(keys)
	all := make([]*entry, 0, len(keys))
	for _, key := range keys {
		e, err := s.look(ctx, key)
		switch {
		case err != nil:
			return nil, err
		case e == nil || e.now == nil:
			continue // it was removed meanwhile
		case !s.on.canWrite(key):
			return nil, errReadOnly
		}
		all = append(all, e)
	}
	return all, nil
}

// moveFolders moves the folders that the run has made.
func (s *session) moveFolders(from, to string) {
	for folder := range s.made {
		if rest, is := strings.CutPrefix(folder, from+"/"); is {
			delete(s.made, folder)
			s.make(to + "/" + rest)
		}
	}
	delete(s.made, from)
	s.make(to)
	s.keep(from)
	s.keep(to)
}
