// Package streams carries bodies that are not whole in memory, between a process and whoever reads or writes them.
//
// An Outlet is what a process writes to, and an Inlet what it reads from. Neither knows where the other end is.
package streams

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/polyvoke/polyvoke/runtimes"
)

// ChunkSize is how many bytes travel at once at most.
const ChunkSize = 64 << 10

// ErrClosed is the error of an Outlet that takes nothing any more.
var ErrClosed = errors.New("the stream is closed")

// Outlet passes on what it is given to a Writer that may wait, in a goroutine that is there only while there is
// something to pass on. While the Writer is busy it gathers up to ChunkSize bytes: so each Write is all that there is,
// a token goes on at once, and a large body is not cut up. NewOutlet makes one. Its methods may be called from several
// goroutines.
type Outlet struct {
	to   io.Writer
	fail func() // called once if to fails

	mu      sync.Mutex
	next    []byte // taken, and to be written next
	spare   []byte // what next was before
	busy    bool   // the goroutine is there
	err     error  // why nothing is taken any more
	failed  error  // what to said
	written int64
	room    chan struct{} // closed when next has been taken out; nil if nobody waits for that
	idle    chan struct{} // closed when the goroutine has ended; nil if nobody waits for that
}

var _ runtimes.Taker = (*Outlet)(nil)

// NewOutlet returns an Outlet that writes to a Writer, with at most ChunkSize bytes at once. If that fails, also by a
// panic, fail is called once, in the goroutine that writes.
func NewOutlet(to io.Writer, fail func()) *Outlet { return &Outlet{to: to, fail: fail} }

// Take implements runtimes.Taker. The error is that of the Writer, or ErrClosed.
func (o *Outlet) Take(b []byte) (n int, room <-chan struct{}, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, nil, o.err
	}
	n = min(len(b), ChunkSize-len(o.next))
	o.next = append(o.next, b[:n]...)
	if !o.busy && n > 0 {
		o.busy = true
		go o.run()
	}
	if n == len(b) {
		return n, nil, nil
	}
	if o.room == nil {
		o.room = make(chan struct{})
	}
	return n, o.room, nil
}

// Write implements io.Writer. It waits while there is no room.
func (o *Outlet) Write(b []byte) (int, error) {
	for done := 0; ; {
		n, room, err := o.Take(b[done:])
		if done += n; err != nil || done == len(b) {
			return done, err
		}
		<-room
	}
}

// Idle returns a channel that is closed when all that was taken has been written, or never will be, and nothing is
// being written.
func (o *Outlet) Idle() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.idle == nil {
		o.idle = make(chan struct{})
		if !o.busy {
			close(o.idle)
			defer func() { o.idle = nil }()
		}
	}
	return o.idle
}

// Close makes the Outlet take and write nothing any more. A Write that is under way goes on, see Idle.
func (o *Outlet) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(ErrClosed)
}

// Err returns the error with which the Writer has failed, or nil.
func (o *Outlet) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// Written returns how many bytes the Writer has taken.
func (o *Outlet) Written() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

// end makes it take and write nothing any more. The caller holds the mutex.
func (o *Outlet) end(why error) {
	if o.err == nil {
		o.err = why
	}
	o.next = nil
	o.madeRoom()
}

// madeRoom tells those who wait for room. The caller holds the mutex.
func (o *Outlet) madeRoom() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// run writes until there is nothing to write.
func (o *Outlet) run() {
	for chunk := o.chunk(); chunk != nil; chunk = o.chunk() {
		o.pass(chunk)
	}
}

// chunk takes out what is to be written. It is nil for nothing: then the goroutine ends.
func (o *Outlet) chunk() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.next) == 0 {
		o.leave()
		return nil
	}
	chunk := o.next
	o.next, o.spare = o.spare[:0], chunk
	o.madeRoom()
	return chunk
}

// leave says that the goroutine ends. The caller holds the mutex.
func (o *Outlet) leave() {
	o.busy = false
	if o.idle != nil {
		close(o.idle)
		o.idle = nil
	}
}

// pass writes a chunk. A Writer can panic, or end the goroutine.
func (o *Outlet) pass(chunk []byte) {
	n, err, returned := 0, error(nil), false
	defer func() {
		switch e := recover(); {
		case e != nil:
			err = fmt.Errorf("the Writer panicked: %v", e)
		case !returned:
			err = errors.New("the Writer ended its goroutine")
		case err == nil && n < len(chunk):
			err = io.ErrShortWrite
		}
		o.passed(n, err, !returned && err != nil)
	}()
	n, err = o.to.Write(chunk)
	returned = true
}

// passed takes note of what a Write has come to. If the goroutine may be about to end, nobody counts on it.
func (o *Outlet) passed(n int, err error, ending bool) {
	o.mu.Lock()
	o.written += int64(max(n, 0))
	if err != nil {
		o.failed = err
		o.end(err)
	}
	if ending {
		defer o.left()
	}
	o.mu.Unlock()
	if err != nil {
		o.fail()
	}
}

// left is leave for a goroutine that may not come back.
func (o *Outlet) left() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leave()
}
