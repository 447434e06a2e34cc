package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// gated is a shelf that takes a module called slow only when the gate opens.
type gated struct {
	shelf
	begun chan struct{} // gets a token when slow has come
	gate  chan struct{}
}

func (h *gated) Try(ctx context.Context, f *protocol.Function, module []byte, edit bool) (release func(), err error) {
	if f.Name == "slow" {
		h.begun <- struct{}{}
		select {
		case <-h.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return h.shelf.Try(ctx, f, module, edit)
}

// pong pings the invoker of an id, or any, for the request of another.
func pong(t *testing.T, nc *nats.Conn, invoker, request string) protocol.Pong {
	t.Helper()
	m := &nats.Msg{Subject: protocol.APIPing.Subject(), Header: nats.Header{protocol.HeaderID: {request}}}
	if invoker != "" {
		m.Subject = protocol.APIPing.At(invoker)
	}
	answer, err := nc.RequestMsg(m, patience)
	var p protocol.Pong
	if err == nil {
		err = json.Unmarshal(answer.Data, &p)
	}
	if err != nil || p.ID == "" || p.PID == 0 {
		t.Fatalf("ping of %q: %+v, %v", invoker, p, err)
	}
	return p
}

// send sends a deployment to one invoker and returns where its answer comes.
func send(t *testing.T, nc *nats.Conn, invoker, name, id string, more ...string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	header := manifest(`{"name":"`+name+`"}`, append(more, protocol.HeaderID, id)...)
	m := &nats.Msg{Subject: protocol.APIDeploy.At(invoker), Reply: sub.Subject, Header: header, Data: []byte("wasm")}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	return sub
}

// answer waits for an answer.
func answer(t *testing.T, sub *nats.Subscription) protocol.DeployReply {
	t.Helper()
	var d protocol.DeployReply
	m, err := sub.NextMsg(patience)
	if err == nil {
		err = json.Unmarshal(m.Data, &d)
	}
	if err != nil {
		t.Fatalf("%v %v", m, err)
	}
	return d
}

// A request that is sent twice runs once, is answered twice, while it runs and afterwards, and delays nothing else.
func TestAskedTwice(t *testing.T) {
	h := &gated{begun: make(chan struct{}, 2), gate: make(chan struct{})}
	nc := serve(t, h)
	me := pong(t, nc, "", "").ID
	first := send(t, nc, me, "slow", "7")
	<-h.begun
	if !pong(t, nc, me, "7").Busy || pong(t, nc, me, "8").Busy {
		t.Error("it is not busy with what it does, or with what nobody asked for")
	}
	second := send(t, nc, me, "slow", "7")
	if other := answer(t, send(t, nc, me, "quick", "8")); !other.Created {
		t.Errorf("beside it: %+v", other)
	}
	close(h.gate)
	third := func() *nats.Subscription { answer(t, first); return send(t, nc, me, "slow", "7") }
	for _, sub := range []*nats.Subscription{second, third()} {
		if d := answer(t, sub); !d.Created || d.Function.Version != 1 {
			t.Errorf("the same request again: %+v", d)
		}
	}
	if len(h.begun) != 0 || pong(t, nc, me, "7").Busy {
		t.Error("it ran twice, or still does")
	}
	if d := answer(t, send(t, nc, me, "quick", "9")); d.Created {
		t.Errorf("another request for the same: %+v", d)
	}
}

// A request that was given up, or whose time is over, changes nothing.
func TestGivenUp(t *testing.T) {
	h := &gated{begun: make(chan struct{}, 2), gate: make(chan struct{})}
	nc := serve(t, h)
	me := pong(t, nc, "", "").ID
	for id, more := range map[string][]string{"cancelled": nil, "late": {protocol.HeaderTimeout, "50ms"}} {
		sub := send(t, nc, me, "slow", id, more...)
		<-h.begun
		if more == nil {
			cancel := &nats.Msg{Subject: protocol.APICancel.At(me), Header: nats.Header{protocol.HeaderID: {id}}}
			if err := nc.PublishMsg(cancel); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := sub.NextMsg(patience); err != nil || m.Header.Get(protocol.HeaderErrorCode) == "" {
			t.Errorf("%s: %v, %v", id, m, err)
		}
	}
	close(h.gate)
	var list protocol.ListReply
	if err := ask(nc, protocol.APIList, nil, "", &list); err != nil || len(list.Functions) != 0 {
		t.Errorf("what was given up is there: %+v, %v", list, err)
	}
}

// An invoker confirms what it serves, and says what it cannot.
func TestConfirm(t *testing.T) {
	nc := serve(t, &gated{})
	me := pong(t, nc, "", "").ID
	confirm := func(name string) (c protocol.Confirmation) {
		t.Helper()
		b, err := json.Marshal(protocol.ConfirmRequest{Name: name, Version: 1})
		if err != nil {
			t.Fatal(err)
		}
		m, err := nc.RequestMsg(&nats.Msg{Subject: protocol.APIConfirm.At(me), Data: b,
			Header: nats.Header{protocol.HeaderTimeout: {"30s"}}}, patience)
		if err == nil {
			err = json.Unmarshal(m.Data, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := confirm("greet"); c.Error != "" {
		t.Errorf("what is served: %+v", c)
	}
	if c := confirm("late"); !strings.Contains(c.Error, "late@1 comes later") {
		t.Errorf("what is not: %+v", c)
	}
	if _, err := nc.Request(protocol.APIConfirm.At("nobody"), nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("an invoker that is not there: %v", err)
	}
}

// An invoker says that it is there, and bears what is no sign of life.
func TestAlive(t *testing.T) {
	nc := serve(t, &gated{})
	heard := make(chan protocol.Member, 100)
	sub, err := nc.Subscribe(protocol.APIAlive.Subject(), func(m *nats.Msg) {
		var who protocol.Member
		if json.Unmarshal(m.Data, &who) == nil {
			heard <- who
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	for _, hostile := range []string{
		"", "{}", `{"id":"a.b"}`, `{"id":">"}`, `{"id":"` + strings.Repeat("x", 10_000) + `"}`, `[]`,
	} {
		if err := nc.Publish(protocol.APIAlive.Subject(), []byte(hostile)); err != nil {
			t.Fatal(err)
		}
	}
	for who := range heard {
		if who.PID != 0 && !who.Gone {
			break
		}
	}
	var d protocol.DeployReply
	if err := ask(nc, protocol.APIDeploy, manifest(`{"name":"greet"}`), "wasm", &d); err != nil || len(d.Warnings) > 0 {
		t.Errorf("after nonsense: %+v", d)
	}
}
