package invoker

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// TestEnded checks when the next call counts from the end of the last one's process: when nothing was waited for in
// between, and the reply of that is held back.
func TestEnded(t *testing.T) {
	began := time.Now()
	const took = 10 * time.Microsecond
	for _, c := range []struct {
		name              string
		waited, triggered bool
		flushed           bool
		counts            bool
	}{
		{"one call after another", false, false, false, true},
		{"behind one from the queue", true, false, false, false},
		{"behind one that passes its reply on", false, true, false, false},
		{"after replies were sent", false, false, true, false},
	} {
		r := &receiver{f: &function{svc: &service{}, name: "f", tasks: newTasks()}}
		r.state.Store(busy)
		last := &call{received: began, waited: c.waited, receiver: r, message: message{&nats.Msg{Reply: "inbox"}}}
		if c.triggered {
			last.request.Trigger.Subject = "orders.*"
		}
		last.process.Usage.Duration = took
		if err := last.hold(nil); err != nil {
			t.Fatal(err)
		}
		if c.flushed {
			r.out.flush(func(string, []byte) {})
			r.flush()
		}
		next := r.take(&nats.Msg{Subject: "fn.f", Sub: &nats.Subscription{Subject: "fn.f"}})
		counts := next.received.Equal(began.Add(took))
		if counts != c.counts || !counts && time.Since(next.received) > time.Since(began) {
			t.Errorf("%s: it counts from %v after the last one", c.name, next.received.Sub(began))
		}
		if !r.ended.IsZero() {
			t.Errorf("%s: another call counts from that too", c.name)
		}
	}
}
