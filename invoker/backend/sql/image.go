package sql

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// image is a database as a run has it: a snapshot, and what the run has written over it.
type image struct {
	from    *snapshot
	max     int64 // bytes that the database can have
	room    int64 // bytes that can be held of what is written
	changed bool  // something was written
	when    time.Time
	state
	undo  *state // what it was when SQLite began the transaction that it is in
	twice int64  // bytes that are held a second time, for undo
}

// state is what an image contains.
type state struct {
	size   int64
	exists bool
	pieces [][]byte     // nil for one of zeros
	own    map[int]bool // which of them nobody else has, so that they can be written
	dirty  map[int]bool // which of them are not those of the snapshot
}

// newImage returns a snapshot as a run sees it.
func newImage(s *snapshot, max, room int64) *image {
	return &image{from: s, max: max, room: room, when: s.at.Stored,
		state: state{size: s.size, exists: s.at.Live(), pieces: s.pieces}}
}

// readAt reads at some position.
func (m *image) readAt(b []byte, at int64) (read int, err error) {
	if at >= m.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), m.size-at)]
	for read < len(b) {
		i, in := int(at/piece), at%piece
		part := b[read:min(len(b), read+int(piece-in))]
		clear(part)
		if p := m.pieces[i]; in < int64(len(p)) {
			copy(part, p[in:])
		}
		read, at = read+len(part), at+int64(len(part))
	}
	return read, nil
}

// writeAt writes at some position: all, or nothing.
func (m *image) writeAt(b []byte, at int64) (int, error) {
	if at == files.End {
		at = m.size
	}
	end := at + int64(len(b))
	switch {
	case at < 0:
		return 0, fs.ErrInvalid
	case end < at || end > m.max:
		return 0, files.ErrTooLarge
	case len(b) == 0:
		return 0, nil
	}
	if err := m.hold(int(at/piece), int((end-1)/piece)); err != nil {
		return 0, err
	}
	if end > m.size {
		m.resize(end)
	}
	for written := 0; written < len(b); {
		i, in := int(at/piece), at%piece
		n := copy(m.write(i)[in:], b[written:])
		written, at = written+n, at+int64(n)
	}
	return len(b), nil
}

// hold returns why some pieces cannot be written: there is no room for what would be held.
func (m *image) hold(first, last int) error {
	more := int64(0)
	for i := first; i <= last; i++ {
		if !m.own[i] {
			more += piece
		}
	}
	if m.held()+more > m.room {
		return files.ErrNoSpace
	}
	return nil
}

// held returns how many bytes are held of what was written.
func (m *image) held() int64 { return int64(len(m.dirty))*piece + m.twice }

// write returns a piece that can be written, all of it.
func (m *image) write(i int) []byte {
	m.touch()
	if !m.own[i] {
		p := make([]byte, piece)
		copy(p, m.pieces[i])
		m.pieces[i] = p
		if m.own[i] = true; m.dirty[i] && m.undo != nil {
			m.twice += piece
		}
		m.dirty[i] = true
	}
	return m.pieces[i]
}

// touch makes the pieces the image's own, though not yet what is in them.
func (m *image) touch() {
	m.changed, m.when = true, time.Now()
	if m.own == nil {
		m.pieces, m.own = slices.Clone(m.pieces), map[int]bool{}
	}
	if m.dirty == nil {
		m.dirty = map[int]bool{}
	}
}

// resize makes it longer by zeros, or shorter.
func (m *image) resize(size int64) {
	m.touch()
	count := int((size + piece - 1) / piece)
	for len(m.pieces) < count {
		m.pieces = append(m.pieces, nil)
	}
	for i := count; i < len(m.pieces); i++ {
		delete(m.own, i)
		delete(m.dirty, i)
	}
	clear(m.pieces[count:])
	m.pieces = m.pieces[:count]
	if in := size % piece; size < m.size && in > 0 && m.pieces[count-1] != nil {
		clear(m.write(count - 1)[in:])
	}
	m.size = size
}

// truncate gives it another size.
func (m *image) truncate(size int64) error {
	switch {
	case size < 0:
		return fs.ErrInvalid
	case size > m.max:
		return files.ErrTooLarge
	case size == m.size:
		return nil
	case size < m.size && size%piece > 0:
		if err := m.hold(int(size/piece), int(size/piece)); err != nil {
			return err
		}
	}
	m.resize(size)
	return nil
}

// begin notes that SQLite has begun to write the database, and can go back by its journal.
func (m *image) begin() {
	if m.undo != nil {
		return
	}
	before := m.state
	before.dirty = map[int]bool{}
	for i := range m.dirty {
		before.dirty[i] = true
	}
	m.undo = &before
	m.own = nil // what was written is that of before, too
}

// end notes that the journal is gone: what was written is so.
func (m *image) end() { m.undo, m.twice = nil, 0 }

// rollback puts back what there was at begin, and reports whether there was one.
func (m *image) rollback() bool {
	if m.undo == nil {
		return false
	}
	m.state = *m.undo
	m.own = nil
	m.end()
	return true
}

// differs reports whether it is other than what the bucket has.
func (m *image) differs() bool {
	if !m.changed {
		return false
	}
	if m.size != m.from.size || m.exists != m.from.at.Live() {
		return m.exists && m.size > 0 || m.from.at.Live()
	}
	for i := range m.dirty {
		if end := min(piece, m.size-int64(i)*piece); !same(m.pieces[i], m.from.pieces[i], end) {
			return true
		}
	}
	return false
}

// same reports whether two pieces are the same up to a size.
func same(a, b []byte, size int64) bool {
	return bytes.Equal(full(a, size), full(b, size))
}

// zeros is a piece of zeros.
var zeros [piece]byte

// full returns a piece with all of its bytes.
func full(p []byte, size int64) []byte {
	switch {
	case p == nil:
		return zeros[:size]
	case int64(len(p)) < size:
		return append(bytes.Clone(p), zeros[:size-int64(len(p))]...)
	}
	return p[:size]
}

// reader reads an image from its beginning.
type reader struct {
	*image
	at int64
}

// Read implements io.Reader.
func (r *reader) Read(b []byte) (int, error) {
	n, err := r.readAt(b, r.at)
	r.at += int64(n)
	return n, err
}
