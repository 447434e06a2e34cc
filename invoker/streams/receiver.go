package streams

import (
	"io"
	"sync"

	"github.com/polyvoke/polyvoke/protocol"
)

// Receiver puts chunks together again. A chunk that is missing is an error, never an end. One goroutine reads; Put and
// Fail are for any, and do not wait.
type Receiver struct {
	window uint64
	grant  func(upTo int64) // lets more come; called by the goroutine that reads

	mu      sync.Mutex
	queue   [][]byte // chunks that were not read
	last    uint64   // number of the last chunk that came
	granted uint64   // number up to which they may come
	read    uint64   // how many were read
	err     error    // what comes behind the queue
	changed chan struct{}

	rest []byte // of the chunk that is being read; for the goroutine that reads
}

// NewReceiver returns a Receiver of which at most window chunks are on the way or not read. They may come up to that
// number; grant is called to let more come.
func NewReceiver(window int64, grant func(upTo int64)) *Receiver {
	return &Receiver{window: uint64(window), granted: uint64(window), grant: grant, changed: make(chan struct{})}
}

// Granted returns the number up to which chunks may come.
func (r *Receiver) Granted() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int64(r.granted)
}

// Put takes a chunk, or the end, which is io.EOF or another error. It keeps the body. What comes out of turn makes the
// reader fail, when it has read what came before, with the error that is returned.
func (r *Receiver) Put(c protocol.Chunk, body []byte, end error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	switch {
	case c.Sequence != r.last+1:
		r.fail(protocol.Errorf(protocol.CodeUnavailable, "",
			"a part of the stream was lost: chunk %d came behind chunk %d", c.Sequence, r.last))
	case c.End:
		r.last++
		r.err = end
		r.change()
		return nil
	case len(body) > protocol.MaxChunk:
		r.fail(protocol.Errorf(protocol.CodeBadRequest, "", "a chunk has %d bytes; at most %d", len(body), protocol.MaxChunk))
	case c.Sequence > r.granted:
		r.fail(protocol.Errorf(protocol.CodeBadRequest, "", "chunk %d came, but no more than %d were to come yet",
			c.Sequence, r.granted))
	default:
		r.last++
		r.queue = append(r.queue, body)
		r.change()
		return nil
	}
	return r.err
}

// Fail makes the reader fail when it has read what came before, unless the end is there already.
func (r *Receiver) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail(err)
}

// fail is Fail. The caller holds the mutex.
func (r *Receiver) fail(err error) {
	if r.err == nil {
		r.err = err
		r.change()
	}
}

// Abandon is Fail for a stream that nobody reads any more: what came before is dropped.
func (r *Receiver) Abandon(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue, r.err = nil, err
	r.change()
}

// change wakes the reader. The caller holds the mutex.
func (r *Receiver) change() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Next waits for the next chunk, and returns it or the end. The chunk before counts as read then.
func (r *Receiver) Next() ([]byte, error) {
	for {
		r.mu.Lock()
		if len(r.queue) > 0 {
			chunk := r.queue[0]
			r.queue[0], r.queue = nil, r.queue[1:]
			r.mu.Unlock()
			return chunk, nil
		}
		err, changed := r.err, r.changed
		r.mu.Unlock()
		if err != nil {
			return nil, err
		}
		<-changed
	}
}

// Done says that a chunk that Next returned has been used, so that there is room for another.
func (r *Receiver) Done() {
	r.mu.Lock()
	r.read++
	upTo := uint64(0)
	if r.err == nil && r.read+r.window-r.granted >= r.window/2 {
		upTo = r.read + r.window
		r.granted = upTo
	}
	r.mu.Unlock()
	if upTo > 0 {
		r.grant(int64(upTo))
	}
}

// Read implements io.Reader.
func (r *Receiver) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		chunk, err := r.Next()
		if err != nil {
			return 0, err
		}
		if r.rest = chunk; len(chunk) == 0 {
			r.Done()
		}
	}
	n := copy(b, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest = nil
		r.Done()
	}
	return n, nil
}

var _ io.Reader = (*Receiver)(nil)
