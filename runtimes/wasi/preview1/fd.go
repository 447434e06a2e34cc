package preview1

import (
	"io"
)

// fdRead implements fd_read.
func fdRead(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return s.readv(m, p[1], p[2], p[3], func(b []byte) (int, errno) {
		switch {
		case d.kind == stdin:
			return s.stdin.read(b), 0
		case d.kind != opened || d.folder:
			return 0, d.refusal()
		}
		n, err := d.f.Read(b)
		return n, errnoOf(err)
	})
}

// fdReadsStdin tells whether a call of fd_read asks for stdin.
func fdReadsStdin(s *State, _ memory, p []uint64) bool {
	d := s.table.get(p[0])
	return d != nil && d.kind == stdin
}

// fdPread implements fd_pread. Only files can be read at a position.
func fdPread(s *State, m memory, p []uint64) errno {
	d, off := s.table.get(p[0]), int64(p[3])
	if d == nil {
		return ebadf
	}
	return s.readv(m, p[1], p[2], p[4], func(b []byte) (int, errno) {
		if d.kind != opened || d.folder {
			return 0, d.refusal()
		}
		r, ok := d.f.(io.ReaderAt)
		switch {
		case !ok:
			return 0, enotsup
		case off < 0:
			return 0, einval
		}
		n, err := r.ReadAt(b, off)
		off += int64(n)
		return n, errnoOf(err)
	})
}

// refusal is what a call gets that is not for this kind of descriptor.
func (d *descriptor) refusal() errno {
	if d.isFolder() {
		return eisdir
	}
	return ebadf
}

// readv reads into the buffers of a list, up to the first that is not filled, and writes the number
// of bytes to result.
func (s *State) readv(m memory, list, count, result uint64, read func([]byte) (int, errno)) errno {
	v, ok := m.vectorsAt(list, count)
	if !ok {
		return efault
	}
	total := 0
	for i := 0; len(v) > 0; i++ {
		s.liveAt(i)
		ptr, n := v.next()
		if n == 0 {
			continue
		}
		b, ok := m.bytes(ptr, n)
		if !ok {
			return efault
		}
		n1, e := read(b)
		s.work(workCall + n1)
		if e != 0 {
			return e
		}
		if total += n1; n1 < len(b) {
			break
		}
	}
	return m.putU32(result, uint32(total))
}

// liveAt looks at the context in the last of every 1024 turns.
func (s *State) liveAt(i int) {
	if i&1023 == 1023 {
		s.Live()
	}
}

// fdWrite implements fd_write. Only stdout and stderr can be written.
func fdWrite(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return s.writev(m, p[1], p[2], p[3], func(b []byte) errno {
		switch d.kind {
		case stdout:
			s.write(s.Stdout, b)
		case stderr:
			s.write(s.Stderr, b)
		default:
			return d.refusal()
		}
		return 0
	})
}

// fdPwrite implements fd_pwrite. Nothing can be written at a position, but no bytes can be written anywhere.
func fdPwrite(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	return s.writev(m, p[1], p[2], p[4], func(b []byte) errno {
		if len(b) == 0 {
			return 0
		}
		return d.refusal()
	})
}

// writev writes the buffers of a list, and the number of bytes to result.
func (s *State) writev(m memory, list, count, result uint64, write func([]byte) errno) errno {
	v, ok := m.vectorsAt(list, count)
	if !ok {
		return efault
	}
	total := 0
	for i := 0; len(v) > 0; i++ {
		s.liveAt(i)
		b, ok := m.bytes(v.next())
		if !ok {
			return efault
		}
		s.work(workCall + len(b))
		if e := write(b); e != 0 {
			return e
		}
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

// fdSeek implements fd_seek. Stdio and folders have no position.
func fdSeek(s *State, m memory, p []uint64) errno {
	return s.seek(m, p[0], int64(p[1]), uint32(p[2]), p[3])
}

// fdTell implements fd_tell.
func fdTell(s *State, m memory, p []uint64) errno {
	return s.seek(m, p[0], 0, io.SeekCurrent, p[1])
}

// seek moves a file's position, and writes it to result.
func (s *State) seek(m memory, fd uint64, offset int64, whence uint32, result uint64) errno {
	d := s.table.get(fd)
	switch {
	case d == nil:
		return ebadf
	case d.isFolder():
		return eisdir
	case d.kind != opened:
		return enosys
	}
	f, ok := d.f.(io.Seeker)
	switch {
	case !ok:
		return enosys
	case whence > io.SeekEnd:
		return einval
	}
	at, err := f.Seek(offset, int(whence))
	if err != nil {
		return errnoOf(err)
	}
	return m.putU64(result, uint64(at))
}

// fdSync implements fd_sync and fd_datasync. What cannot be written cannot be synchronised either.
func fdSync(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil || d.file != nil {
		return ebadf
	}
	return 0
}

// lastAdvice is the highest number of an advice.
const lastAdvice = 5

// fdAdvise implements fd_advise: any advice is taken, and none followed.
func fdAdvise(s *State, _ memory, p []uint64) errno {
	switch {
	case s.table.get(p[0]) == nil:
		return ebadf
	case uint8(p[3]) > lastAdvice:
		return einval
	}
	return 0
}

// fdAllocate implements fd_allocate. There is room for what is there already.
func fdAllocate(s *State, m memory, p []uint64) errno {
	d := s.table.get(p[0])
	if d == nil {
		return ebadf
	}
	end := int64(p[1] + p[2])
	if end < 0 {
		return einval
	}
	st, e := s.stat(d)
	if e != 0 || st.size >= end {
		return e
	}
	return fdFilestatSetSize(s, m, p)
}

// fdFilestatSetSize implements fd_filestat_set_size, which refuses.
func fdFilestatSetSize(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case d.file == nil:
		return enosys
	}
	return d.refusal()
}

// fdFilestatSetTimes implements fd_filestat_set_times, which refuses.
func fdFilestatSetTimes(s *State, _ memory, p []uint64) errno {
	d := s.table.get(p[0])
	switch {
	case d == nil:
		return ebadf
	case contradicts(p[3]):
		return einval
	case d.file == nil:
		return enosys
	}
	return ebadf
}

// contradicts tells whether flags ask for a time and for the present time at once.
func contradicts(flags uint64) bool {
	const access, accessNow, modified, modifiedNow = 1, 2, 4, 8
	return flags&(access|accessNow) == access|accessNow || flags&(modified|modifiedNow) == modified|modifiedNow
}
