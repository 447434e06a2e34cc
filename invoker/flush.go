package invoker

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/denials"
)

// flushTimeout bounds one round trip to the server.
const flushTimeout = 10 * time.Second

// flushes are round trips to the server, shared by all who need one at the same time: whoever comes while one is
// under way takes part in the next. So a start with thousands of functions takes a few.
type flushes struct {
	nc      *nats.Conn
	denials *denials.Watch

	one sync.Mutex // held while one is under way

	mu   sync.Mutex
	next *flush // that has not begun; nil if nobody waits for one
}

// flush is one round trip.
type flush struct {
	done chan struct{}
	err  error
}

// roundTrip returns when the server has done what it was told before. Without a connection that
// would never be: then it is an error at once, and what was said will be said again when the
// connection is back.
func (t *flushes) roundTrip() error {
	t.mu.Lock()
	f := t.next
	if f == nil {
		f = &flush{done: make(chan struct{})}
		t.next = f
		go t.run(f)
	}
	t.mu.Unlock()
	<-f.done
	return f.err
}

// run makes a round trip for all who have come until it begins.
func (t *flushes) run(f *flush) {
	defer close(f.done)
	t.one.Lock()
	defer t.one.Unlock()
	t.mu.Lock()
	t.next = nil
	t.mu.Unlock()
	if f.err = nats.ErrDisconnected; t.nc.IsConnected() {
		f.err = t.nc.FlushTimeout(flushTimeout)
		t.denials.Settle()
	}
}
