package invoker

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// flushTimeout bounds one round trip to the server.
const flushTimeout = 10 * time.Second

// flushes are round trips to the server, shared by all who need one at the same time: whoever comes while one is
// under way takes part in the next. So a start with thousands of functions takes a few.
type flushes struct {
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
func (v *Invoker) roundTrip() error {
	v.flushes.mu.Lock()
	f := v.flushes.next
	if f == nil {
		f = &flush{done: make(chan struct{})}
		v.flushes.next = f
		go v.flush(f)
	}
	v.flushes.mu.Unlock()
	<-f.done
	return f.err
}

// flush makes a round trip for all who have come until it begins.
func (v *Invoker) flush(f *flush) {
	defer close(f.done)
	v.flushes.one.Lock()
	defer v.flushes.one.Unlock()
	v.flushes.mu.Lock()
	v.flushes.next = nil
	v.flushes.mu.Unlock()
	if f.err = nats.ErrDisconnected; v.nc.IsConnected() {
		f.err = v.nc.FlushTimeout(flushTimeout)
		v.denials.Settle()
	}
}
