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
	arena   *arena // where the content is; nil if it is a plain copy
	at      uint64 // and at which byte of that
	pagemap int    // descriptor of /proc/self/pagemap, or the mother's; -1 if it is of no use
	counted bool   // the kernel counts the faults in which pages become a region's own
}

// keep makes the image content's, in a memory file if that works, and finds a method.
func (m *Image) keep(content []byte, d method) error {
	m.file = file{pagemap: -1}
	if m.size == 0 {
		m.method = copyAll
		return nil
	}
	if err := m.keepFile(content); err != nil {
		if d != anyMethod || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.ENOSPC) {
			return err
		}
		m.copyOf(content) // memory files are forbidden here, or there is no descriptor left
		return nil
	}
	m.choose(d)
	if d != anyMethod && d != m.method {
		m.free()
		return fmt.Errorf("the method %s does not work here", d)
	}
	return nil
}

// keepFile writes what is not zero of content to a memory file.
func (m *Image) keepFile(content []byte) error {
	claim := alone
	if m.pool != nil {
		claim = m.pool.arenas.claim
	}
	a, at, err := claim(m.size)
	if err != nil {
		return err
	}
	m.file.arena, m.file.at = a, at
	m.data = a.b[at : at+m.size : at+m.size]
	for _, part := range m.parts() {
		if err := m.write(content, part); err != nil {
			m.free()
			return fmt.Errorf("filling %d bytes of a memory file: %w", m.size, err)
		}
	}
	return nil
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
			n, err := unix.Pwrite(m.file.arena.fd, content[from:end], int64(m.file.at+from))
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
// so that regions can write.
func (m *Image) mapOver(b []byte) error {
	if m.under != nil {
		if err := m.under.mapOver(b); err != nil {
			return err
		}
	}
	for _, s := range m.parts() {
		_, err := unix.MmapPtr(m.file.arena.fd, int64(m.file.at+s.from), unsafe.Pointer(&b[s.from]),
			uintptr(s.to-s.from), readWrite, unix.MAP_PRIVATE|unix.MAP_NORESERVE|unix.MAP_FIXED)
		if err != nil {
			return err
		}
	}
	return nil
}

// choose finds the best method that works, or reports whether the given one does.
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
		return errors.New("the kernel does not say what was written")
	}
	return nil
}

// free gives everything up.
func (m *Image) free() {
	m.data = nil
	if m.file.arena == nil {
		return
	}
	m.file.arena.free(m.file.at, m.size)
	if m.file.pagemap >= 0 && m.mother == nil {
		_ = unix.Close(m.file.pagemap) // nothing can be lost
	}
	m.file = file{pagemap: -1}
}

// allocated returns how many bytes the image takes.
func (m *Image) allocated() uint64 {
	if m.file.arena == nil {
		return uint64(len(m.data))
	}
	return m.file.arena.allocated(m.file.at, m.file.at+m.size)
}

// shared reports whether regions share the image's pages.
func (m *Image) shared() bool { return m.file.arena != nil }

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
