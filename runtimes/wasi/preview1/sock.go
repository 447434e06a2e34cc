package preview1

// noSocket implements sock_accept, sock_recv, sock_send and sock_shutdown: no descriptor is a socket.
func noSocket(s *State, _ memory, p []uint64) errno {
	if s.table.get(p[0]) == nil {
		return ebadf
	}
	return enotsock
}
