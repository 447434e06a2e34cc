package preview1

import (
	"encoding/binary"
	"io/fs"
)

// fdPrestatGet implements fd_prestat_get. Stdio is there before the start too, without a name.
func fdPrestatGet(s *State, m memory, p []uint64) errno {
	name, e := s.prestat(p[0])
	if e != 0 {
		return e
	}
	return m.putU64(p[1], uint64(len(name))<<32) // the tag of a folder is 0
}

// fdPrestatDirName implements fd_prestat_dir_name. A part of the name can be asked for.
func fdPrestatDirName(s *State, m memory, p []uint64) errno {
	name, e := s.prestat(p[0])
	if e != 0 {
		return e
	}
	n := uint64(uint32(p[2]))
	if n > uint64(len(name)) {
		return enametoolong
	}
	b, ok := m.bytes(p[1], n)
	if !ok {
		return efault
	}
	copy(b, name)
	return 0
}

// prestat returns the name of a descriptor that was there before the start.
func (s *State) prestat(fd uint64) (string, errno) {
	d := s.table.get(fd)
	switch {
	case d == nil || d.kind == opened:
		return "", ebadf
	case d.kind == preopen:
		return folderName, 0
	}
	return "", 0
}

// direntSize is the length of an entry without its name.
const direntSize = 24

// fdReaddir implements fd_readdir. A cookie is the number of an entry: "." is 0, ".." is 1. The
// last entry may be cut off; the result is the length of the buffer until all have been written.
func fdReaddir(s *State, m memory, p []uint64) errno {
	n := uint64(uint32(p[2]))
	if n < direntSize {
		return einval
	}
	d := s.table.get(p[0])
	if d == nil || !d.isFolder() {
		return ebadf
	}
	if e := s.list(d, p[3]); e != 0 {
		return e
	}
	if p[3] > uint64(len(d.entries)+2) {
		return enoent
	}
	used, wanted := s.putDirents(nil, d.entries, p[3], n)
	b, ok := m.bytes(p[1], used)
	if !ok {
		return efault
	}
	s.putDirents(b, d.entries, p[3], n)
	return m.putU32(p[4], uint32(wanted))
}

// list reads the entries of a folder, if that has not been done or the guest starts anew.
func (s *State) list(d *descriptor, cookie uint64) errno {
	switch {
	case cookie != 0 && d.entries != nil:
		return 0
	case cookie != 0: // it can only be made up
		return enoent
	}
	s.table.initial = false
	d.entries = []fs.DirEntry{}
	if s.Files == nil {
		return 0
	}
	entries, err := fs.ReadDir(s.Files, d.name)
	if err != nil {
		d.entries = nil
		return errnoOf(err)
	}
	d.entries = append(d.entries, entries...)
	return 0
}

// putDirents writes entries from a cookie on into b, or only counts if b is nil. room is how long the guest's
// buffer is. It returns how much of that is used, and the result for the guest.
func (s *State) putDirents(b []byte, entries []fs.DirEntry, cookie, room uint64) (used, wanted uint64) {
	for i := cookie; i < uint64(len(entries)+2) && used < room; i++ {
		name, kind := dirent(entries, i)
		n := direntSize + uint64(len(name))
		switch left := room - used; {
		case left < direntSize: // no room for the header either; the guest asks again
			return used, room
		case left < n:
			putDirent(b, used, i+1, name, kind)
			return used + direntSize, room
		}
		putDirent(b, used, i+1, name, kind)
		if b != nil {
			copy(b[used+direntSize:], name)
		}
		used += n
	}
	return used, used
}

// dirent returns the name and the type of an entry.
func dirent(entries []fs.DirEntry, i uint64) (string, uint8) {
	switch i {
	case 0:
		return ".", typeFolder
	case 1:
		return "..", typeFolder
	}
	e := entries[i-2]
	return e.Name(), typeOf(e.Type())
}

// putDirent writes the header of an entry at b[at:].
func putDirent(b []byte, at, next uint64, name string, kind uint8) {
	if b == nil {
		return
	}
	b = b[at:]
	binary.LittleEndian.PutUint64(b, next)
	binary.LittleEndian.PutUint64(b[8:], 0) // no inode
	binary.LittleEndian.PutUint32(b[16:], uint32(len(name)))
	binary.LittleEndian.PutUint32(b[20:], uint32(kind))
}
