package natsd

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	look = time.Second // how often a disk that was full is tried
	room = 4 << 20     // bytes that must fit on it again
)

// saysStuck reports whether a line of the server's says that a store takes nothing any more. After an error of writing, such as that
// of a full disk, a server (2.15) refuses all that would be written to the same stream, for as long as it has it open; or it
// ends JetStream.
func saysStuck(line string) bool {
	return strings.Contains(line, "Critical write error") || strings.Contains(line, "will be DISABLED")
}

// reopen opens JetStream's store anew, after it has got stuck, as soon as there is room on its disk, until ctx ends. The
// connections of clients stay.
func reopen(ctx context.Context, s *server.Server, folder string, log *logger) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	stuck := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-log.stuck:
			stuck = true
		case <-tick.C:
			if !stuck || !hasRoom(folder) {
				continue
			}
			stuck = false
			if err := restart(s, folder); err != nil {
				stuck = true
				log.Warnf("the store cannot be opened again yet: %v", err)
				continue
			}
			log.Warnf("the disk of %s was full and has room again: the store is open again", folder)
		}
	}
}

// restart ends and begins JetStream.
func restart(s *server.Server, folder string) error {
	if err := s.ShutdownJetStream(); err != nil {
		return err
	}
	return s.EnableJetStream(&server.JetStreamConfig{StoreDir: folder, Strict: true})
}

// hasRoom tries whether a file of some size can be written in a folder.
func hasRoom(folder string) bool {
	f, err := os.CreateTemp(folder, "room-*")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(make([]byte, room))
	return err == nil && f.Sync() == nil
}
