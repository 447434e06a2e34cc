package preview1

// piece is how many bytes are worked on between two looks at the context.
const piece = 1 << 16

// randomGet implements random_get.
func randomGet(s *State, m memory, p []uint64) errno {
	b, ok := m.bytes(p[0], uint64(uint32(p[1])))
	if !ok {
		return efault
	}
	s.draw(b)
	return 0
}

// draw fills b with random bytes.
func (s *State) draw(b []byte) {
	s.seen.Entropy = true
	all := b
	for source := s.entropy(len(b)); len(b) > 0; {
		s.work(min(len(b), piece))
		n, err := source.Read(b[:min(len(b), piece)])
		if err != nil {
			s.Stop(err)
		}
		b = b[n:]
	}
	if s.Draws != nil {
		s.Draws.Random(all)
	}
}
