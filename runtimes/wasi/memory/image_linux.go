package memory

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// copyLimit is the size from which, if written pages cannot be found, giving all pages back costs
// less than copying all, with 4 to 8 pages written.
const copyLimit = 1 << 20

// file is what an image has of the system. To read a zero page of a memory file is to allocate it, so
// an image never does: it knows its zero pages.
type file struct {
	memory  int  // descriptor of the memory file; -1 if the content is a plain copy
	pagemap int  // descriptor of /proc/self/pagemap, or the mother's; -1 if it is of no use
	counted bool // the kernel counts the faults in which pages become a region's own
}

// keep makes the image content's, in a memory file if that works, and finds a method.
func (m *Image) keep(content []byte, d method) error {
	m.file = file{memory: -1, pagemap: -1}
	if m.size == 0 {
		m.method = copyAll
		return nil
	}
	if err := m.keepFile(content); err != nil {
		if d != anyMethod {
			return err
		}
		m.copyOf(content) // memory files are forbidden here
		return nil
	}
	m.choose(d)
	if d != anyMethod && d != m.method {
		m.free()
		return fmt.Errorf("the method %s does not work here", d)
	}
	return nil
}

// keepFile writes what is not zero of content to a memory file, seals it and maps it to be read.
func (m *Image) keepFile(content []byte) error {
	fd, err := memoryFile()
	if err != nil {
		return fmt.Errorf("making a memory file: %w", err)
	}
	m.file.memory = fd
	if err := m.fill(content); err != nil {
		m.free()
		return fmt.Errorf("filling a memory file of %d bytes: %w", m.size, err)
	}
	return nil
}

// memoryFile returns the descriptor of a new memory file.
func memoryFile() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("polyvoke-image", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // Linux before 6.3
		fd, err = unix.MemfdCreate("polyvoke-image", flags)
	}
	return fd, err
}

// fill writes content to the memory file and maps it.
func (m *Image) fill(content []byte) error {
	if err := unix.Ftruncate(m.file.memory, int64(m.size)); err != nil {
		return err
	}
	for _, part := range m.parts() {
		if err := m.write(content, part); err != nil {
			return err
		}
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(uintptr(m.file.memory), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	b, err := unix.Mmap(m.file.memory, 0, int(m.size), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	m.data = b
	return err
}

// parts returns where the image has content of its own.
func (m *Image) parts() []span {
	if m.under == nil {
		return []span{{0, m.size}}
	}
	return m.spans
}

// write writes what is not zero of a part of content to the memory file.
func (m *Image) write(content []byte, part span) error {
	for from := part.from; from < part.to; {
		end, holder := m.stretch(from, part.to)
		for holder != nil && from < end {
			n, err := unix.Pwrite(m.file.memory, content[from:end], int64(from))
			if err != nil {
				return err
			}
			from += uint64(n)
		}
		from = end
	}
	return nil
}

// mapOver maps the image in place of the first bytes of b, which map nothing: first what it lies over. It is private,
// because a sealed file cannot be mapped shared before Linux 6.7, and so that regions can write.
func (m *Image) mapOver(b []byte) error {
	if m.under != nil {
		if err := m.under.mapOver(b); err != nil {
			return err
		}
	}
	for _, s := range m.parts() {
		_, err := unix.MmapPtr(m.file.memory, int64(s.from), unsafe.Pointer(&b[s.from]), uintptr(s.to-s.from), readWrite,
			unix.MAP_PRIVATE|unix.MAP_NORESERVE|unix.MAP_FIXED)
		if err != nil {
			return err
		}
	}
	return nil
}

// choose finds the best method that works, or tells whether the given one does.
func (m *Image) choose(d method) {
	if m.mother != nil {
		m.method, m.file.pagemap, m.file.counted = m.mother.method, m.mother.file.pagemap, m.mother.file.counted
		return
	}
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		m.file.pagemap = fd
	}
	for _, m.method = range []method{scan, pread} {
		if err == nil && (d == anyMethod || d == m.method) && m.try() == nil {
			return
		}
	}
	if err == nil {
		_ = unix.Close(fd)
		m.file.pagemap = -1
	}
	m.method = giveBack
	if d == copyAll || d == anyMethod && m.size <= copyLimit {
		m.method = copyAll
	}
}

// try sees whether the method finds the one page that was written of a new region, and whether the fault was counted.
func (m *Image) try() error {
	r, err := Reserve(m.size)
	if err != nil {
		return err
	}
	defer r.Free()
	if err := r.Attach(m); err != nil {
		return err
	}
	m.file.counted = counts(&r.b[m.size-1])
	page := uint64(unix.Getpagesize())
	n, next, err := r.pages.find(r, written, m.size-granule, m.size)
	if err != nil {
		return err
	}
	end := r.base() + m.size
	if p := r.pages.runs[0]; n != 1 || next != m.size || p.start != end-page || p.end != end {
		return errors.New("the kernel does not tell what was written")
	}
	return nil
}

// free gives everything up.
func (m *Image) free() {
	if m.file.memory < 0 {
		m.data = nil
		return
	}
	if m.data != nil {
		_ = unix.Munmap(m.data) // the mapping is ours and whole: it cannot fail
		m.data = nil
	}
	_ = unix.Close(m.file.memory) // nothing can be lost
	if m.file.pagemap >= 0 && m.mother == nil {
		_ = unix.Close(m.file.pagemap)
	}
	m.file = file{memory: -1, pagemap: -1}
}

// allocated returns how many bytes the image takes.
func (m *Image) allocated() uint64 {
	var s unix.Stat_t
	if m.file.memory < 0 || unix.Fstat(m.file.memory, &s) != nil {
		return uint64(len(m.data))
	}
	return uint64(s.Blocks) * 512
}

// shared tells whether regions share the image's pages.
func (m *Image) shared() bool { return m.file.memory >= 0 }

// unshared returns how many bytes a region has for itself when it was just attached.
func (m *Image) unshared() uint64 {
	if m.shared() {
		return 0
	}
	return m.size
}

// lay makes the image the content of a region of zeros.
func (m *Image) lay(r *Region) error {
	if !m.shared() {
		m.put(r.b, 0, m.size)
		return nil
	}
	if m.file.pagemap >= 0 {
		r.pages = newPages(m.method)
	}
	err := m.mapOver(r.b)
	r.broken = r.broken || err != nil
	return err
}
