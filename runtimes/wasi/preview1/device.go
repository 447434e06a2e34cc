package preview1

import "io/fs"

// modeOfDevice returns the type of a device. To Go and to C libraries a stream that were a character device might pass
// for a terminal, and one of no type for an empty file.
func modeOfDevice(k kind) fs.FileMode {
	if k <= stderr {
		return fs.ModeDevice
	}
	return fs.ModeDevice | fs.ModeCharDevice
}

// statOfDevice describes stdin, stdout, stderr and the devices.
func statOfDevice(k kind) stat {
	return stat{kind: typeOf(modeOfDevice(k)), inode: inodeOf(deviceName(k))}
}

// readDevice reads from a device without an end, or from one without a beginning.
func (s *State) readDevice(k kind, b []byte) (n int) {
	switch k {
	case zero:
		for ; n < len(b); n += min(len(b)-n, piece) {
			s.work(piece)
			clear(b[n:min(n+piece, len(b))])
		}
	case random, urandom:
		s.draw(b)
		n = len(b)
	}
	return n
}
