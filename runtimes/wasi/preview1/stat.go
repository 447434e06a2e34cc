package preview1

import (
	"encoding/binary"
	"io/fs"

	"github.com/polyvoke/polyvoke/runtimes/files"
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

// The rights that descriptors are said to have, which are those of wasmtime. Nothing depends on them here, but C
// libraries look at them: without the right to write, a file is open to read; what can be sought is no terminal.
const (
	rightsAll    = 1<<30 - 1
	rightsRead   = 1 << 1
	rightsWrite  = 1 << 6
	rightsFile   = rightsAll &^ rightsWrite             // that is open to read
	rightsFolder = rightsFile &^ (1<<2 | 1<<19 | 1<<22) // not to seek, nor to set sizes
	// Of a preopen, and of what is opened below one.
	rightsPreopen    = 0x07b7fe00
	rightsInheriting = 0x0ff7ffff
)

// Bits of the flags of descriptors.
const (
	flagAppend   = 1 << 0
	flagDsync    = 1 << 1
	flagNonblock = 1 << 2
	flagRsync    = 1 << 3
	flagSync     = 1 << 4
	flagAll      = 1<<5 - 1
)

// stat is what a guest may know about a file; nothing in it tells about the host.
type stat struct {
	kind  uint8
	inode uint64
	size  int64
	time  int64 // nanoseconds since 1970
}

// statOf reduces the description of the file at a path.
func statOf(info files.Info, p string) stat {
	st := stat{kind: typeOf(info.Mode), inode: inodeOf(p)}
	if st.kind != typeFolder { // the size of a folder is the host's business
		st.size = info.Size
	}
	if t := info.ModTime; !t.IsZero() {
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

// theDevice is the number of the device that all files are on.
const theDevice = 1

// stat describes an open descriptor.
func (s *State) stat(d *descriptor) (stat, errno) {
	switch {
	case d.file == nil:
		return statOfDevice(d.kind), 0
	case d.f == nil:
		return s.at(d.path, true)
	}
	info, err := s.describe(d.file)
	if err != nil {
		return stat{}, errnoOf(err)
	}
	return statOf(info, d.path), 0
}

// put writes the 64 bytes of a filestat.
func (st stat) put(b []byte) {
	clear(b)
	binary.LittleEndian.PutUint64(b, theDevice)
	binary.LittleEndian.PutUint64(b[8:], st.inode)
	b[16] = st.kind
	binary.LittleEndian.PutUint64(b[24:], 1) // links
	binary.LittleEndian.PutUint64(b[32:], uint64(st.size))
	for at := 40; at < 64; at += 8 { // of access, modification, change
		binary.LittleEndian.PutUint64(b[at:], uint64(st.time))
	}
}

// fdFilestatGet implements fd_filestat_get.
func fdFilestatGet(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	b, ok := m.bytes(p[1], 64)
	if !ok {
		return efault
	}
	st, e := s.stat(d)
	if e == 0 {
		st.put(b)
	}
	return e
}

// fdFdstatGet implements fd_fdstat_get.
func fdFdstatGet(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	b, ok := m.bytes(p[1], 24)
	if !ok {
		return efault
	}
	base, inheriting := d.rights()
	clear(b)
	b[0], b[2] = d.fileType(), d.flags
	binary.LittleEndian.PutUint64(b[8:], base)
	binary.LittleEndian.PutUint64(b[16:], inheriting)
	return 0
}

// fileType returns the type of what is open.
func (d *descriptor) fileType() uint8 {
	switch {
	case d.file == nil:
		return typeOf(modeOfDevice(d.kind))
	case d.folder:
		return typeFolder
	}
	return typeRegular
}

// rights returns what can be done with a descriptor, and with what is opened below it.
func (d *descriptor) rights() (base, inheriting uint64) {
	switch {
	case d.kind == stdin:
		base = rightsRead
	case d.isStream():
		base = rightsWrite
	case d.isDevice():
		base = rightsAll
	case d.kind == preopen:
		return rightsPreopen, rightsInheriting
	case d.folder:
		base = rightsFolder
	default:
		base = rightsFile
		if d.how&files.Write != 0 {
			base = rightsAll
		}
		if d.how&files.Read == 0 {
			base &^= rightsRead
		}
	}
	return base, base
}

// fdFdstatSetFlags implements fd_fdstat_set_flags. What is written reaches whoever it is for at once, so that nothing
// can be added to that by a flag.
func fdFdstatSetFlags(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case uint32(p[1])&^(flagAppend|flagNonblock) != 0:
		return einval
	case uint32(p[0]) < firstFolder:
		s.table.flagged = true
	default:
		s.table.initial = false
	}
	d.flags = uint8(p[1])
	return 0
}

// fdFdstatSetRights implements fd_fdstat_set_rights, which no longer means anything.
func fdFdstatSetRights(s *State, _ memory, p []uint64) errno {
	if s.table.get(p[0]) == nil {
		return ebadf
	}
	return enotsup
}
