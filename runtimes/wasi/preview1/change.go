package preview1

import (
	"context"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// The functions that change something say first what is wrong in itself, whatever the tree: programs ignore ENOENT and
// EEXIST. Only then they say that nothing can be changed, if that is so.

// changeable returns the tree in which what is at a path can be changed, and its name there.
func (s *State) changeable(p string) (tree files.Tree, name string, e errno) {
	tree, name = s.holder(p)
	switch {
	case deviceAt(p) != closed || files.IsReadOnly(tree):
		return nil, "", erofs
	case s.isFixed(p):
		return nil, "", ebusy
	}
	s.note(p)
	return tree, name, 0
}

// entry is a place in a folder, and what is there. A link is not followed, not even by a slash at the end of its path.
type entry struct {
	place
	stat
	wrong errno // why nothing is known to be there: ENOENT, or what else is wrong with the last name
}

// entry returns the entry that a path means. The error is one of the way there: on Linux all of that is found before
// anything of the last name, and in a call with two paths that of both.
func (s *State) entry(m memory, fd, ptr, n uint64) (at entry, e errno) {
	if at.place, e = s.resolve(m, fd, ptr, n); e != 0 {
		return at, e
	}
	if at.stat, at.wrong = s.at(at.path, false); at.wrong != 0 && at.dots == "" {
		e = s.folderAt(at.in)
	}
	return at, e
}

// vacant returns the place that a path means if something can be made there: nothing is, and there is a folder for it.
// If something is there, the number is EEXIST. What ends with a slash can only become a folder.
func (s *State) vacant(m memory, fd, ptr, n uint64, folder bool) (to place, e errno) {
	at, e := s.entry(m, fd, ptr, n)
	switch {
	case e != 0:
	case at.dots != "" || at.wrong == 0:
		e = eexist
	case at.wrong != enoent || at.slash && !folder:
		e = at.wrong
	}
	return at.place, e
}

// pathCreateDirectory implements path_create_directory.
func pathCreateDirectory(s *State, m memory, p []uint64) errno {
	to, e := s.vacant(m, p[0], p[1], p[2], true)
	if e != 0 {
		return e
	}
	tree, name, e := s.changeable(to.path)
	if e != 0 {
		return e
	}
	return s.change(tree, func(ctx context.Context) error { return tree.Mkdir(ctx, name) })
}

// pathRemoveDirectory implements path_remove_directory.
func pathRemoveDirectory(s *State, m memory, p []uint64) errno {
	at, e := s.entry(m, p[0], p[1], p[2])
	switch {
	case e != 0:
		return e
	case at.dots == ".":
		return einval
	case at.dots == "..":
		return enotempty
	case at.wrong != 0:
		return at.wrong
	case at.kind != typeFolder:
		return enotdir
	}
	return s.remove(at.path)
}

// pathUnlinkFile implements path_unlink_file.
func pathUnlinkFile(s *State, m memory, p []uint64) errno {
	at, e := s.entry(m, p[0], p[1], p[2])
	switch {
	case e != 0:
		return e
	case at.dots != "":
		return eisdir
	case at.wrong != 0:
		return at.wrong
	case at.kind == typeFolder:
		return eisdir
	case at.slash:
		return enotdir
	}
	return s.remove(at.path)
}

// remove removes what is at a path.
func (s *State) remove(p string) errno {
	tree, name, e := s.changeable(p)
	if e != 0 {
		return e
	}
	return s.change(tree, func(ctx context.Context) error { return tree.Remove(ctx, name) })
}

// pathRename implements path_rename. What is not in one tree cannot be moved, only copied.
func pathRename(s *State, m memory, p []uint64) errno {
	from, e := s.entry(m, p[0], p[1], p[2])
	if e != 0 {
		return e
	}
	to, e := s.entry(m, p[3], p[4], p[5])
	if e == 0 {
		e = s.unmovable(from, to)
	}
	if e != 0 {
		return e
	}
	tree, old, e := s.changeable(from.path)
	if e != 0 {
		return e
	}
	_, name, e := s.changeable(to.path)
	if e != 0 {
		return e
	}
	return s.change(tree, func(ctx context.Context) error { return tree.Rename(ctx, old, name) })
}

// unmovable says why one entry cannot become another, in the order of Linux. The tree says the rest: what is in the
// other, or of another kind.
func (s *State) unmovable(from, to entry) errno {
	switch {
	case s.rootOf(from.in) != s.rootOf(to.in):
		return exdev
	case from.dots != "" || to.dots != "":
		return ebusy
	case from.wrong != 0:
		return from.wrong
	case to.wrong != 0 && to.wrong != enoent:
		return to.wrong
	case from.kind != typeFolder && (from.slash || to.slash):
		return enotdir
	}
	return 0
}

// pathLink implements path_link. There are no links to files in any tree.
func pathLink(s *State, m memory, p []uint64) errno {
	follow, e := follows(p[1])
	if e != 0 {
		return e
	}
	old, _, e := s.found(m, p[0], p[2], p[3], follow)
	if e != 0 {
		return e
	}
	to, e := s.linkable(m, p[4], p[5], p[6])
	switch {
	case e != 0:
		return e
	case s.rootOf(old) != s.rootOf(to.in):
		return exdev
	}
	return enotsup
}

// pathSymlink implements path_symlink. What a link says need not exist.
func pathSymlink(s *State, m memory, p []uint64) errno {
	b, ok := m.bytes(p[0], uint64(uint32(p[1])))
	if !ok {
		return efault
	}
	s.work(min(len(b), maxPath))
	if e := validPath(b); e != 0 {
		return e
	}
	if _, e := s.linkable(m, p[2], p[3], p[4]); e != 0 {
		return e
	}
	return enotsup
}

// linkable returns the place that a path means if a link could be made there, if there were any.
func (s *State) linkable(m memory, fd, ptr, n uint64) (to place, e errno) {
	if to, e = s.vacant(m, fd, ptr, n, false); e == 0 {
		_, _, e = s.changeable(to.path)
	}
	return to, e
}

// pathFilestatSetTimes implements path_filestat_set_times.
func pathFilestatSetTimes(s *State, m memory, p []uint64) errno {
	follow, e := follows(p[1])
	if e != 0 || contradicts(p[6]) {
		return einval
	}
	to, _, e := s.found(m, p[0], p[2], p[3], follow)
	if e != 0 {
		return e
	}
	return s.setTime(to, nil, p[5], p[6])
}

// fdFilestatSetTimes implements fd_filestat_set_times.
func fdFilestatSetTimes(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream():
		return ebadf
	case contradicts(p[3]):
		return einval
	case d.isDevice():
		return erofs
	}
	return s.setTime(d.path, d.file, p[2], p[3])
}

// The flags of times.
const (
	timeAccess = 1 << iota
	timeAccessNow
	timeModified
	timeModifiedNow
	timeAll = 1<<iota - 1
)

// contradicts reports whether flags ask for a time and for the present time at once, or for what there is not.
func contradicts(flags uint64) bool {
	const access, modified = timeAccess | timeAccessNow, timeModified | timeModifiedNow
	return flags&access == access || flags&modified == modified || uint32(flags) > timeAll
}

// setTime sets the time of a change of what is at a path, or behind a descriptor. Times of access are not kept.
func (s *State) setTime(p string, f *file, nanoseconds, flags uint64) errno {
	tree, name, e := s.changeable(p)
	if e != 0 {
		return e
	}
	t := time.Unix(0, int64(nanoseconds))
	switch {
	case flags&timeModifiedNow != 0:
		now, _ := s.look(realtime)
		t = time.Unix(0, now)
	case flags&timeModified == 0:
		return 0
	}
	if f != nil && f.f != nil {
		open := f.f
		return s.change(tree, func(ctx context.Context) error { return open.SetTime(ctx, t) })
	}
	return s.change(tree, func(ctx context.Context) error { return tree.SetTime(ctx, name, t) })
}

// fdSync implements fd_sync and fd_datasync. What is no file that was written is where it should be.
func fdSync(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case !d.writes():
		return 0
	}
	return s.change(d.tree, d.f.Sync)
}

// writes reports whether a descriptor is that of a file that can be written.
func (d *descriptor) writes() bool { return d.kind == opened && !d.folder && d.how.Has(files.Write) }

// fdAllocate implements fd_allocate: it makes a file longer if it is shorter than that.
func fdAllocate(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream() || d.isFolder():
		return ebadf
	case p[2] == 0 || int64(p[1]) < 0 || int64(p[2]) < 0 || int64(p[1]+p[2]) < 0:
		return einval
	case d.isDevice() || files.IsReadOnly(d.tree):
		return enotsup
	case !d.writes():
		return ebadf
	}
	return s.resize(d, int64(p[1]+p[2]), false)
}

// fdFilestatSetSize implements fd_filestat_set_size.
func fdFilestatSetSize(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream():
		return ebadf
	case d.isFolder():
		return eisdir
	case !d.writes() || int64(p[1]) < 0:
		return einval
	}
	return s.resize(d, int64(p[1]), true)
}

// resize makes a file as long as that, or only longer.
func (s *State) resize(d *descriptor, size int64, shorter bool) errno {
	s.work(piece) // whatever the tree does with the difference
	f := d.f      // an operation that is left behind does not look at descriptors
	e := s.change(d.tree, func(ctx context.Context) error {
		if !shorter {
			if info, err := f.Stat(ctx); err != nil || info.Size >= size {
				return err
			}
		}
		return f.Truncate(ctx, size)
	})
	if e == 0 {
		d.end = size
	}
	return e
}
