package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// open returns a store on a server of the test's own.
func open(t *testing.T) (*store.Store, jetstream.JetStream) {
	t.Helper()
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	s := store.New(js, store.Config{})
	for range 2 { // what exists is no error
		if err := s.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s, js
}

// Of many that decide, one is first. A record that names the one before replaces it, and one that has expired leaves
// room for a new one.
func TestDecide(t *testing.T) {
	s, _ := open(t)
	record := &protocol.Record{State: protocol.StateDone, Attempts: 1}
	decide := func(revision uint64, ttl time.Duration) (uint64, error) {
		return s.Decide(t.Context(), s.RecordMessage("f", "x", record, revision, ttl))
	}
	var first atomic.Int32
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			switch _, err := decide(0, time.Hour); {
			case err == nil:
				first.Add(1)
			case !errors.Is(err, store.ErrDecided):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d have decided", first.Load())
	}
	r, ok, err := s.Record(t.Context(), "f", "x")
	if err != nil || !ok || r.State != protocol.StateDone {
		t.Fatal(r, ok, err)
	}
	if _, err := decide(r.Revision, time.Second); err != nil {
		t.Fatal(err)
	}
	for ok {
		if r, ok, err = s.Record(t.Context(), "f", "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := decide(r.Revision, time.Hour); err != nil {
		t.Errorf("behind one that has expired: %v", err)
	}
}

// What somebody else has deleted already is deleted, wherever in its stream it was.
func TestDelete(t *testing.T) {
	s, js := open(t)
	for _, test := range []struct {
		about    string
		sequence uint64
	}{{"in the middle", 2}, {"the first", 1}, {"the last", 4}, {"the only one", 3}, {"never there", 9}} {
		if test.sequence == 2 {
			for i := range 4 {
				if _, err := js.Publish(t.Context(), protocol.DeadSubject("f", fmt.Sprint(i)), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 2 {
			if err := s.Delete(t.Context(), protocol.StreamDead, test.sequence); err != nil {
				t.Errorf("%s: %v", test.about, err)
			}
		}
	}
	stream, err := js.Stream(t.Context(), protocol.StreamDead)
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// A dead letter is stored once, says what it was made of, and gives way to the one of a later life.
func TestBury(t *testing.T) {
	s, _ := open(t)
	letter := func(revision uint64, reason string) *store.Letter {
		return &store.Letter{Function: "f", ID: "x", Subject: "job.f.a", Reason: reason, Attempts: 2, Revision: revision,
			Accepted: time.Unix(1, 5).UTC(), Story: []protocol.Attempt{{Number: 1, Exit: 3}}, Body: []byte("body"),
			Err:    protocol.Errorf(500, "", "oops\r\nNats-TTL: 1s"),
			Header: protocol.Header{"Mine": {"1", "2"}, "nats-ttl": {"1s"}, "fn-reason": {"forged"}}}
	}
	for _, c := range []struct {
		revision uint64
		reason   string
		want     string
	}{{5, "first", "first"}, {5, "again", "first"}, {9, "later", "later"}, {7, "earlier", "later"}} {
		if err := s.Bury(t.Context(), letter(c.revision, c.reason)); err != nil {
			t.Fatal(err)
		}
		l, ok, err := s.Letter(t.Context(), "f", "x")
		if err != nil || !ok || l.Reason != c.want || string(l.Body) != "body" || l.Subject != "job.f.a" || l.Attempts != 2 ||
			len(l.Story) != 1 || l.Err == nil || l.Err.Code != 500 || strings.ContainsAny(l.Err.Msg, "\r\n") ||
			!l.Accepted.Equal(time.Unix(1, 5)) || len(l.Header) != 1 || len(l.Header.Values("Mine")) != 2 {
			t.Errorf("after %s: %+v %v %v", c.reason, l, ok, err)
		}
	}
	for _, c := range []struct {
		revision uint64
		found    bool
	}{{1, false}, {9, true}, {0, false}} {
		if found, err := s.DropLetter(t.Context(), "f", "x", c.revision); err != nil || found != c.found {
			t.Errorf("dropping the letter of %d: %v %v", c.revision, found, err)
		}
	}
}

// What invokers tell one another about jobs.
func TestMarks(t *testing.T) {
	s, js := open(t)
	ctx, stop := context.WithCancel(t.Context())
	told, done := make(chan store.Mark, 10), make(chan error, 1)
	if err := s.MarkCancelled(ctx, "f", "before"); err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.WatchMarks(ctx, func(m store.Mark) { told <- m }) }()
	if m := <-told; m != (store.Mark{Cancelled: true, Function: "f", ID: "before"}) {
		t.Errorf("told of %+v", m)
	}
	kv, err := js.KeyValue(ctx, protocol.BucketMarks)
	if err != nil {
		t.Fatal(err)
	}
	for _, odd := range []string{"cancel.f", "cancel.f.a.b", "queue.f.b", "else.f.x"} {
		if _, err := kv.PutString(ctx, odd, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.MarkQueue(ctx, "g"), s.MarkCancelled(ctx, "f", "_1-x")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Mark{{Function: "g"}, {Cancelled: true, Function: "f", ID: "_1-x"}} {
		if m := <-told; m != want {
			t.Errorf("told of %+v, want %+v", m, want)
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for i := range 3 {
		if before, err := s.BeginAlone(t.Context(), "f", "x"); before != i || err != nil {
			t.Errorf("begun alone: %d %v, want %d", before, err, i)
		}
	}
	if err := s.EndAlone(t.Context(), "f", "x"); err != nil {
		t.Error(err)
	}
	if before, err := s.BeginAlone(t.Context(), "f", "x"); before != 0 || err != nil {
		t.Errorf("begun alone anew: %d %v", before, err)
	}
	for _, c := range []struct {
		message string
		first   bool
	}{{"_1-a", true}, {"_2-a", false}, {"_1-a", true}} {
		if first, err := s.First(t.Context(), "f", "x", c.message, time.Hour); first != c.first || err != nil {
			t.Errorf("%s is the first: %v %v", c.message, first, err)
		}
	}
}

// A queue becomes what the manifest says, stays paused, can be closed to callers, opened again and removed.
func TestQueue(t *testing.T) {
	s, js := open(t)
	f := &protocol.Function{Name: "f", Job: &protocol.Job{}}
	q, err := s.MakeQueue(t.Context(), f)
	if err != nil || q.Created.IsZero() {
		t.Fatal(q, err)
	}
	if _, err := js.PauseConsumer(t.Context(), q.Stream, store.Consumer, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	f.Job.Concurrency, f.Job.Queue = 7, 1
	if _, err := s.MakeQueue(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	c, err := js.Consumer(t.Context(), q.Stream, store.Consumer)
	if err != nil {
		t.Fatal(err)
	}
	if i := c.CachedInfo(); i.Config.MaxAckPending != 7 || !i.Paused {
		t.Errorf("the consumer is %+v", i)
	}
	publish := func(subject string) error {
		_, err := js.Publish(t.Context(), subject, nil, jetstream.WithRetryAttempts(0))
		return err
	}
	var refused *jetstream.APIError
	if err := publish("job.f"); err != nil {
		t.Error(err)
	}
	if err := publish("job.f"); !errors.As(err, &refused) || refused.ErrorCode != 10077 {
		t.Errorf("a full queue says %v", err)
	}
	if names, err := s.Queues(t.Context()); err != nil || len(names) != 1 || names[0] != "f" {
		t.Errorf("the queues are %v %v", names, err)
	}
	if _, left, ok, err := s.CloseQueue(t.Context(), "f"); left != 1 || !ok || err != nil {
		t.Errorf("closed: %d left, %v, %v", left, ok, err)
	}
	if err := publish("job.f"); !errors.Is(err, jetstream.ErrNoStreamResponse) {
		t.Errorf("a closed queue says %v", err)
	}
	f.Job.Queue = 5
	if _, err := s.MakeQueue(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(publish("job.f.a"), publish("polyvoke.job.f")); err != nil {
		t.Errorf("a queue that was opened again says %v", err)
	}
	for range 2 {
		if err := s.RemoveQueue(t.Context(), "f"); err != nil {
			t.Error(err)
		}
	}
	if _, _, ok, err := s.CloseQueue(t.Context(), "f"); ok || err != nil {
		t.Errorf("no queue: %v %v", ok, err)
	}
}
