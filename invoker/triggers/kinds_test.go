package triggers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// Changes of keys become jobs: the value as body, the key and what happened as arguments.
func TestKV(t *testing.T) {
	w := start(t)
	trigger := protocol.Trigger{KV: "prices.eu.>", Create: true, To: "done.{1}"}
	_, stop := w.front(nil, trigger)
	w.ready(trigger)
	kv, err := w.js.KeyValue(t.Context(), "prices")
	w.must(err)
	put := func(key, value string) {
		w.Helper()
		_, err := kv.PutString(t.Context(), key, value)
		w.must(err)
	}
	is := func(value, to string, args ...string) {
		w.Helper()
		j := w.next()
		if string(j.Request.Body) != value || !slices.Equal(j.Request.Args, args) || j.To != to ||
			j.Request.Header.Get("KV-Operation") != "" {
			t.Errorf("%q of %q to %q, want %q of %q", j.Request.Args, j.Request.Body, j.To, args, value)
		}
	}
	put("us.tea", "1")
	put("eu.tea", "2")
	is("2", "done.tea", "eu.tea", "put")
	put("eu.de.tea=1/x", "3")
	is("3", "done.de.tea=1/x", "eu.de.tea=1/x", "put")
	w.must(kv.Delete(t.Context(), "eu.tea"))
	is("", "done.tea", "eu.tea", "delete")
	w.must(kv.Purge(t.Context(), "eu.tea"))
	is("", "done.tea", "eu.tea", "purge")
	stop()
	put("eu.tea", "while nobody listens")
	w.front(nil, trigger)
	is("while nobody listens", "done.tea", "eu.tea", "put")
	w.nothing(trigger)
}

// A key whose time is over has been deleted.
func TestKVExpires(t *testing.T) {
	w := start(t)
	kv, err := w.js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "b", LimitMarkerTTL: time.Minute})
	w.must(err)
	trigger := protocol.Trigger{KV: "b"}
	w.front(nil, trigger)
	w.ready(trigger)
	_, err = kv.Create(t.Context(), "k", []byte("v"), jetstream.KeyTTL(time.Second))
	w.must(err)
	for _, want := range []string{"put", "delete"} {
		if j := w.next(); !slices.Equal(j.Request.Args, []string{"k", want}) {
			t.Errorf("the arguments are %q, want k %s", j.Request.Args, want)
		}
	}
}

// Objects become jobs: the description as body, the name and what happened as arguments.
func TestObject(t *testing.T) {
	w := start(t)
	trigger := protocol.Trigger{Object: "uploads", Create: true}
	_, stop := w.front(nil, trigger)
	w.ready(trigger)
	stop()
	o, err := w.js.ObjectStore(t.Context(), "uploads")
	w.must(err)
	const name = "a b/größe.* \n\u2028.png"
	_, err = o.PutString(t.Context(), name, "bytes")
	w.must(err)
	w.front(nil, trigger)
	j := w.next()
	var described struct {
		Name string
		Size int
	}
	w.must(json.Unmarshal(j.Request.Body, &described))
	if !slices.Equal(j.Request.Args, []string{name, "put"}) || described.Name != name || described.Size != 5 {
		t.Errorf("%q: %s", j.Request.Args, j.Request.Body)
	}
	w.must(o.Delete(t.Context(), name))
	if j = w.next(); !slices.Equal(j.Request.Args, []string{name, "delete"}) {
		t.Errorf("the arguments are %q", j.Request.Args)
	}
	w.nothing(trigger)
}

// What others chose never makes the server close the connection, and no event is lost.
func TestHostileEvents(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}})
	trigger := protocol.Trigger{Stream: "S", Filter: "s.>", To: "x.{1}"}
	f, _ := w.front(nil, trigger)
	w.ready(trigger)
	largest := int(w.js.Conn().MaxPayload())
	for what, m := range map[string]*nats.Msg{
		"a subject as long as a line": {Subject: "s." + strings.Repeat("x", 3900)},
		"a subject of many tokens":    {Subject: "s" + strings.Repeat(".x", 1900)},
		"a subject that is not UTF-8": {Subject: "s.\xff\xfe"},
		"a control character":         {Subject: "s.\x01\x1f"}, // NATS itself loses 0x7f (server/stree)
		"the largest body":            {Subject: "s.1", Data: bytes.Repeat([]byte("x"), largest)},
		"the largest headers":         {Subject: "s.2", Header: nats.Header{"K": {strings.Repeat("x", 65000)}}},
		"many headers":                {Subject: "s.3", Header: manyHeaders(240)},
		"more headers than may be":    {Subject: "s.4", Header: manyHeaders(300)},
		"headers of polyvoke's own":   {Subject: "s.5", Header: nats.Header{"fn-refused": {"x"}, "FN-TO": {"log.x"}}},
	} {
		if _, err := w.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	w.idle(trigger)
	q, err := w.js.Stream(t.Context(), w.queue.Stream)
	w.must(err)
	refused := 0
	for range 9 {
		m, malformed := w.raw()
		if malformed != nil {
			refused++
		}
		w.must(m.DoubleAck(t.Context()))
	}
	info, err := q.Info(t.Context())
	w.must(err)
	if info.State.Msgs != 0 || refused != 2 {
		t.Errorf("%d jobs more, %d that cannot be one, want 2", info.State.Msgs, refused)
	}
	if n := f.js.Conn().Stats().Reconnects; n != 0 {
		t.Errorf("the connection was lost %d times", n)
	}
}

func manyHeaders(n int) nats.Header {
	h := nats.Header{}
	for i := range n {
		h[fmt.Sprint("K", i)] = []string{"v"}
	}
	return h
}

// raw takes a job, and the error that it is malformed by.
func (w *world) raw() (m jetstream.Msg, malformed error) {
	w.Helper()
	c, err := w.js.Consumer(w.Context(), w.queue.Stream, "run")
	w.must(err)
	m, err = c.Next(jetstream.FetchMaxWait(registrytest.Patience))
	w.must(err)
	_, err = protocol.ParseJob(m.Subject(), protocol.Header(m.Headers()), m.Data())
	w.Logf("%.20q: %d bytes of body, %d of headers: %v", m.Headers().Get(protocol.HeaderSourceSubject), len(m.Data()),
		protocol.Header(m.Headers()).Size(), err)
	return m, err
}

// A body that leaves no room for the headers of a job goes into a bucket.
func TestLargestBody(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	trigger := protocol.Trigger{Stream: "S"}
	f, _ := w.front(nil, trigger)
	w.ready(trigger)
	body := bytes.Repeat([]byte("x"), int(w.js.Conn().MaxPayload()))
	_, err := w.js.Publish(t.Context(), "s", body)
	w.must(err)
	j := w.next()
	if j.Request.Claim == nil {
		t.Fatalf("the job has no claim: %+v", j.Request.Header)
	}
	got, err := f.config.Bodies.Get(t.Context(), j.Request.Claim, 1<<30)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("the body has %d bytes, %v", len(got), err)
	}
}

// Events of CloudEvents have their attributes as headers; what is no event is refused.
func TestCloudEvents(t *testing.T) {
	w := start(t)
	w.stream(jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	trigger := protocol.Trigger{Stream: "S", Events: true}
	w.front(nil, trigger)
	w.ready(trigger)
	_, err := w.js.Publish(t.Context(), "s",
		[]byte(`{"specversion":"1.0","id":"7","source":"/shop","type":"sold","data":{"tea":1}}`))
	w.must(err)
	if j := w.next(); j.Request.Header.Get("ce-type") != "sold" || string(j.Request.Body) != `{"tea":1}` {
		t.Errorf("the job is %+v, body %s", j.Request.Header, j.Request.Body)
	}
	_, err = w.js.Publish(t.Context(), "s", []byte("tea"))
	w.must(err)
	m, malformed := w.raw()
	if protocol.CodeOf(malformed) != protocol.CodeBadRequest || !strings.Contains(malformed.Error(), "vent") ||
		string(m.Data()) != "tea" {
		t.Errorf("error %v, body %q", malformed, m.Data())
	}
}
