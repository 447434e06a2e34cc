package later

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// A mover that ends between publishing and acknowledging leaves one message in the queue, and the same attempt of the
// job's next life is another message.
func TestPublishedAndNotAcknowledged(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	s := New(js, Config{})
	if err := s.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.New(js, store.Config{}).MakeQueue(t.Context(), &protocol.Function{Name: "f"}); err != nil {
		t.Fatal(err)
	}
	m := NewMover(s)
	for life, revision := range []string{"", "7"} {
		put := &nats.Msg{Subject: "polyvoke.job.f", Header: nats.Header{"Fn-Revision": {revision}}}
		if err := s.Put(t.Context(), "f", "x", time.Now(), put); err != nil {
			t.Fatal(err)
		}
		c, err := js.Consumer(t.Context(), protocol.StreamLater, mover)
		if err != nil {
			t.Fatal(err)
		}
		for tries := range 2 {
			got, err := c.Next(jetstream.FetchMaxWait(registrytest.Patience))
			if err != nil {
				t.Fatal(err)
			}
			w, _ := readWaiting(got.Subject(), got.Headers(), got.Data())
			if err := m.move(t.Context(), &Due{Name: w.Name, ID: w.ID, Msg: w.Msg}); err != nil {
				t.Error(err)
			}
			if tries == 0 {
				_ = got.Nak() // as the server does when nothing is heard of it
			} else if err := got.DoubleAck(t.Context()); err != nil {
				t.Error(err)
			}
		}
		q, err := js.Stream(t.Context(), protocol.QueueStream("f"))
		if err != nil || q.CachedInfo().State.Msgs != uint64(life+1) {
			t.Errorf("life %d: %d messages, %v", life, q.CachedInfo().State.Msgs, err)
		}
	}
}

// A job that is delivered again does not take the place of what has come of it meanwhile, and that of a later life does.
func TestFurtherStays(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	s := New(registrytest.JetStream(t, nc), Config{})
	if err := s.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ revision, attempt, stays string }{
		{"", "1", "1"}, {"", "3", "3"}, {"", "2", "3"}, {"", "3", "3"}, {"7", "1", "1"}, {"", "4", "1"}, {"7", "2", "2"},
		{"9", "", ""},
	} {
		h := nats.Header{protocol.HeaderAttempt: {step.attempt}, protocol.HeaderRevision: {step.revision}}
		err := s.Put(t.Context(), "f", "x", time.Now().Add(time.Hour), &nats.Msg{Subject: "polyvoke.job.f", Header: h})
		if err != nil {
			t.Fatal(err)
		}
		w, ok, err := s.Get(t.Context(), "f", "x")
		if err != nil || !ok || w.Msg.Header.Get(protocol.HeaderAttempt) != step.stays {
			t.Errorf("after %+v there waits %v, %v, %v", step, w.Msg, ok, err)
		}
	}
}
