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
		return s.folderName(d.root), 0
	}
	return "", 0
}

// folderName returns the path of a preopen.
func (s *State) folderName(root int) string {
	if root == 0 {
		return folderName
	}
	return s.Mounts[root-1].Path
}

// files returns the files of a preopen. Nil means that there are none.
func (s *State) files(root int) fs.FS {
	if root == 0 {
		return s.Files
	}
	return s.Mounts[root-1].FS
}

// look notes that the guest looks at the files of a preopen.
func (s *State) look(root int) { s.seen.Files = s.seen.Files || root == 0 }

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
	s.work(workString * len(d.entries))
	dirents, all := encode(d.entries, p[3], n)
	used := uint32(n)
	if all {
		used = uint32(len(dirents))
	}
	b, ok := m.bytes(p[1], uint64(len(dirents)))
	if !ok {
		return efault
	}
	copy(b, dirents)
	return m.putU32(p[4], used)
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
	s.look(d.root)
	files := s.files(d.root)
	if files == nil {
		return 0
	}
	entries, err := fs.ReadDir(files, d.name)
	if err != nil {
		d.entries = nil
		return errnoOf(err)
	}
	s.work(workEntry * len(entries))
	d.entries = append(d.entries, entries...)
	return 0
}

// encode writes entries from a cookie on, as many as room allows. It tells whether these are all. Of the last one there may
// be only the header, which tells the guest how much room it needs.
func encode(entries []fs.DirEntry, cookie, room uint64) (b []byte, all bool) {
	for i := cookie; i < uint64(len(entries)+2); i++ {
		name, kind := entry(entries, i)
		left := room - uint64(len(b))
		if left < direntSize {
			return b, false
		}
		b = binary.LittleEndian.AppendUint64(b, i+1) // the next cookie
		b = binary.LittleEndian.AppendUint64(b, 0)   // no inode
		b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
		b = binary.LittleEndian.AppendUint32(b, uint32(kind))
		if left < direntSize+uint64(len(name)) {
			return b, false
		}
		b = append(b, name...)
	}
	return b, true
}

// entry returns the name and the type of an entry.
func entry(entries []fs.DirEntry, i uint64) (string, uint8) {
	if i < 2 {
		return ".."[:i+1], typeFolder
	}
	e := entries[i-2]
	return e.Name(), typeOf(e.Type())
}
