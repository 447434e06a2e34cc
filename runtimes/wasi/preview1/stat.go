package preview1

import (
	"encoding/binary"
	"io/fs"
)

// The types of files.
const (
	typeUnknown   = 0
	typeBlock     = 1
	typeCharacter = 2
	typeFolder    = 3
	typeRegular   = 4
	typeLink      = 7
)

// The rights that descriptors are said to have. Nothing depends on them, but C libraries look at them.
const (
	rightsFile   = 0x08e001ff // all that a file can have, sockets apart
	rightsFolder = 0x07bffe19 // all that a folder can have
	rightsSeek   = 1<<2 | 1<<5
)

// Bits of the flags of descriptors.
const (
	flagAppend   = 1 << 0
	flagDsync    = 1 << 1
	flagNonblock = 1 << 2
	flagRsync    = 1 << 3
	flagSync     = 1 << 4
)

// stat is what a guest may know about a file; nothing in it tells about the host.
type stat struct {
	kind uint8
	size int64
	time int64 // nanoseconds since 1970
}

// statOf reduces a description.
func statOf(info fs.FileInfo) stat {
	st := stat{kind: typeOf(info.Mode()), size: info.Size()}
	if t := info.ModTime(); !t.IsZero() {
		st.time = t.UnixNano()
	}
	return st
}

// typeOf returns the type of a file.
func typeOf(mode fs.FileMode) uint8 {
	switch {
	case mode.IsRegular():
		return typeRegular
	case mode.IsDir():
		return typeFolder
	case mode&fs.ModeSymlink != 0:
		return typeLink
	case mode&fs.ModeCharDevice != 0:
		return typeCharacter
	case mode&fs.ModeDevice != 0:
		return typeBlock
	}
	return typeUnknown
}

// stat describes an open descriptor.
func (s *State) stat(d *descriptor) (stat, errno) {
	switch {
	case d.file == nil:
		return stat{kind: typeBlock}, 0 // a character device would pass for a terminal
	case d.f == nil:
		return s.statPath(d.root, d.name)
	}
	info, err := d.f.Stat()
	if err != nil {
		return stat{}, errnoOf(err)
	}
	return statOf(info), 0
}

// statPath describes a file by its name below a preopen.
func (s *State) statPath(root int, name string) (stat, errno) {
	files := s.files(root)
	if files == nil {
		if name == "." {
			return stat{kind: typeFolder}, 0
		}
		return stat{}, enoent
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return stat{}, errnoOf(err)
	}
	return statOf(info), 0
}

// put writes the 64 bytes of a filestat.
func (st stat) put(b []byte) {
	clear(b)
	b[16] = st.kind
	binary.LittleEndian.PutUint64(b[24:], 1) // links
	binary.LittleEndian.PutUint64(b[32:], uint64(st.size))
	for at := 40; at < 64; at += 8 { // of access, modification, change
		binary.LittleEndian.PutUint64(b[at:], uint64(st.time))
	}
}

// fdFilestatGet implements fd_filestat_get.
func fdFilestatGet(s *State, m memory, p []uint64) errno {
	b, ok := m.bytes(p[1], 64)
	if !ok {
		return efault
	}
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	if d.file != nil {
		s.look(d.root)
	}
	st, e := s.stat(d)
	if e == 0 {
		st.put(b)
	}
	return e
}

// fdFdstatGet implements fd_fdstat_get. No descriptor has a flag.
func fdFdstatGet(s *State, m memory, p []uint64) errno {
	b, ok := m.bytes(p[1], 24)
	if !ok {
		return efault
	}
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	st, e := s.stat(d)
	if e != 0 {
		return e
	}
	base, inheriting := uint64(rightsFile), uint64(0)
	switch st.kind {
	case typeFolder:
		base, inheriting = rightsFolder, rightsFile|rightsFolder
	case typeCharacter:
		base &^= rightsSeek
	}
	clear(b)
	b[0] = st.kind
	binary.LittleEndian.PutUint64(b[8:], base)
	binary.LittleEndian.PutUint64(b[16:], inheriting)
	return 0
}

// fdFdstatSetFlags implements fd_fdstat_set_flags. No flag can be set; none can be cleared, where
// there are any at all.
func fdFdstatSetFlags(s *State, _ memory, p []uint64) errno {
	if p[1]&(flagDsync|flagRsync|flagSync) != 0 {
		return einval
	}
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case d.isFolder():
		return eisdir
	case p[1]&flagNonblock != 0 || d.file != nil:
		return enosys
	}
	return 0
}
