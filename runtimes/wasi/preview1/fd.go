package preview1

import (
	"io"
	"math"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// fdRead implements fd_read.
func fdRead(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if e := d.unreadable(); e != 0 {
		return e
	}
	return s.readv(m, p[1], p[2], p[3], func(b []byte) (int, errno) {
		switch {
		case d.isDevice():
			return s.readDevice(d.kind, b), 0
		case d.kind == opened:
			return s.read(d.file, b)
		case d.flags&flagNonblock == 0:
			return s.stdin.read(b), 0
		}
		n, ok := s.stdin.poll(b)
		if !ok {
			return 0, eagain
		}
		return n, 0
	})
}

// unreadable says why a descriptor cannot be read.
func (d *descriptor) unreadable() errno {
	switch {
	case d == nil, d.kind == stdout, d.kind == stderr, d.kind == opened && !d.folder && !d.how.Has(files.Read):
		return ebadf
	case d.isFolder():
		return eisdir
	}
	return 0
}

// fdReadsStdin reports whether a call of fd_read asks for stdin.
func fdReadsStdin(s *State, _ memory, p []uint64) bool {
	d := s.table.get(p[0])
	return d != nil && d.kind == stdin
}

// fdPread implements fd_pread. Streams have no positions, and devices are the same at all.
func fdPread(s *State, m memory, p []uint64) errno {
	d, at := s.table.get(p[0]), int64(p[3])
	switch {
	case d != nil && d.isStream():
		return espipe
	case d.unreadable() != 0:
		return d.unreadable()
	case at < 0:
		return einval
	case d.kind == opened && d.stream:
		return espipe
	}
	return s.readv(m, p[1], p[2], p[4], func(b []byte) (int, errno) {
		if d.isDevice() {
			return s.readDevice(d.kind, b), 0
		}
		n, e := s.readFile(d.file, b, at)
		at += int64(n)
		return n, e
	})
}

// read reads from the position of a file.
func (s *State) read(f *file, b []byte) (n int, e errno) {
	n, e = s.readFile(f, b, f.at)
	f.at += int64(n)
	return n, e
}

// readv reads into the buffers of a list, up to the first that is not filled, and writes the number
// of bytes to result.
func (s *State) readv(m memory, list, count, result uint64, read func([]byte) (int, errno)) errno {
	v, ok := m.vectorsAt(list, count)
	if !ok {
		return efault
	}
	total := 0
	for i := 0; len(v) > 0 && total < maxTransfer; i++ {
		s.liveAt(i)
		ptr, n := v.next()
		if n == 0 {
			continue
		}
		b, ok := m.bytes(ptr, n)
		if !ok {
			return efault
		}
		b = b[:min(len(b), maxTransfer-total)]
		n1, e := read(b)
		s.work(workCall + n1)
		if e != 0 && total == 0 {
			return e
		}
		if total += n1; n1 < len(b) || e != 0 {
			break
		}
	}
	return m.putU32(result, uint32(total))
}

// maxTransfer is how many bytes are read or written by one call, as on Linux: more may come up to more than a number
// of 32 bits can say.
const maxTransfer = math.MaxInt32

// liveAt looks at the context in the last of every 1024 turns.
func (s *State) liveAt(i int) {
	if i&1023 == 1023 {
		s.Live()
	}
}

// fdWrite implements fd_write. What devices are given is gone.
func fdWrite(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if e := d.unwritable(); e != 0 {
		return e
	}
	return s.writev(m, p[1], p[2], p[3], func(b []byte) (int, errno) {
		switch d.kind {
		case stdout:
			s.write(s.Stdout, b)
		case stderr:
			s.write(s.Stderr, b)
		case opened:
			return s.writeOn(d, b)
		}
		return len(b), 0
	})
}

// writeOn writes to the position of a file, or behind its end if its flags say so.
func (s *State) writeOn(d *descriptor, b []byte) (int, errno) {
	at := d.at
	switch {
	case d.flags&flagAppend != 0:
		at = files.End
	case at > math.MaxInt64-int64(len(b)):
		return 0, efbig
	}
	w, e := s.writeFile(d, b, at)
	if w.n > 0 {
		d.at = w.end
	}
	return w.n, e
}

// unwritable says why a descriptor cannot be written.
func (d *descriptor) unwritable() errno {
	switch {
	case d == nil, d.kind == stdin, d.kind == opened && !d.folder && !d.writes():
		return ebadf
	case d.isFolder():
		return eisdir
	}
	return 0
}

// fdPwrite implements fd_pwrite.
func fdPwrite(s *State, m memory, p []uint64) errno {
	d, at := s.table.get(p[0]), int64(p[3])
	switch {
	case d != nil && d.isStream():
		return espipe
	case d.unwritable() != 0:
		return d.unwritable()
	case at < 0:
		return einval
	case d.kind == opened && d.stream:
		return espipe
	}
	return s.writev(m, p[1], p[2], p[4], func(b []byte) (int, errno) {
		switch {
		case d.isDevice():
			return len(b), 0
		case at > math.MaxInt64-int64(len(b)):
			return 0, efbig
		}
		w, e := s.writeFile(d, b, at)
		at += int64(w.n)
		return w.n, e
	})
}

// writev writes the buffers of a list, up to the first that is not written whole, and the number of bytes to result.
func (s *State) writev(m memory, list, count, result uint64, write func([]byte) (int, errno)) errno {
	v, ok := m.vectorsAt(list, count)
	if !ok {
		return efault
	}
	total := 0
	for i := 0; len(v) > 0 && total < maxTransfer; i++ {
		s.liveAt(i)
		b, ok := m.bytes(v.next())
		if !ok {
			return efault
		}
		b = b[:min(len(b), maxTransfer-total)]
		s.work(workCall + len(b))
		if len(b) == 0 {
			continue
		}
		n, e := write(b)
		if e != 0 && total+n == 0 {
			return e
		}
		if total += n; n < len(b) || e != 0 {
			break
		}
	}
	return m.putU32(result, uint32(total))
}

// write writes to stdout or stderr; nil discards. A guest may ignore an error, so an error ends it here.
func (s *State) write(w io.Writer, b []byte) {
	if len(b) == 0 || w == nil {
		return
	}
	if t, ok := w.(taker); ok {
		s.give(t, b)
		return
	}
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.Stop(err)
	}
}

// taker is a Writer that says when it has room, see runtimes.Taker.
type taker interface {
	Take(b []byte) (n int, room <-chan struct{}, err error)
}

// give writes to a taker. The guest waits, as it does for stdin, while there is no room.
func (s *State) give(t taker, b []byte) {
	for {
		n, room, err := t.Take(b)
		if err != nil {
			s.Stop(err)
		}
		if b = b[n:]; len(b) == 0 {
			return
		}
		s.await(room, true)
	}
}

// fdSeek implements fd_seek.
func fdSeek(s *State, m memory, p []uint64) errno {
	return s.seek(m, p[0], int64(p[1]), uint8(p[2]), p[3])
}

// fdTell implements fd_tell.
func fdTell(s *State, m memory, p []uint64) errno {
	return s.seek(m, p[0], 0, io.SeekCurrent, p[1])
}

// seek moves a file's position, and writes it to result. Streams and folders have none; that of devices is always 0.
func (s *State) seek(m memory, fd uint64, offset int64, whence uint8, result uint64) errno {
	d := s.table.get(fd)
	switch {
	case d == nil:
		return ebadf
	case d.isStream():
		return espipe
	case d.isFolder():
		return eisdir
	case whence > io.SeekEnd:
		return einval
	case d.isDevice():
		return m.putU64(result, 0)
	}
	if d.stream {
		return espipe
	}
	at := offset
	switch whence {
	case io.SeekCurrent:
		at += d.at
	case io.SeekEnd:
		info, err := s.describe(d.file)
		if err != nil {
			return errnoOf(err)
		}
		at += info.Size
	}
	if at < 0 { // or more than there can be
		return einval
	}
	e := m.putU64(result, uint64(at))
	if e == 0 {
		d.at = at
	}
	return e
}

// lastAdvice is the highest number of an advice.
const lastAdvice = 5

// fdAdvise implements fd_advise: any advice about a file is taken, and none followed.
func fdAdvise(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream() || d.isFolder():
		return ebadf
	case uint8(p[3]) > lastAdvice:
		return einval
	}
	return 0
}
