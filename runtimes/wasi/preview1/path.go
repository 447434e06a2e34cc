package preview1

import (
	"io/fs"
	"path"
)

// maxPath is how long a path may be, in bytes.
const maxPath = 4096

// resolve returns the preopen, and the name below it, that a path means, seen from a descriptor.
func (s *State) resolve(m memory, fd, ptr, n uint64) (root int, name string, e errno) {
	s.work(workPath + min(int(uint32(n)), maxPath))
	b, ok := m.bytes(ptr, uint64(uint32(n)))
	switch {
	case !ok:
		return 0, "", efault
	case len(b) > maxPath:
		return 0, "", enametoolong
	}
	name = path.Clean(string(b))
	if !fs.ValidPath(name) {
		return 0, "", eperm // absolute, or out of the folder, or not UTF-8
	}
	d := s.table.get(fd)
	switch {
	case d == nil:
		return 0, "", ebadf
	case !d.isFolder():
		return 0, "", enotdir
	}
	s.look(d.root)
	return d.root, path.Join(d.name, name), 0
}

// The flags of path_open.
const (
	openCreate   = 1 << 0
	openFolder   = 1 << 1
	openTruncate = 1 << 3
	rightWrite   = 1 << 6
)

// pathOpen implements path_open. What would change something is refused. Links are followed or
// not as Files does it.
func pathOpen(s *State, m memory, p []uint64) errno {
	root, name, e := s.resolve(m, p[0], p[2], p[3])
	if e != 0 {
		return e
	}
	if e := openable(uint32(p[3]), p[4], p[5], p[7]); e != 0 {
		return e
	}
	f, e := s.open(root, name)
	if e != 0 {
		return e
	}
	if p[4]&openFolder != 0 && !f.folder {
		_ = f.f.Close()
		return enotdir
	}
	fd := s.table.add(f)
	if e := m.putU32(p[8], fd); e != 0 {
		_ = s.table.close(&s.table.list[fd])
		return e
	}
	return 0
}

// openable judges the flags of path_open.
func openable(length uint32, flags, rights, fdFlags uint64) errno {
	const both = openFolder | openCreate
	switch {
	case length == 0, flags&both == both:
		return einval
	case flags&(openCreate|openTruncate) != 0 || fdFlags&flagAppend != 0:
		return erofs
	case rights&rightWrite != 0 && flags&openFolder != 0:
		return eisdir
	case rights&rightWrite != 0:
		return erofs
	}
	return 0
}

// open opens a file or folder below a preopen.
func (s *State) open(root int, name string) (*file, errno) {
	files := s.files(root)
	switch {
	case s.table.open >= maxOpen:
		return nil, emfile
	case files == nil && name == ".":
		return &file{root: root, name: name, folder: true}, 0
	case files == nil:
		return nil, enoent
	}
	f, err := files.Open(name)
	if err != nil {
		return nil, errnoOf(err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, errnoOf(err)
	}
	return &file{f: f, root: root, name: name, folder: info.IsDir()}, 0
}

// pathFilestatGet implements path_filestat_get.
func pathFilestatGet(s *State, m memory, p []uint64) errno {
	root, name, e := s.resolve(m, p[0], p[2], p[3])
	if e != 0 {
		return e
	}
	st, e := s.statPath(root, name)
	if e != 0 {
		return e
	}
	b, ok := m.bytes(p[4], 64)
	if !ok {
		return efault
	}
	st.put(b)
	return 0
}

// pathReadlink implements path_readlink. Links are not shown as such.
func pathReadlink(s *State, m memory, p []uint64) errno {
	if uint32(p[2]) == 0 || uint32(p[4]) == 0 {
		return einval
	}
	if _, _, e := s.resolve(m, p[0], p[1], p[2]); e != 0 {
		return e
	}
	return enosys
}

// changing returns a function that would change something, and refuses once its arguments have been
// checked: paths names the parameters that are a descriptor and the pointer to a path below it, in pairs.
func changing(paths ...int) call {
	return func(s *State, m memory, p []uint64) errno {
		for i := 0; i < len(paths); i += 2 {
			fd, path := paths[i], paths[i+1]
			if _, _, e := s.resolve(m, p[fd], p[path], p[path+1]); e != 0 {
				return e
			}
		}
		return erofs
	}
}

// pathFilestatSetTimes implements path_filestat_set_times, which refuses.
func pathFilestatSetTimes(s *State, m memory, p []uint64) errno {
	if contradicts(p[6]) {
		return einval
	}
	return changing(0, 2)(s, m, p)
}

// pathSymlink implements path_symlink, which refuses.
func pathSymlink(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[2])
	switch {
	case d == nil:
		return ebadf
	case !d.isFolder():
		return enotdir
	case uint32(p[1]) == 0 || uint32(p[4]) == 0:
		return einval
	}
	if _, ok := m.bytes(p[0], uint64(uint32(p[1]))); !ok {
		return efault
	}
	return changing(2, 3)(s, m, p)
}
