package preview1

import (
	"context"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// maxPath is how long a path may be, in bytes: one less than 4096, as C counts the NUL.
const maxPath = 4095

// resolve returns the place that a path means, seen from a descriptor.
func (s *State) resolve(m memory, fd, ptr, n uint64) (to place, e errno) {
	s.work(workCall + min(int(uint32(n)), maxPath))
	d := s.table.get(fd)
	switch {
	case d == nil:
		return place{}, ebadf
	case !d.isFolder():
		return place{}, enotdir
	}
	b, ok := m.bytes(ptr, uint64(uint32(n)))
	if !ok {
		return place{}, efault
	}
	if e := validPath(b); e != 0 {
		return place{}, e
	}
	return s.walk(d.path, string(b))
}

// follows reports whether a link that is the last element of a path is followed.
func follows(flags uint64) (follow bool, e errno) {
	if uint32(flags) > 1 {
		return false, einval
	}
	return uint32(flags) == 1, 0
}

// follows reports whether a link at a place is followed, if one that is the last element of a path would be or not:
// with a slash or a "." behind it, it is not the last.
func (p place) follows(last bool) bool { return last || p.slash || p.dots != "" }

// The flags of path_open.
const (
	openCreate    = 1 << 0
	openFolder    = 1 << 1
	openExclusive = 1 << 2
	openTruncate  = 1 << 3
	openAll       = 1<<4 - 1
	rightRead     = 1 << 1
	rightWrite    = 1 << 6
)

// opening is how something is to be opened.
type opening struct {
	follow, create, exclusive, folder, truncate, read, write bool

	flags uint8 // of the descriptor
}

// how returns the flags for a tree. What asks for nothing is open to read, and what is to be made shorter to write.
func (o opening) how() (how files.Flags) {
	if o.create {
		how |= files.Create
	}
	if o.create && o.exclusive {
		how |= files.Exclusive
	}
	if o.truncate {
		how |= files.Truncate | files.Write
	}
	if o.write {
		how |= files.Write
	}
	if o.read || !o.write {
		how |= files.Read
	}
	return how
}

// openingOf reads the parameters of path_open.
func openingOf(lookup, open, rights, flags uint64) (o opening, e errno) {
	follow, e := follows(lookup)
	has := func(flag uint64) bool { return open&flag != 0 }
	o = opening{follow: follow, create: has(openCreate), exclusive: has(openExclusive), folder: has(openFolder),
		truncate: has(openTruncate), read: rights&rightRead != 0, write: rights&rightWrite != 0, flags: uint8(flags)}
	if uint32(open) > openAll || uint32(flags) > flagAll || o.folder && (o.create || o.exclusive || o.truncate) {
		return o, einval
	}
	return o, e
}

// pathOpen implements path_open.
func pathOpen(s *State, m memory, p []uint64) errno {
	o, e := openingOf(p[1], p[4], p[5], p[7])
	if e != 0 {
		return e
	}
	to, e := s.resolve(m, p[0], p[2], p[3])
	if e != 0 {
		return e
	}
	if s.table.open >= maxOpen {
		return emfile
	}
	d, e := s.open(to, o)
	if e != 0 {
		return e
	}
	fd := s.table.add(d)
	if e := m.putU32(p[8], fd); e != 0 {
		_ = s.closeFile(s.table.close(&s.table.list[fd]))
		return e
	}
	return 0
}

// open opens what is at a path. Of a device each descriptor is another name: closing one closes nothing else.
func (s *State) open(to place, o opening) (descriptor, errno) {
	if e := s.unmakable(to, o); e != 0 {
		return descriptor{}, e
	}
	o.folder = o.folder || to.slash
	if k := deviceAt(to.path); k != closed {
		return descriptor{kind: k, flags: o.flags}, o.refuse(typeCharacter)
	}
	if follow := to.follows(o.follow) && !(o.create && o.exclusive); !follow && s.isLink(to.path) {
		return descriptor{}, o.refuse(typeLink)
	}
	how := o.how()
	if o.folder { // nothing is to come of it if it is none
		how = files.Read
	}
	f, e := s.openAt(to.path, how)
	if e == enoent && o.create {
		if e = s.folderAt(to.in); e == 0 {
			e = erofs
		}
	}
	if e != 0 {
		return descriptor{}, e
	}
	switch {
	case f.folder:
		e = o.refuse(typeFolder)
	case o.folder || files.IsReadOnly(f.tree):
		e = o.refuse(typeRegular)
	}
	if e != 0 {
		_ = s.closeFile(f)
		return descriptor{}, e
	}
	if o.truncate {
		s.work(piece) // what is gone may have been any number of bytes
	}
	return descriptor{kind: opened, flags: o.flags, file: f}, 0
}

// unmakable says why no file can be made at a place, whatever is there.
func (s *State) unmakable(to place, o opening) errno {
	switch {
	case !o.create:
		return 0
	case to.dots != "":
		return o.refuse(typeFolder)
	case to.slash:
		if e := s.folderAt(to.in); e != 0 {
			return e
		}
		return eisdir
	case len(to.path)-len(parentOf(to.path)) > maxName+1:
		return s.missing(to.path)
	}
	return 0
}

// refuse says why something that exists, of that type, cannot be opened so. What would not change anything is
// granted, as on any file system that is read only; devices can be written.
func (o opening) refuse(kind uint8) errno {
	folder := kind == typeFolder
	switch {
	case o.create && o.exclusive:
		return eexist
	case o.folder && !folder:
		return enotdir
	case kind == typeLink:
		return eloop
	case folder && (o.write || o.create || o.truncate):
		return eisdir
	case kind == typeRegular && (o.write || o.truncate):
		return erofs
	}
	return 0
}

// pathFilestatGet implements path_filestat_get.
func pathFilestatGet(s *State, m memory, p []uint64) errno {
	follow, e := follows(p[1])
	if e != 0 {
		return e
	}
	_, st, e := s.found(m, p[0], p[2], p[3], follow)
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

// found returns where a path leads, and what is there.
func (s *State) found(m memory, fd, ptr, n uint64, follow bool) (p string, st stat, e errno) {
	to, e := s.resolve(m, fd, ptr, n)
	if e != 0 {
		return "", st, e
	}
	st, e = s.at(to.path, to.follows(follow))
	if e == 0 && to.slash && st.kind != typeFolder {
		e = enotdir
	}
	return to.path, st, e
}

// pathReadlink implements path_readlink. Of a target that is longer than the buffer the beginning is written.
func pathReadlink(s *State, m memory, p []uint64) errno {
	to, st, e := s.found(m, p[0], p[1], p[2], false)
	switch {
	case e != 0:
		return e
	case st.kind != typeLink:
		return einval
	}
	tree, name := s.holder(to)
	links, ok := tree.(files.Linker)
	if !ok {
		return einval
	}
	target, err := do(s, tree, func(ctx context.Context) (string, error) { return links.ReadLink(ctx, name) })
	if err != nil {
		return errnoOf(err)
	}
	b, ok := m.bytes(p[3], min(uint64(uint32(p[4])), uint64(len(target))))
	if !ok {
		return efault
	}
	return m.putU32(p[5], uint32(copy(b, target)))
}
