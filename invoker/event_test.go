package invoker_test

import (
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

// TestEvents sends CloudEvents through a function whose trigger takes them: it sees attributes as headers, and the data
// as its body, and what it passes on is an event.
func TestEvents(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	trigger := protocol.Trigger{Subject: "in.*", To: "out.{1}", Events: true}
	deploy(t, nc, protocol.Function{Name: "f", Triggers: []protocol.Trigger{trigger}}, probe())
	deploy(t, nc, protocol.Function{Name: "cat", Args: []string{"cat", "/request/headers/ce-subject"},
		Triggers: []protocol.Trigger{{Subject: "cat", Events: true}}}, probe())
	out := listen(t, nc, "out.>")

	const structured = `{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":"a\u20acb","data":{"x": 1}}`
	r := call(t, nc, "in.echo", []byte(structured), "Content-Type", "application/cloudevents+json", protocol.HeaderID, "7 %")
	if r.Err != nil || string(r.Body) != `{"x": 1}` {
		t.Errorf("reply %+v", r)
	}
	m := next(t, out)
	e, err := cloudevents.Parse(protocol.Header(m.Header), m.Data)
	if err != nil || e.Attributes[cloudevents.ID] != "7 %" || e.Attributes[cloudevents.Source] != "/polyvoke/f" ||
		e.Attributes[cloudevents.Type] != "f.reply" || string(e.Data) != `{"x": 1}` ||
		m.Header.Get(protocol.HeaderHops) != "1" {
		t.Errorf("passed on: %v %q, %v", m.Header, m.Data, err)
	}
	if r := call(t, nc, "cat", []byte(structured)); string(r.Body) != "a€b" {
		t.Errorf("its subject is %q, %v", r.Body, r.Err)
	}
	binary := []string{"CE-SpecVersion", "1.0", "ce-id", "1", "ce-source", "/s", "ce-type", "t", "ce-subject", "a%20b"}
	if r := call(t, nc, "cat", nil, binary...); string(r.Body) != "a b" {
		t.Errorf("its subject is %q, %v", r.Body, r.Err)
	}

	// A message that is none is refused; one of another subject is as it was, unless its sender says what it is.
	wantError(t, call(t, nc, "in.echo", []byte("x")), 400, "no CloudEvent")
	if r := call(t, nc, "fn.f.echo", []byte(structured)); string(r.Body) != structured {
		t.Errorf("by name: %q, %v", r.Body, r.Err)
	}
	if r := call(t, nc, "fn.f.echo", []byte(structured), protocol.HeaderEvent, "1"); string(r.Body) != `{"x": 1}` {
		t.Errorf("by name, as an event: %q, %v", r.Body, r.Err)
	}
	if err := nc.PublishMsg(&nats.Msg{Subject: "out.end"}); err != nil {
		t.Fatal(err)
	}
	if m := next(t, out); m.Subject != "out.end" {
		t.Errorf("%s was passed on, too", m.Subject)
	}
}
