package invoker

import (
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestQueueKeepsPace checks that no more calls wait than can be answered in time as the queue moves.
func TestQueueKeepsPace(t *testing.T) {
	const timeout = time.Second
	f := &function{latest: &version{limits: protocol.Limits{Queue: 1000, Timeout: protocol.Duration(timeout)}}}
	waiting := func() *call {
		c := &call{received: time.Now()}
		c.request.Deadline = c.received.Add(timeout)
		return c
	}
	fill := func() int {
		f.queue = nil
		for c := waiting(); !f.full(c); c = waiting() {
			f.queue = append(f.queue, c)
		}
		return len(f.queue)
	}
	move := func(n int, each time.Duration) {
		for range n {
			c := waiting()
			c.received = c.received.Add(-time.Minute)
			f.taken = time.Now().Add(-each)
			f.moved(c)
		}
	}
	if n := fill(); n != 1000 {
		t.Errorf("%d calls may wait before anything is known", n)
	}
	move(100, 100*time.Millisecond)
	if n := fill(); n < 3 || n > 6 {
		t.Errorf("%d calls of 100 ms may wait with a time of 1 s", n)
	}
	move(100, 10*time.Microsecond)
	if n := fill(); n != 1000 {
		t.Errorf("%d calls of 10 us may wait", n)
	}
	f.taken = time.Time{}
	f.moved(waiting()) // the first one for a long time
	if n := fill(); n != 1000 {
		t.Errorf("%d calls may wait after a pause", n)
	}
}
