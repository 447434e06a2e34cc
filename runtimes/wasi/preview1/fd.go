package preview1

import (
	"io"
	"math"
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
			return d.read(b)
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
	case d == nil, d.kind == stdout, d.kind == stderr:
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
	}
	return s.readv(m, p[1], p[2], p[4], func(b []byte) (int, errno) {
		if d.isDevice() {
			return s.readDevice(d.kind, b), 0
		}
		n, e := d.readAt(b, at)
		at += int64(n)
		return n, e
	})
}

// read reads from the position of a file.
func (f *file) read(b []byte) (n int, e errno) {
	if _, ok := f.f.(io.ReaderAt); ok {
		n, e = f.readAt(b, f.at)
	} else {
		var err error
		n, err = f.f.Read(b)
		e = errnoOf(err)
	}
	f.at += int64(n)
	return n, e
}

// readAt reads from some position of a file. There is nothing behind its end.
func (f *file) readAt(b []byte, at int64) (int, errno) {
	r, ok := f.f.(io.ReaderAt)
	switch {
	case !ok:
		return 0, espipe
	case at >= f.size:
		return 0, 0
	}
	n, err := r.ReadAt(b, at)
	return n, errnoOf(err)
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

// fdWrite implements fd_write. Only stdout, stderr and devices can be written; what devices are given is gone.
func fdWrite(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if e := d.unwritable(); e != 0 {
		return e
	}
	return s.writev(m, p[1], p[2], p[3], func(b []byte) {
		switch d.kind {
		case stdout:
			s.write(s.Stdout, b)
		case stderr:
			s.write(s.Stderr, b)
		}
	})
}

// unwritable says why a descriptor cannot be written.
func (d *descriptor) unwritable() errno {
	switch {
	case d == nil, d.kind == stdin, d.kind == opened && !d.folder:
		return ebadf
	case d.isFolder():
		return eisdir
	}
	return 0
}

// fdPwrite implements fd_pwrite.
func fdPwrite(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d != nil && d.isStream():
		return espipe
	case d.unwritable() != 0:
		return d.unwritable()
	case int64(p[3]) < 0:
		return einval
	}
	return s.writev(m, p[1], p[2], p[4], func([]byte) {})
}

// writev writes the buffers of a list, and the number of bytes to result.
func (s *State) writev(m memory, list, count, result uint64, write func([]byte)) errno {
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
		write(b)
		total += len(b)
	}
	return m.putU32(result, uint32(total))
}

// write writes to stdout or stderr; nil discards. A guest may ignore an error, so an error ends it here.
func (s *State) write(w io.Writer, b []byte) {
	if len(b) == 0 || w == nil {
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
	if _, ok := d.f.(io.ReaderAt); !ok {
		return espipe
	}
	at := offset + [...]int64{0, d.at, d.size}[whence]
	if at < 0 { // or more than there can be
		return einval
	}
	e := m.putU64(result, uint64(at))
	if e == 0 {
		d.at = at
	}
	return e
}

// fdSync implements fd_sync and fd_datasync: all that has been written is where it should be.
func fdSync(s *State, _ memory, p []uint64) errno {
	if s.table.get(p[0]) == nil {
		return ebadf
	}
	return 0
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

// fdAllocate implements fd_allocate, which is not for a system where all that can be written are streams.
func fdAllocate(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream() || d.isFolder():
		return ebadf
	case p[2] == 0 || int64(p[1]) < 0 || int64(p[2]) < 0 || int64(p[1]+p[2]) < 0:
		return einval
	}
	return enotsup
}

// fdFilestatSetSize implements fd_filestat_set_size, which refuses: no file is open to be written.
func fdFilestatSetSize(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream():
		return ebadf
	case d.isFolder():
		return eisdir
	}
	return einval
}

// fdFilestatSetTimes implements fd_filestat_set_times, which refuses.
func fdFilestatSetTimes(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil || d.isStream():
		return ebadf
	case contradicts(p[3]):
		return einval
	}
	return erofs
}

// contradicts reports whether flags ask for a time and for the present time at once, or for what there is not.
func contradicts(flags uint64) bool {
	const access, accessNow, modified, modifiedNow = 1, 2, 4, 8
	return flags&(access|accessNow) == access|accessNow || flags&(modified|modifiedNow) == modified|modifiedNow ||
		uint32(flags) > 15
}
