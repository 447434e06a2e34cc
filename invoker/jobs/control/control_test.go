package control_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestOpen(t *testing.T) {
	w := newWorld(t)
	if text := w.fails(protocol.CodeNotFound, protocol.APIJobOpen, protocol.NameRequest{Name: "nobody"}); text == "" {
		t.Error("it says nothing")
	}
	for _, stream := range []string{protocol.QueueStream("nobody"), protocol.StreamDead} {
		if _, err := w.js.Stream(t.Context(), stream); err == nil {
			t.Errorf("%s was made for a function that does not exist", stream)
		}
	}
	first := w.open("hello")
	if first.Created.IsZero() || first.Subject != "job.hello" || first.Paused() {
		t.Errorf("got %+v", first)
	}
	if again := w.open("hello"); !again.Created.Equal(first.Created) {
		t.Errorf("opened again: %+v, before: %+v", again, first)
	}
	kv, err := w.js.KeyValue(t.Context(), protocol.BucketMarks)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(t.Context(), "queue.hello"); err != nil || e.Revision() != 1 {
		t.Errorf("mark: %v, %v", e, err)
	}
}

func TestPause(t *testing.T) {
	w := newWorld(t)
	var q protocol.QueueInfo
	w.fails(protocol.CodeNotFound, protocol.APIPause, protocol.NameRequest{Name: "nobody"})
	w.fails(protocol.CodeNotFound, protocol.APIResume, protocol.NameRequest{Name: "nobody"})
	w.fails(protocol.CodeBadRequest, protocol.APIPause, `{"name":"hello","for":-1}`)
	w.must(protocol.APIResume, protocol.NameRequest{Name: "hello"}, &q) // there is no queue to be paused
	w.must(protocol.APIPause, protocol.PauseRequest{Name: "hello"}, &q)
	if !q.Paused() || !q.Forever {
		t.Errorf("paused: %+v", q)
	}
	id := w.publish("job.hello", "x")
	if q = w.open("hello"); !q.Paused() || q.Queued != 1 {
		t.Errorf("opened while it is paused: %+v", q)
	}
	var j protocol.JobReply
	if w.must(protocol.APIJob, job("hello", id), &j); !j.Paused || j.State != protocol.StateQueued {
		t.Errorf("job: %+v", j)
	}
	raw, err := w.ask(protocol.APIJobResult, nil, job("hello", id), nil)
	if err != nil || !strings.Contains(string(raw.Body), "polyvoke resume hello") {
		t.Errorf("result: %s, %v", raw.Body, err)
	}
	q = protocol.QueueInfo{}
	w.must(protocol.APIResume, protocol.NameRequest{Name: "hello"}, &q)
	if q.Paused() || q.Forever {
		t.Errorf("resumed: %+v", q)
	}
	w.must(protocol.APIPause, protocol.PauseRequest{Name: "hello", For: protocol.Duration(time.Hour)}, &q)
	if until := time.Until(q.PausedUntil); q.Forever || until < 58*time.Minute || until > time.Hour {
		t.Errorf("paused for an hour: %+v", q)
	}
}

// distant is a connection to a server that is far away.
type distant struct{ net.Conn }

// Dial implements nats.CustomDialer.
func (distant) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return distant{c}, err
}

// Read implements net.Conn. What comes has been under way for longer than a queue that is resumed stays paused.
func (d distant) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	time.Sleep(60 * time.Millisecond)
	return n, err
}

// A job of a queue that is resumed comes at once to whoever has asked for it before, however slow the server answers
// whoever resumes.
func TestResumeFromFarAway(t *testing.T) {
	ns := invokertest.StartNATS(t)
	js, err := jetstream.New(invokertest.Connect(t, ns))
	if err != nil {
		t.Fatal(err)
	}
	far, err := jetstream.New(invokertest.Connect(t, ns, nats.SetCustomDialer(distant{})))
	if err != nil {
		t.Fatal(err)
	}
	w := worldOn(t, far)
	w.open("hello")
	w.must(protocol.APIPause, protocol.PauseRequest{Name: "hello"}, new(protocol.QueueInfo))
	c, err := js.Consumer(t.Context(), protocol.QueueStream("hello"), store.Consumer)
	if err != nil {
		t.Fatal(err)
	}
	inbox := js.Conn().NewInbox()
	asked, err := js.Conn().SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	next := "$JS.API.CONSUMER.MSG.NEXT." + protocol.QueueStream("hello") + "." + store.Consumer
	request := fmt.Sprintf(`{"batch":1,"expires":%d}`, 10*patience) // without a heartbeat, with which the server looks, too
	if err := js.Conn().PublishRequest(next, inbox, []byte(request)); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the server knows of the request", func() bool {
		info, err := c.Info(t.Context())
		return err == nil && info.NumWaiting == 1
	})
	w.publish("job.hello", "x")
	w.must(protocol.APIResume, protocol.NameRequest{Name: "hello"}, new(protocol.QueueInfo))
	if m, err := asked.NextMsg(patience); err != nil || string(m.Data) != "x" {
		t.Errorf("the job does not come: %v, %v", m, err)
	}
}

// Every state is found, by ids of callers and of invokers.
func TestStates(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	running := w.publish("job.hello.a", "r")
	w.take("hello")
	queued := w.publish("job.hello.b", "12345")
	named := w.publish("job.hello", "x", protocol.HeaderID, "mine")
	again := w.publish("polyvoke.job.hello.c", "x", protocol.HeaderID, "_7-abc", protocol.HeaderAttempt, "3",
		protocol.HeaderAccepted, "2026-01-02T03:04:05Z")
	w.wait("hello", "w1")
	w.decide("hello", "d1", protocol.Record{State: protocol.StateDone, Attempts: 2, Reply: protocol.Reply{Body: []byte("out")}})
	w.die("hello", "x1")
	for id, want := range map[string]protocol.JobInfo{
		running: {State: protocol.StateRunning, Subject: "job.hello.a", Size: 1},
		queued:  {State: protocol.StateQueued, Subject: "job.hello.b", Size: 5},
		named:   {State: protocol.StateQueued, Subject: "job.hello", Size: 1},
		again:   {State: protocol.StateQueued, Subject: "job.hello.c", Size: 1, Attempts: 3},
		"w1":    {State: protocol.StateWaiting, Size: 5, Attempts: 2},
		"d1":    {State: protocol.StateDone, Size: 3, Attempts: 2},
		"x1": {State: protocol.StateDead, Size: 13, Attempts: 5, Subject: "job.hello.arg", Reason: protocol.ReasonAttempts,
			Code: 500, Error: "it is broken"},
	} {
		var got protocol.JobReply
		w.must(protocol.APIJob, job("hello", id), &got)
		want.Job = "hello." + id
		got.Accepted, got.Begins, got.Ended, got.Exit = time.Time{}, time.Time{}, time.Time{}, nil
		if got.JobInfo != want {
			t.Errorf("%s: got %+v, want %+v", id, got.JobInfo, want)
		}
		if (got.Story != nil) != (want.State == protocol.StateDead) {
			t.Errorf("%s: story %v", id, got.Story)
		}
	}
	q := w.open("hello")
	if q.Queued != 3 || q.Running != 1 || q.Waiting != 1 || q.Dead != 1 {
		t.Errorf("figures: %+v", q)
	}
}

// What is not there is said to be unknown, and why.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	text := w.fails(protocol.CodeNotFound, protocol.APIJob, job("nobody", "x"))
	if !strings.Contains(text, "no function nobody") {
		t.Errorf("got %q", text)
	}
	w.fails(protocol.CodeNotFound, protocol.APIJob, job("hello", "x")) // before there is anything
	w.open("hello")
	id := w.publish("job.hello", "x")
	if err := w.take("hello").DoubleAck(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := protocol.NewJobID(99, w.open("hello").Created)
	for id, want := range map[string]string{
		id:           "has ended, and its outcome has expired: outcomes of hello are kept for 24h0m0s",
		later:        "there has been no job",
		"_1-abc":     "its queue was removed",
		"of-a-user":  "no job had this id, or its outcome has expired",
		"_0-":        "no job had this id",
		"_1-ABC":     "no job had this id",
		"_0001-2345": "no job had this id",
	} {
		for _, verb := range []protocol.APIVerb{protocol.APIJob, protocol.APIJobResult, protocol.APIJobCancel} {
			if text := w.fails(protocol.CodeNotFound, verb, job("hello", id)); !strings.Contains(text, want) {
				t.Errorf("%s %s: got %q, want %q", verb, id, text, want)
			}
		}
	}
	for _, bad := range []string{"", "{}", `{"job":"hello"}`, `{"job":"hello."}`, `{"job":".x"}`, `{"job":"hello.a.b"}`,
		`{"job":"hello.*"}`, `{"job":"he>lo.x"}`, `{"job":"hello.` + strings.Repeat("a", 70) + `"}`, `{"job":7}`} {
		for _, verb := range []protocol.APIVerb{protocol.APIJob, protocol.APIJobResult, protocol.APIJobCancel,
			protocol.APIDeadShow} {
			w.fails(protocol.CodeBadRequest, verb, bad)
		}
	}
}

// listAll returns all pages of a list.
func (w *world) listAll(verb protocol.APIVerb, q protocol.JobsRequest) (jobs []string, pages int) {
	w.t.Helper()
	for pages = 1; ; pages++ {
		var page protocol.JobsReply
		w.must(verb, q, &page)
		if q.Limit > 0 && len(page.Jobs) > q.Limit {
			w.t.Errorf("%d jobs in a page of %d", len(page.Jobs), q.Limit)
		}
		for _, j := range page.Jobs {
			jobs = append(jobs, j.Job+" "+string(j.State))
		}
		if q.After = page.Next; q.After == "" {
			return jobs, pages
		}
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	if jobs, _ := w.listAll(protocol.APIJobs, protocol.JobsRequest{}); jobs != nil {
		t.Errorf("of nothing: %v", jobs)
	}
	w.open("hello")
	w.open("other")
	for _, id := range []string{"a", "b", "c"} {
		w.publish("job.hello", "x", protocol.HeaderID, id)
		w.publish("job.other", "x", protocol.HeaderID, id)
	}
	w.take("hello")
	w.wait("hello", "w1")
	w.wait("other", "w2")
	for _, id := range []string{"d1", "d2", "d3"} {
		w.decide("hello", id, protocol.Record{State: protocol.StateDone})
		w.decide("other", id, protocol.Record{State: protocol.StateCancelled})
	}
	w.die("hello", "x1")
	w.die("other", "x2")
	hello := []string{"hello.c queued", "hello.b queued", "hello.a running"}
	other := []string{"other.c queued", "other.b queued", "other.a queued"}
	later := []string{"hello.w1 waiting", "other.w2 waiting"}
	done := []string{"hello.d3 done", "hello.d2 done", "hello.d1 done"}
	ended := []string{"other.x2 dead", "hello.x1 dead", "other.d3 cancelled", "hello.d3 done", "other.d2 cancelled",
		"hello.d2 done", "other.d1 cancelled", "hello.d1 done"}
	for _, c := range []struct {
		q    protocol.JobsRequest
		want []string
	}{
		{protocol.JobsRequest{}, slices.Concat(hello, other, later, ended)},
		{protocol.JobsRequest{Function: "hello"}, slices.Concat(hello, later[:1], []string{"hello.x1 dead"}, done)},
		{protocol.JobsRequest{State: protocol.StateQueued}, slices.Concat(hello[:2], other)},
		{protocol.JobsRequest{State: protocol.StateRunning}, hello[2:]},
		{protocol.JobsRequest{State: protocol.StateWaiting}, later},
		{protocol.JobsRequest{State: protocol.StateDone}, done},
		{protocol.JobsRequest{State: protocol.StateDead}, []string{"other.x2 dead", "hello.x1 dead"}},
		{protocol.JobsRequest{Function: "nobody"}, nil},
	} {
		for limit := range 9 {
			c.q.Limit = limit
			if got, _ := w.listAll(protocol.APIJobs, c.q); !slices.Equal(got, c.want) {
				t.Errorf("%+v: got %v, want %v", c.q, got, c.want)
			}
		}
	}
	got, _ := w.listAll(protocol.APIDead, protocol.JobsRequest{Function: "other"})
	if want := []string{"other.x2 dead"}; !slices.Equal(got, want) {
		t.Errorf("dead letters: got %v, want %v", got, want)
	}
	w.room = 600
	if _, pages := w.listAll(protocol.APIJobs, protocol.JobsRequest{}); pages < 3 {
		t.Errorf("with little room there are %d pages", pages)
	}
	for _, bad := range []string{`{"limit":-1}`, `{"limit":1001}`, `{"state":"lost"}`, `{"function":"a b"}`, `[`,
		`{"after":"queue"}`, `{"after":"queue::x"}`, `{"after":"dead::1"}`, `{"after":"queue:a.b:1"}`,
		`{"state":"done","after":"queue::1"}`} {
		w.fails(protocol.CodeBadRequest, protocol.APIJobs, bad)
	}
	w.fails(protocol.CodeBadRequest, protocol.APIDead, `{"state":"done"}`)
}

// A long queue with a gap, and large bodies in it, is listed without reading much at a time.
func TestListSparse(t *testing.T) {
	w := newWorld(t)
	w.open("hello")
	w.publish("job.hello", "x", protocol.HeaderID, "first")
	for range 5000 {
		if _, err := w.js.PublishAsync("job.hello", nil, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
	stream, err := w.js.Stream(t.Context(), protocol.QueueStream("hello"))
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat("x", 300_000)
	want := []string{}
	for i := range 8 {
		id := fmt.Sprintf("large-%d", i)
		w.publish("job.hello", large, protocol.HeaderID, id)
		want = append([]string{"hello." + id + " queued"}, want...)
	}
	for seq := uint64(2); seq <= 5001; seq++ {
		if err := stream.DeleteMsg(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
	}
	got, pages := w.listAll(protocol.APIJobs, protocol.JobsRequest{Limit: 5})
	if want = append(want, "hello.first queued"); !slices.Equal(got, want) || pages > 5 {
		t.Errorf("in %d pages got %v, want %v", pages, got, want)
	}
}

// Outcomes of one function among many of others are found, and a page of them costs a bounded number of looks.
func TestListRareOutcomes(t *testing.T) {
	w := newWorld(t)
	if err := w.store.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 3000 {
		name := "other"
		if i%1000 == 0 {
			name = "hello"
			want = append([]string{fmt.Sprintf("hello.n%d done", i)}, want...)
		}
		m := w.store.RecordMessage(name, fmt.Sprintf("n%d", i), &protocol.Record{State: protocol.StateDone}, 0, time.Hour)
		if _, err := w.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	<-w.js.PublishAsyncComplete()
	got, pages := w.listAll(protocol.APIJobs, protocol.JobsRequest{Function: "hello", State: protocol.StateDone, Limit: 10})
	if !slices.Equal(got, want) || pages > 3 {
		t.Errorf("in %d pages got %v, want %v", pages, got, want)
	}
}
