package triggers

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// Several invokers share a trigger, come and go, and are told of other versions of it: each event is one job.
func TestHammerShared(t *testing.T) {
	for _, trigger := range []protocol.Trigger{
		{Stream: "S", Start: "all"}, {Stream: "S", Start: "all", Batch: 7, Window: protocol.Duration(5 * time.Millisecond)},
	} {
		t.Run(fmt.Sprint("batch ", trigger.Batch), func(t *testing.T) {
			w := start(t)
			w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
			const events = 400
			published := make(chan error)
			go func() {
				for range events {
					if _, err := w.js.Publish(t.Context(), "s", []byte("x")); err != nil {
						published <- err
						return
					}
				}
				published <- nil
			}()
			f, _ := w.front(nil, trigger)
			for i := range 6 {
				_, stop := w.front(nil, trigger)
				other := trigger
				other.To = fmt.Sprint("done", i)
				f.Apply(w.function(other))
				stop()
			}
			w.front(nil, trigger)
			w.must(<-published)
			w.eachOnce(trigger, events)
		})
	}
}

// A server that goes away and comes back has lost nothing, and its events become jobs without a restart of anything.
func TestServerAway(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	w := startOn(t, s)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	trigger := protocol.Trigger{Stream: "S", Batch: 3}
	w.front(nil, trigger)
	w.ready(trigger)
	w.publish("s.1")
	w.next()
	w.idle(trigger)
	port := s.Addr().String()
	s.Shutdown()
	s.WaitForShutdown()
	var number int
	if _, err := fmt.Sscanf(port[len("127.0.0.1:"):], "%d", &number); err != nil {
		t.Fatal(err)
	}
	registrytest.StartNATS(t, dir, number)
	await.Until(w, "the connection to be back", w.js.Conn().IsConnected)
	w.publish("s.2", "s.3")
	w.eachOnce(trigger, 2)
}
