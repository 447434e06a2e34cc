package control_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/jobs/control"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// world is a NATS server with jobs, of which a test plays the invokers.
type world struct {
	t     testing.TB
	js    jetstream.JetStream
	store *store.Store
	verbs map[protocol.APIVerb]protocol.APIHandler
	room  int // of replies

	functions map[string]*protocol.Function
}

// newWorld starts a server with the functions hello and other.
func newWorld(t testing.TB) *world {
	t.Helper()
	nc := invokertest.Connect(t, invokertest.StartNATS(t, func(o *server.Options) { o.JetStream = true }))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return worldOn(t, js)
}

// worldOn is newWorld on a server that runs.
func worldOn(t testing.TB, js jetstream.JetStream) *world {
	t.Helper()
	w := &world{t: t, js: js, store: store.New(js, store.Config{}), room: 1 << 20,
		functions: map[string]*protocol.Function{"hello": {Name: "hello", Version: 1}, "other": {Name: "other", Version: 1}}}
	s := &control.Service{Store: w.store, Log: slog.New(slog.DiscardHandler),
		Find: func(_ context.Context, name string) (*protocol.Function, error) {
			if f := w.functions[name]; f != nil {
				return f, nil
			}
			return nil, protocol.Errorf(protocol.CodeNotFound, "", "function %q not found", name)
		}}
	w.verbs = s.Verbs()
	return w
}

// ask asks a verb and decodes the answer, unless it is an *protocol.APIReply, which is returned.
func (w *world) ask(verb protocol.APIVerb, h protocol.Header, request, out any) (*protocol.APIReply, error) {
	w.t.Helper()
	body, ok := request.(string)
	if !ok {
		b, err := json.Marshal(request)
		if err != nil {
			w.t.Fatal(err)
		}
		body = string(b)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := w.verbs[verb].Answer(ctx, &protocol.APIRequest{Header: h, Body: []byte(body), Room: w.room})
	if err != nil {
		return nil, err
	}
	if raw, ok := answer.(*protocol.APIReply); ok {
		return raw, nil
	}
	b, err := json.Marshal(answer)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(b) > w.room {
		w.t.Errorf("%s answers with %d bytes; there is room for %d", verb, len(b), w.room)
	}
	return nil, json.Unmarshal(b, out)
}

// must is ask where it must succeed.
func (w *world) must(verb protocol.APIVerb, request, out any) {
	w.t.Helper()
	if _, err := w.ask(verb, nil, request, out); err != nil {
		w.t.Fatalf("%s %v: %v", verb, request, err)
	}
}

// fails asks a verb that must fail with a code, and returns what it says.
func (w *world) fails(code int, verb protocol.APIVerb, request any) string {
	w.t.Helper()
	_, err := w.ask(verb, nil, request, new(any))
	if protocol.CodeOf(err) != code {
		w.t.Errorf("%s %v: got %v (%d), want %d", verb, request, err, protocol.CodeOf(err), code)
	}
	return protocol.MessageOf(err)
}

// open opens the queue of a function.
func (w *world) open(function string) (q protocol.QueueInfo) {
	w.t.Helper()
	w.must(protocol.APIJobOpen, protocol.NameRequest{Name: function}, &q)
	return q
}

// publish publishes a job, and returns its id.
func (w *world) publish(subject, body string, headers ...string) string {
	w.t.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	ack, err := w.js.PublishMsg(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	if id := m.Header.Get(protocol.HeaderID); id != "" {
		return id
	}
	stream, err := w.js.Stream(w.t.Context(), ack.Stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return protocol.NewJobID(ack.Sequence, stream.CachedInfo().Created)
}

// take takes a job out of a queue as an invoker does, and does not say that it is done.
func (w *world) take(function string) jetstream.Msg {
	w.t.Helper()
	c, err := w.js.Consumer(w.t.Context(), protocol.QueueStream(function), store.Consumer)
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := c.Next(jetstream.FetchMaxWait(patience))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// decide stores the outcome of a job.
func (w *world) decide(function, id string, r protocol.Record) {
	w.t.Helper()
	if err := w.store.Make(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Decide(w.t.Context(), w.store.RecordMessage(function, id, &r, 0, time.Hour)); err != nil {
		w.t.Fatal(err)
	}
}

// die makes a job a dead letter.
func (w *world) die(function, id string, headers ...string) {
	w.t.Helper()
	w.decide(function, id, protocol.Record{State: protocol.StateDead, Reason: protocol.ReasonAttempts, Attempts: 5,
		Reply: protocol.Reply{ID: id, Exit: 1, Err: protocol.Errorf(protocol.CodeFailed, "", "it is broken")}})
	story := protocol.AddAttempt(nil, protocol.Attempt{Number: 1, Exit: 1, Code: 500, Stderr: "no luck"})
	w.publish(protocol.DeadSubject(function, id), "body of "+id, append([]string{protocol.HeaderID, id,
		protocol.HeaderReason, protocol.ReasonAttempts, protocol.HeaderSubject, "job." + function + ".arg",
		protocol.HeaderStory, protocol.FormatStory(story), protocol.HeaderAttempt, "5", protocol.HeaderErrorCode, "500",
		protocol.HeaderError, "it is broken", protocol.HeaderExit, "1", "Colour", "blue",
		jetstream.MsgIDHeader, "dead/" + id}, headers...)...)
}

// wait lets a job wait for its time.
func (w *world) wait(function, id string) {
	w.t.Helper()
	_, err := w.js.CreateOrUpdateStream(w.t.Context(), jetstream.StreamConfig{Name: protocol.StreamLater,
		Retention: jetstream.WorkQueuePolicy, AllowMsgSchedules: true, AllowDirect: true,
		Subjects: []string{protocol.RootLater + ".*.*", protocol.RootDue + ".*.*"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.publish(protocol.LaterSubject(function, id), "later", "Nats-Schedule",
		"@at "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "Nats-Schedule-Target", protocol.DueSubject(function, id),
		protocol.HeaderAttempt, "2")
}

// messages returns how many messages a stream has.
func (w *world) messages(stream string) uint64 {
	w.t.Helper()
	s, err := w.js.Stream(w.t.Context(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

// job is the request for a job.
func job(function, id string) protocol.JobRequest {
	return protocol.JobRequest{Job: protocol.ResultKey(function, id)}
}
