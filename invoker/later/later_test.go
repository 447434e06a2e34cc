package later_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server with a store of messages that wait.
type world struct {
	*testing.T
	js    jetstream.JetStream
	later *later.Store
}

func start(t *testing.T) world {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	w := world{t, js, later.New(js, later.Config{})}
	if err := w.later.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// queue makes the queue of a function with room for some jobs, and returns the jobs that come.
func (w world) queue(name string, room int) <-chan *nats.Msg {
	w.Helper()
	f := protocol.Function{Name: name, Job: &protocol.Job{Queue: room}}
	if _, err := store.New(w.js, store.Config{}).MakeQueue(w.Context(), &f); err != nil {
		w.Fatal(err)
	}
	return w.jobs(name)
}

// jobs returns what is published on the subjects of a queue.
func (w world) jobs(name string) <-chan *nats.Msg {
	w.Helper()
	jobs := make(chan *nats.Msg, 10_000)
	sub, err := w.js.Conn().ChanSubscribe("polyvoke.job."+name, jobs)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = sub.Unsubscribe() })
	return jobs
}

// move moves until the test ends, or stop is called.
func (w world) move(set func(*later.Mover)) (stop func()) {
	m := later.NewMover(w.later)
	if set != nil {
		set(m)
	}
	ctx, cancel := context.WithCancel(w.Context())
	var moving sync.WaitGroup
	moving.Go(func() {
		if err := m.Move(ctx); !errors.Is(err, context.Canceled) {
			w.Errorf("Move: %v", err)
		}
	})
	stop = func() { cancel(); moving.Wait() }
	w.Cleanup(stop)
	return stop
}

func (w world) put(name, id string, at time.Time, h nats.Header) {
	w.Helper()
	m := &nats.Msg{Subject: "polyvoke.job." + name, Data: []byte("body of " + id), Header: h}
	if err := w.later.Put(w.Context(), name, id, at, m); err != nil {
		w.Fatalf("Put %s: %v", id, err)
	}
}

// next returns the next message, and stops the test if none comes.
func next[T any](t *testing.T, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(registrytest.Patience):
		t.Fatalf("%s does not come", what)
	}
	return got
}

// stored returns how many messages the queue of a function has.
func (w world) stored(name string) int {
	w.Helper()
	s, err := w.js.Stream(w.Context(), protocol.QueueStream(name))
	if err != nil {
		w.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}

func TestMoved(t *testing.T) {
	w := start(t)
	jobs := w.queue("f", 10)
	w.move(nil)
	at := time.Now().Add(300 * time.Millisecond)
	w.put("f", "x", at, nats.Header{"Fn-Attempt": {"2"}, "traceparent": {"a", "b"}, "Nats-Msg-Id": {"the caller's"},
		"nats-expected-stream": {"other"}, "Nats-Trace-Dest": {"spy"}, "fn-target": {"polyvoke.job.g"}, "Fn-Moves": {"7"}})
	got := next(t, "the job", jobs)
	if time.Now().Before(at) {
		t.Errorf("it comes %s early", time.Until(at))
	}
	t.Logf("%s late", time.Since(at))
	want := nats.Header{"Fn-Attempt": {"2"}, "traceparent": {"a", "b"}, "Nats-Msg-Id": {"x/2//"}}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) || string(got.Data) != "body of x" {
		t.Errorf("%q with headers %v, not %v", got.Data, got.Header, want)
	}
}

// What waits is replaced by the next one of its id, seen, listed by pages, and cancelled.
func TestWaits(t *testing.T) {
	w := start(t)
	at := time.Now().Add(time.Hour)
	for i := range 25 {
		w.put("f", fmt.Sprint("id", i), at, nil)
	}
	w.put("g", "other", at, nil)
	w.put("f", "id3", at.Add(time.Minute), nats.Header{"Fn-Attempt": {"1"}})
	got, ok, err := w.later.Get(t.Context(), "f", "id3")
	if err != nil || !ok || !got.At.Equal(at.Add(time.Minute)) || got.Due || got.Msg.Subject != "polyvoke.job.f" ||
		got.Msg.Header.Get("Fn-Attempt") != "1" || string(got.Msg.Data) != "body of id3" || len(got.Msg.Header) != 1 {
		t.Errorf("Get: %+v, %v, %v", got, ok, err)
	}
	for name, want := range map[string]int{"f": 25, "g": 1, "": 26, "h": 0} {
		if ids := w.list(name, 10); len(ids) != want {
			t.Errorf("%q: %d are listed, not %d: %v", name, len(ids), want, ids)
		}
	}
	for _, found := range []bool{true, false} {
		if was, err := w.later.Cancel(t.Context(), "f", "id3"); err != nil || was != found {
			t.Errorf("Cancel: %v, %v", was, err)
		}
		if _, ok, err := w.later.Get(t.Context(), "f", "id3"); ok || err != nil {
			t.Errorf("Get of what is cancelled: %v, %v", ok, err)
		}
	}
	if n, err := w.later.Purge(t.Context(), "f"); n != 24 || err != nil {
		t.Errorf("Purge: %d, %v", n, err)
	}
	if ids := w.list("", 10); len(ids) != 1 {
		t.Errorf("left: %v", ids)
	}
}

// list returns the ids of all pages; each comes once.
func (w world) list(name string, limit int) map[string]bool {
	w.Helper()
	ids := map[string]bool{}
	for after, pages := uint64(0), 0; ; pages++ {
		page, next, err := w.later.List(w.Context(), name, after, limit)
		if err != nil || len(page) > limit || pages > 100 {
			w.Fatalf("page %d: %d messages, %v", pages, len(page), err)
		}
		for _, one := range page {
			if ids[one.Name+one.ID] || one.At.IsZero() {
				w.Errorf("%+v is listed twice, or without its time", one)
			}
			ids[one.Name+one.ID] = true
		}
		if after = next; next == 0 {
			return ids
		}
	}
}

// A store without its stream has nothing, and Put makes it.
func TestNothing(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	w := world{t, registrytest.JetStream(t, nc), later.New(registrytest.JetStream(t, nc), later.Config{})}
	if _, ok, err := w.later.Get(t.Context(), "f", "x"); ok || err != nil {
		t.Errorf("Get: %v, %v", ok, err)
	}
	if found, err := w.later.Cancel(t.Context(), "f", "x"); found || err != nil {
		t.Errorf("Cancel: %v, %v", found, err)
	}
	if page, next, err := w.later.List(t.Context(), "f", 0, 10); len(page) > 0 || next > 0 || err != nil {
		t.Errorf("List: %v, %d, %v", page, next, err)
	}
	jobs := w.queue("f", 10)
	w.move(nil)
	w.put("f", "x", time.Now(), nil)
	next(t, "the job", jobs)
}

func TestRefused(t *testing.T) {
	w := start(t)
	soon := time.Now().Add(time.Second)
	for _, bad := range []struct {
		name, id, subject string
		at                time.Time
		size, code        int
	}{
		{"", "x", "polyvoke.job.f", soon, 0, 400},
		{"f.g", "x", "polyvoke.job.f", soon, 0, 400},
		{"f", "", "polyvoke.job.f", soon, 0, 400},
		{"f", "a.b", "polyvoke.job.f", soon, 0, 400},
		{"f", "*", "polyvoke.job.f", soon, 0, 400},
		{"f", "é", "polyvoke.job.f", soon, 0, 400},
		{"f", strings.Repeat("x", 129), "polyvoke.job.f", soon, 0, 400},
		{"f", "x", "job.f", soon, 0, 400},
		{"f", "x", "polyvoke.job.g", soon, 0, 400},
		{"f", "x", "polyvoke.job.f.a..b", soon, 0, 400},
		{"f", "x", "$JS.API.STREAM.DELETE.FN_JOB_f", soon, 0, 400},
		{"f", "x", "polyvoke.job.f", time.Time{}, 0, 400},
		{"f", "x", "polyvoke.job.f", time.Now().Add(15 * 24 * time.Hour), 0, 400},
		{"_k", "x", "", time.Now().Add(20 * 366 * 24 * time.Hour), 0, 400},
		{"f", "x", "polyvoke.job.f", soon, 1 << 20, 413},
	} {
		m := &nats.Msg{Subject: bad.subject, Data: make([]byte, bad.size)}
		if err := w.later.Put(t.Context(), bad.name, bad.id, bad.at, m); protocol.CodeOf(err) != bad.code {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if n := w.list("", 10); len(n) != 0 {
		t.Errorf("refused, and stored: %v", n)
	}
}

// What a full queue refuses waits, and comes when there is room; meanwhile other queues get theirs.
func TestFull(t *testing.T) {
	w := start(t)
	full, other := w.queue("full", 1), w.queue("other", 1000)
	w.move(nil)
	if _, err := w.js.Publish(t.Context(), "polyvoke.job.full", nil); err != nil {
		t.Fatal(err)
	}
	next(t, "what fills the queue", full)
	for i := range 300 {
		w.put("full", fmt.Sprint("a", i), time.Now(), nil)
	}
	next(t, "the first try", full)
	w.put("other", "b", time.Now(), nil)
	next(t, "the other's job", other)
	if n := w.stored("full"); n != 1 {
		t.Errorf("%d jobs in a queue of one", n)
	}
	f := protocol.Function{Name: "full", Job: &protocol.Job{Queue: 1000}}
	if _, err := store.New(w.js, store.Config{}).MakeQueue(t.Context(), &f); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 301; n = w.stored("full") {
		next(t, "a job that waited", full)
	}
}

// What has no queue is given to Lost until that succeeds, and so is what a stranger put into the stream.
func TestLost(t *testing.T) {
	w := start(t)
	stray := &nats.Msg{Subject: "due.f.stray", Header: nats.Header{"Fn-Target": {"$SYS.REQ.USER.INFO"}}}
	if _, err := w.js.PublishMsg(t.Context(), stray); err != nil {
		t.Fatal(err)
	}
	type loss struct{ id, reason, subject string }
	tries, lost := 0, make(chan loss, 10)
	w.move(func(m *later.Mover) {
		m.Lost = func(_ context.Context, d *later.Due, reason string) error {
			if d.ID == "stray" && tries == 0 {
				tries++
				return errors.New("not now")
			}
			lost <- loss{d.ID, reason, d.Msg.Subject}
			return nil
		}
	})
	if got := next(t, "the stray", lost); got != (loss{"stray", protocol.ReasonMalformed, "$SYS.REQ.USER.INFO"}) {
		t.Errorf("%+v", got)
	}
	w.put("gone", "x", time.Now(), nil)
	if got := next(t, "what has no queue", lost); got != (loss{"x", protocol.ReasonFunction, "polyvoke.job.gone"}) {
		t.Errorf("%+v", got)
	}
}

// Messages of a kind go to its handler, again and again until it succeeds.
func TestKind(t *testing.T) {
	w := start(t)
	got := make(chan *later.Due, 10)
	w.move(func(m *later.Mover) {
		m.Handle("_tick", func(_ context.Context, d *later.Due) error {
			got <- d
			if d.Delivered < 3 {
				return errors.New("not yet")
			}
			return nil
		})
	})
	w.put("_tick", "f-1", time.Now(), nats.Header{"Fn-Scheduled": {"then"}})
	for n := range 3 {
		d := next(t, "a try", got)
		if d.ID != "f-1" || d.Delivered != uint64(n+1) || d.Msg.Header.Get("Fn-Scheduled") != "then" {
			t.Errorf("try %d: %+v", n, d)
		}
	}
	if ids := w.list("", 10); len(ids) != 0 {
		t.Errorf("kinds are listed as functions: %v", ids)
	}
}

// A handler that takes longer than JetStream waits for a word is not given the message a second time.
func TestSlow(t *testing.T) {
	w := start(t)
	got, end := make(chan uint64, 10), make(chan struct{})
	w.move(func(m *later.Mover) {
		m.Handle("_slow", func(_ context.Context, d *later.Due) error {
			got <- d.Delivered
			<-end
			return nil
		})
		m.Handle("_timer", func(context.Context, *later.Due) error { close(end); return nil })
	})
	w.put("_slow", "x", time.Now(), nil)
	next(t, "the message", got)
	w.put("_timer", "x", time.Now().Add(2500*time.Millisecond), nil)
	next(t, "the end", end)
	w.put("_slow", "y", time.Now(), nil)
	if n := next(t, "another one", got); n != 1 {
		t.Errorf("the first one came %d times", n)
	}
}

// What waits survives a server that goes and comes back, and a stream that is deleted is made again.
func TestServerComesBack(t *testing.T) {
	dir := t.TempDir()
	s := registrytest.StartNATS(t, dir, 0)
	nc := registrytest.Connect(t, s)
	js := registrytest.JetStream(t, nc)
	w := world{t, js, later.New(js, later.Config{})}
	jobs := w.queue("f", 10)
	w.move(nil)
	w.put("f", "away", time.Now().Add(time.Millisecond), nil)
	for i := range 2 {
		w.put("f", fmt.Sprint("x", i), time.Now().Add(400*time.Millisecond), nil)
	}
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	registrytest.StartNATS(t, dir, port)
	came := map[string]bool{}
	for len(came) < 3 {
		came[string(next(t, "a job", jobs).Data)] = true
	}
	if err := js.DeleteStream(t.Context(), protocol.StreamLater); err != nil {
		t.Fatal(err)
	}
	w.put("f", "deleted", time.Now(), nil)
	next(t, "the job", jobs)
}

// Many invokers move many messages: each comes once.
func TestHammerMove(t *testing.T) {
	const many, invokers = 2000, 4
	w := start(t)
	jobs := w.queue("f", many)
	var stops []func()
	for range invokers {
		stops = append(stops, w.move(nil))
	}
	at := time.Now().Add(time.Second)
	var putting sync.WaitGroup
	for p := range 8 {
		putting.Go(func() {
			for i := p; i < many; i += 8 {
				m := &nats.Msg{Subject: "polyvoke.job.f", Data: fmt.Append(nil, i)}
				if err := w.later.Put(t.Context(), "f", fmt.Sprint("id", i), at, m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	putting.Wait()
	came := map[string]int{}
	for n := 0; len(came) < many; n++ {
		came[string(next(t, "a job", jobs).Data)]++
		if n == many/4 {
			stops[0]()
		}
	}
	t.Logf("the last of %d came %s late", many, time.Since(at).Round(time.Millisecond))
	for _, stop := range stops {
		stop() // what they have published is stored
	}
	if n := w.stored("f"); n != many {
		t.Errorf("%d messages in the queue of %d jobs", n, many)
	}
}
