package preview1

import "encoding/binary"

// fdPrestatGet implements fd_prestat_get.
func fdPrestatGet(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil || d.kind != preopen {
		return ebadf // by which a guest that goes through the numbers finds the end
	}
	return m.putU64(p[1], uint64(len(d.path))<<32) // the tag of a folder is 0
}

// fdPrestatDirName implements fd_prestat_dir_name. There may be more room than the name takes.
func fdPrestatDirName(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case d.kind != preopen:
		return enotdir
	case uint64(uint32(p[2])) < uint64(len(d.path)):
		return enametoolong
	}
	b, ok := m.bytes(p[1], uint64(len(d.path)))
	if !ok {
		return efault
	}
	copy(b, d.path)
	return 0
}

// direntSize is the length of an entry without its name.
const direntSize = 24

// fdReaddir implements fd_readdir. A cookie is the number of an entry: "." is 0, ".." is 1. What is written is cut
// off where the buffer ends; only when it is not filled was that all.
func fdReaddir(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil || !d.isFolder() {
		return ebadf
	}
	b, ok := m.bytes(p[1], uint64(uint32(p[2])))
	if !ok {
		return efault
	}
	if p[3] == 0 || !d.listed {
		if e := s.list(d); e != 0 {
			return e
		}
	}
	return m.putU32(p[4], uint32(s.putEntries(d, p[3], b)))
}

// list reads the entries of a folder, which stay what they are until the guest starts anew.
func (s *State) list(d *descriptor) errno {
	s.table.initial = false
	d.entries, d.listed = nil, false
	entries, e := s.entriesOf(d.path)
	if e != 0 {
		return e
	}
	s.work(workEntry * len(entries))
	d.entries, d.listed = entries, true
	return 0
}

// putEntries writes entries from a cookie on, as many as there is room for, and returns how many bytes these are.
func (s *State) putEntries(d *descriptor, cookie uint64, b []byte) (used int) {
	for i := cookie; i < uint64(len(d.entries)+2) && used < len(b); i++ {
		s.work(workEntry)
		name, kind, inode := d.entry(i)
		var head [direntSize]byte
		binary.LittleEndian.PutUint64(head[:], i+1) // the next cookie
		binary.LittleEndian.PutUint64(head[8:], inode)
		binary.LittleEndian.PutUint32(head[16:], uint32(len(name)))
		head[20] = kind
		used += copy(b[used:], head[:])
		used += copy(b[used:], name)
	}
	return used
}

// entry returns the name, the type and the inode of an entry.
func (f *file) entry(i uint64) (name string, kind uint8, inode uint64) {
	switch i {
	case 0:
		return ".", typeFolder, inodeOf(f.path)
	case 1:
		return "..", typeFolder, inodeOf(parentOf(f.path))
	}
	e := f.entries[i-2]
	return e.Name, typeOf(e.Mode), inodeOf(join(f.path, e.Name))
}
