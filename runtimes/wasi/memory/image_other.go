//go:build !linux

package memory

// pages and file are of use on Linux only.
type (
	pages struct{}
	file  struct{}

	arenas struct{}
)

// close has nothing to close.
func (*arenas) close() {}

// keep makes the image a copy of content. Only copyAll works here.
func (m *Image) keep(content []byte, _ method) error {
	m.copyOf(content)
	return nil
}

// free leaves the copy to the collector.
func (m *Image) free() { m.data = nil }

// allocated returns how many bytes the image takes.
func (m *Image) allocated() uint64 { return m.size }

// shared reports whether regions share the image's pages.
func (m *Image) shared() bool { return false }

// unshared returns how many bytes a region has for itself when it was just attached.
func (m *Image) unshared() uint64 { return m.size }

// lay makes the image the content of a region of zeros.
func (m *Image) lay(r *Region) error {
	m.put(r.bytes(m.size), 0, m.size)
	return nil
}

// restoreWritten has no way to know what was written.
func (r *Region) restoreWritten(uint64) error { return errNoImage }

// findWritten has no way to know it either.
func (r *Region) findWritten(uint64) (uint64, error) { return 0, errNoImage }

// Begin does nothing, nor do Leave and End: faults that are counted say nothing where all is copied.
func (r *Region) Begin() {}

// Leave does nothing, see Begin.
func (r *Region) Leave() {}

// End does nothing, see Begin.
func (r *Region) End() {}

// forgetOwn has nothing to forget.
func (r *Region) forgetOwn() {}

// verify compares the first used bytes with the image.
func (r *Region) verify(used uint64) error { return r.compare(0, used) }
