package preview1

// argsGet implements args_get.
func argsGet(s *State, m memory, p []uint64) errno {
	s.seen.Args = true
	return putStrings(s, m, s.Args, p[0], p[1])
}

// argsSizesGet implements args_sizes_get.
func argsSizesGet(s *State, m memory, p []uint64) errno {
	s.seen.Args = true
	return putSizes(s, m, s.Args, p[0], p[1])
}

// environGet implements environ_get.
func environGet(s *State, m memory, p []uint64) errno {
	s.seen.Env = true
	return putStrings(s, m, s.environ, p[0], p[1])
}

// environSizesGet implements environ_sizes_get.
func environSizesGet(s *State, m memory, p []uint64) errno {
	s.seen.Env = true
	return putSizes(s, m, s.environ, p[0], p[1])
}

// putSizes writes how many strings there are and how many bytes they take.
func putSizes(s *State, m memory, list []string, count, size uint64) errno {
	s.work(workString * len(list))
	if e := m.putU32(count, uint32(len(list))); e != 0 {
		return e
	}
	return m.putU32(size, uint32(sizeOf(list)))
}

// sizeOf returns how many bytes the strings take, with a NUL after each.
func sizeOf(list []string) uint64 {
	n := uint64(len(list))
	for _, v := range list {
		n += uint64(len(v))
	}
	return n
}

// putStrings writes the strings one after the other at text, each with a NUL, and pointers to them at pointers.
func putStrings(s *State, m memory, list []string, pointers, text uint64) errno {
	s.work(workString * len(list))
	to, ok := m.bytes(text, sizeOf(list))
	if _, pok := m.bytes(pointers, 4*uint64(len(list))); !ok || !pok {
		return efault
	}
	for i, v := range list {
		s.work(workString + len(v))
		m.putU32(uint64(uint32(pointers))+4*uint64(i), uint32(text))
		n := copy(to, v)
		to[n] = 0
		to, text = to[n+1:], text+uint64(n)+1
	}
	return 0
}
