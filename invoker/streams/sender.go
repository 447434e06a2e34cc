package streams

import (
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// How fast chunks go to a reader that gives no credit: slower than any client of NATS takes them, and after a beginning
// of which half would fit a client that takes none.
const (
	freeBurst = 1 << 20
	freeRate  = 8 << 20 // bytes a second
)

// Sender is a Writer that makes chunks of what it is given, as long as the other end lets them come. Write is for one
// goroutine at a time, the other methods for any.
type Sender struct {
	publish func(c protocol.Chunk, body []byte) error
	size    int // of a chunk

	mu      sync.Mutex
	last    uint64 // the number of the last chunk
	credit  uint64 // up to which they may go
	free    bool   // no credit is given
	err     error  // why nothing goes any more
	changed chan struct{}

	paced time.Time // when all that has gone would have gone at freeRate
}

// Free is the credit of an end that gives none.
const Free int64 = -1

// NewSender returns a Sender of chunks of at most so many bytes, up to a number. If that is Free they go slowly.
// publish must not keep the body.
func NewSender(credit int64, size int, publish func(c protocol.Chunk, body []byte) error) *Sender {
	return &Sender{publish: publish, size: max(1, min(size, protocol.MaxChunk)), credit: uint64(max(credit, 0)),
		free: credit < 0, changed: make(chan struct{})}
}

// Write implements io.Writer. It waits while no chunk may go.
func (s *Sender) Write(b []byte) (int, error) {
	for done := 0; ; {
		if done == len(b) {
			return done, nil
		}
		part := b[done:min(len(b), done+s.size)]
		c, err := s.next(len(part))
		if err == nil {
			err = s.publish(c, part)
		}
		if err != nil {
			s.Fail(err)
			return done, err
		}
		done += len(part)
	}
}

// next waits until a chunk may go, and returns its place.
func (s *Sender) next(size int) (protocol.Chunk, error) {
	for {
		s.mu.Lock()
		err, changed, pause := s.err, s.changed, s.pause()
		if err == nil && pause <= 0 && (s.free || s.last < s.credit) {
			s.last++
			s.paced = s.paced.Add(time.Duration(size) * time.Second / freeRate)
			defer s.mu.Unlock()
			return protocol.Chunk{Sequence: s.last}, nil
		}
		s.mu.Unlock()
		if err != nil {
			return protocol.Chunk{}, err
		}
		if pause <= 0 {
			<-changed
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// pause returns how long the next chunk waits because no credit is given. The caller holds the mutex.
func (s *Sender) pause() time.Duration {
	if !s.free {
		return 0
	}
	now := time.Now()
	const burst = freeBurst * time.Second / freeRate
	if early := now.Add(-burst); s.paced.Before(early) {
		s.paced = early
	}
	return s.paced.Sub(now)
}

// Credit lets chunks up to a number go. What was let go before stays so.
func (s *Sender) Credit(upTo int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if upTo > int64(s.credit) {
		s.credit, s.free = uint64(upTo), false
		s.change()
	}
}

// Fail makes this and all later Writes fail, unless they do already.
func (s *Sender) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		s.change()
	}
}

// change wakes Write. The caller holds the mutex.
func (s *Sender) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// End makes later Writes fail, and returns the place of the message that ends the stream. No Write may be under way.
func (s *Sender) End() protocol.Chunk {
	s.Fail(ErrClosed)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	return protocol.Chunk{Sequence: s.last, End: true}
}
