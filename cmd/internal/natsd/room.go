package natsd

import (
	"net"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A stream that could once not be written, since the disk was full, is never written again by a server, also when
// there is room: whoever publishes to it gets neither an acknowledgement nor an error. So the server is restarted,
// on the same address and store, once there is room. Clients connect again.

const (
	// writeFailure is part of what a server logs when a stream cannot be written. Nothing else tells it.
	writeFailure = "ritical write error"
	// roomPause is the time between two looks whether there is room again.
	roomPause = 250 * time.Millisecond
	// enoughRoom is how many bytes there must be room for.
	enoughRoom = 1 << 20
)

// reviver runs a server, and restarts it once its disk, which was full, has room again.
type reviver struct {
	config Config
	host   string
	port   int
	failed chan struct{} // has a token when a stream could not be written
	quit   chan struct{}
	ended  chan struct{}
}

// run waits for failures of a server until quit is closed, and then ends it.
func (r *reviver) run(s *server.Server) {
	defer close(r.ended)
	for {
		select {
		case <-r.failed:
			s = r.revive(s)
		case <-r.quit:
			stop(s)
			return
		}
	}
}

// stop ends a server, if there is one, and waits until it has ended.
func stop(s *server.Server) {
	if s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// revive waits for room and restarts the server, trying again until it has started. It returns nil if quit was
// closed before that.
func (r *reviver) revive(s *server.Server) *server.Server {
	log := r.config.Log
	for {
		select {
		case <-time.After(roomPause):
		case <-r.quit:
			return s
		}
		if !r.room() {
			continue
		}
		stop(s)
		select {
		case <-r.failed: // of before
		default:
		}
		var err error
		if s, err = r.config.start(r.host, r.port, r.failed); err != nil {
			log.Error("NATS server not restarted", "err", err)
			s = nil
			continue
		}
		log.Warn("NATS server restarted: its disk was full, and has room again")
		return s
	}
}

// room reports whether the disk has some.
func (r *reviver) room() bool {
	f, err := os.CreateTemp(r.config.Store, "room-")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, enoughRoom))
	if e := f.Close(); err == nil {
		err = e
	}
	return err == nil
}

// watch makes a reviver of a server that has just started, which is to have its address for as long as it lives.
func (c Config) watch(s *server.Server, host string, failed chan struct{}) *reviver {
	r := &reviver{config: c, host: host, port: s.Addr().(*net.TCPAddr).Port, failed: failed, quit: make(chan struct{}),
		ended: make(chan struct{})}
	go r.run(s)
	return r
}

// note takes note of what a server logs as an error.
func (l *logger) note(format string) {
	if strings.Contains(format, writeFailure) {
		select {
		case l.failed <- struct{}{}:
		default:
		}
	}
}
