package triggers

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server with a front, and the queue of a function that a test works through.
type world struct {
	*testing.T
	server *server.Server
	js     jetstream.JetStream
	store  *store.Store
	queue  store.Queue
}

// start begins a world whose function f has a queue.
func start(t *testing.T) *world { return startOn(t, registrytest.StartNATS(t, t.TempDir(), 0)) }

func startOn(t *testing.T, s *server.Server) *world {
	w := &world{T: t, server: s, js: registrytest.JetStream(t, registrytest.Connect(t, s))}
	w.store = store.New(w.js, store.Config{})
	w.must(w.store.Make(t.Context()))
	var err error
	w.queue, err = w.store.MakeQueue(t.Context(), &protocol.Function{Name: "f"})
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// front runs a front, with a connection of its own, that works for triggers of f. stop ends it, and returns when it has
// ended.
func (w *world) front(change func(*Front), all ...protocol.Trigger) (f *Front, stop func()) {
	w.Helper()
	f = New(Config{JetStream: registrytest.JetStream(w.T, registrytest.Connect(w.T, w.server)),
		Grace: 50 * time.Millisecond, AckWait: 2 * time.Second, Log: slog.New(slog.NewTextHandler(w.T.Output(), nil))})
	if change != nil {
		change(f)
	}
	if len(all) > 0 {
		f.Apply(w.function(all...))
	}
	f.Synced()
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.Serve(ctx); err != nil {
			w.Errorf("the front has ended with %v", err)
		}
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); <-done }) }
	w.Cleanup(stop)
	return f, stop
}

func (w *world) function(all ...protocol.Trigger) *protocol.Function {
	w.Helper()
	f := &protocol.Function{Name: "f", Triggers: all}
	w.must(f.Check())
	return f
}

// stream makes a stream.
func (w *world) stream(c jetstream.StreamConfig) jetstream.Stream {
	w.Helper()
	s, err := w.js.CreateStream(w.Context(), c)
	w.must(err)
	return s
}

// publish publishes messages, with the subject as body.
func (w *world) publish(subjects ...string) {
	w.Helper()
	for _, s := range subjects {
		_, err := w.js.Publish(w.Context(), s, []byte(s))
		w.must(err)
	}
}

// next takes the next job from the queue. It is acknowledged, and has no record.
func (w *world) next() protocol.JobMessage {
	w.Helper()
	j, m := w.take()
	w.must(m.DoubleAck(w.Context()))
	return j
}

func (w *world) take() (protocol.JobMessage, jetstream.Msg) {
	w.Helper()
	c, err := w.js.Consumer(w.Context(), w.queue.Stream, store.Consumer)
	w.must(err)
	m, err := c.Next(jetstream.FetchMaxWait(registrytest.Patience))
	w.must(err)
	j, err := protocol.ParseJob(m.Subject(), protocol.Header(m.Headers()), m.Data())
	w.must(err)
	if !j.Redo || j.Request.Function.Name != "f" {
		w.Errorf("a job on %s", m.Subject())
	}
	return j, m
}

// nothing reports that the queue has jobs where it should have none, once the trigger has nothing more to do.
func (w *world) nothing(t protocol.Trigger) {
	w.Helper()
	w.idle(t)
	s, err := w.js.Stream(w.Context(), w.queue.Stream)
	w.must(err)
	if n := s.CachedInfo().State.Msgs; n != 0 {
		w.Errorf("the queue has %d jobs more", n)
	}
}

// idle waits until a trigger has made each event a job.
func (w *world) idle(t protocol.Trigger) {
	w.Helper()
	await.Until(w, "the trigger to have nothing to do", func() bool {
		l := Lags(w.Context(), w.js, w.function(t))[0]
		return l.Err == nil && l.Total() == 0
	})
}

// ready waits until a trigger has its consumer.
func (w *world) ready(t protocol.Trigger) {
	w.Helper()
	await.Until(w, "a consumer", func() bool { return Lags(w.Context(), w.js, w.function(t))[0].Err == nil })
}

// Messages of a stream become jobs, with what wildcards match as arguments, and where they come from.
func TestStream(t *testing.T) {
	w := start(t)
	s := w.stream(jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	trigger := protocol.Trigger{Stream: "ORDERS", Filter: "orders.eu.*", To: "done.{1}"}
	w.publish("orders.eu.early")
	w.front(nil, trigger)
	w.ready(trigger)
	m := nats.NewMsg("orders.eu.5")
	m.Data = []byte("tea")
	m.Header = nats.Header{"Color": {"red", "green"}, "Fn-Id": {"mine"}, "fn-args": {`["x"]`}, "Fn-Attempt": {"4"},
		"Nats-Whatever": {"1"}, "Fn-Hops": {"3"}}
	ack, err := w.js.PublishMsg(t.Context(), m)
	w.must(err)
	j := w.next()
	id := trigger.EventID(ack.Sequence, s.CachedInfo().Created)
	if j.Request.ID != id || !slices.Equal(j.Request.Args, []string{"5"}) || string(j.Request.Body) != "tea" ||
		j.To != "done.5" || j.Before != 0 || j.Request.Hops != 3 {
		t.Errorf("the job is %+v, want the id %s", j, id)
	}
	h := j.Request.Header
	for name, want := range map[string]string{"Color": "red green", protocol.HeaderSourceSubject: "orders.eu.5",
		protocol.HeaderSourceStream: "ORDERS", protocol.HeaderSourceSequence: fmt.Sprint(ack.Sequence),
		"Nats-Whatever": ""} {
		if got := strings.Join(h.Values(name), " "); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339Nano, h.Get(protocol.HeaderSourceTime)); err != nil {
		t.Error(err)
	}
	w.publish("orders.us.1")
	w.nothing(trigger)
}

// A trigger that is new begins where it says.
func TestStart(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	w.publish("s.1", "s.2")
	mid := time.Now()
	w.publish("s.3")
	w.stream(jetstream.StreamConfig{Name: "W", Subjects: []string{"w.*"}, Retention: jetstream.WorkQueuePolicy})
	w.publish("w.1")
	for _, test := range []struct{ start, filter, want string }{
		{"new", "s.*", "s.4"}, {"all", "s.>", "s.1"}, {"2", ">", "s.2"}, {mid.Format(time.RFC3339Nano), "*.*", "s.3"},
	} {
		trigger := protocol.Trigger{Stream: "S", Start: test.start, Filter: test.filter} // each one's jobs have other ids
		_, stop := w.front(nil, trigger)
		w.ready(trigger)
		w.publish("s.4")
		if got := string(w.next().Request.Body); got != test.want {
			t.Errorf("start %s: the first job is of %s, want %s", test.start, got, test.want)
		}
		stop()
		w.must(w.js.DeleteConsumer(t.Context(), "S", ConsumerName("f", trigger)))
		s, err := w.js.Stream(t.Context(), "S")
		w.must(err)
		w.must(s.Purge(t.Context(), jetstream.WithPurgeSubject("s.4")))
		q, err := w.js.Stream(t.Context(), w.queue.Stream)
		w.must(err)
		w.must(q.Purge(t.Context()))
	}
	trigger := protocol.Trigger{Stream: "W"}
	w.front(nil, trigger)
	if got := string(w.next().Request.Body); got != "w.1" {
		t.Errorf("the first job of a work queue is of %s", got)
	}
}

// What happens while nobody listens comes later, and a redeploy keeps the position, whatever it changes but the source.
func TestPosition(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	trigger := protocol.Trigger{Stream: "S"}
	_, stop := w.front(nil, trigger)
	w.ready(trigger)
	w.publish("s.1")
	w.next()
	stop()
	w.publish("s.2", "s.3")
	again := trigger
	again.To, again.Start = "done", "all"
	f, _ := w.front(nil, again)
	for _, want := range []string{"s.2", "s.3"} {
		if j := w.next(); string(j.Request.Body) != want || j.To != "done" {
			t.Errorf("the job is of %s, to %q, want %s", j.Request.Body, j.To, want)
		}
	}
	again.Ordered = true
	f.Apply(w.function(again))
	w.publish("s.4")
	if got := string(w.next().Request.Body); got != "s.4" {
		t.Errorf("the job is of %s, want s.4", got)
	}
	await.Until(w, "one event to be on its way at a time", func() bool {
		c, err := w.js.Consumer(t.Context(), "S", ConsumerName("f", trigger))
		w.must(err)
		return c.CachedInfo().Config.MaxAckPending == 1
	})
}

// The position of a trigger goes when the trigger does, whoever learns of it, and not with an invoker.
func TestForget(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}})
	trigger, other := protocol.Trigger{Stream: "S"}, protocol.Trigger{Stream: "S", Filter: "s.x"}
	there := func(t protocol.Trigger) bool {
		_, err := w.js.Consumer(w.Context(), "S", ConsumerName("f", t))
		return err == nil
	}
	f, stop := w.front(nil, trigger, other)
	await.Until(w, "both consumers", func() bool { return there(trigger) && there(other) })
	f.Apply(w.function(trigger))
	await.Until(w, "one consumer to go", func() bool { return !there(other) })
	stop()
	if !there(trigger) {
		t.Fatal("a consumer went with its invoker")
	}
	for _, known := range []bool{true, false} {
		asked := make(chan bool)
		g, stop := w.front(func(f *Front) {
			f.config.Known = func(context.Context, string) (bool, error) {
				select {
				case asked <- true:
				default:
				}
				return known, nil
			}
		})
		if known {
			for range 3 {
				<-asked
			}
			if !there(trigger) {
				t.Error("the consumer of a function that this invoker cannot serve is gone")
			}
		} else {
			await.Until(w, "the consumer to go", func() bool { return !there(trigger) })
			await.Until(w, "its mark to go", func() bool { m, err := g.marked(t.Context()); return err == nil && len(m) == 0 })
		}
		stop()
	}
}
