package invoker_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestFullQueuePrefersWhoCanBeAnswered fills a queue with calls whose callers wait for a second, behind one that
// takes three. A call with more time gets in before that second is over, in place of one that could not have been
// answered in time.
func TestFullQueuePrefersWhoCanBeAnswered(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s, func(v *invoker.Invoker) { v.Slots = 1 })
	nc := connect(t, s)
	const queue = 4
	deployProbe(t, nc, "one", protocol.Limits{Concurrency: 1, Queue: queue, Timeout: protocol.Duration(20 * time.Second)})
	long, short := subscribe(t, nc), subscribe(t, nc)
	publish := func(subject string, reply *nats.Subscription, timeout string) {
		t.Helper()
		m := &nats.Msg{Subject: subject, Reply: reply.Subject, Header: nats.Header{protocol.HeaderTimeout: {timeout}}}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	publish("fn.one.sleep.3000", long, "20s")
	eventually(t, "the first call's start", tick.C, func() bool { return inFlight(t, nc, "one") == 1 })
	for range queue {
		publish("fn.one.sleep.1", short, "1s")
	}
	eventually(t, "a full queue", tick.C, func() bool { return waiting(t, nc, "one") == queue })

	for refused := true; refused; { // until it is let in
		r, err := tryCall(nc, "fn.one.sleep.1", nil, "Fn-Timeout", "15s")
		if err != nil {
			t.Fatal(err)
		}
		if refused = r.Err != nil && r.Err.Code == protocol.CodeTooMany; !refused && string(r.Body) != "awake" {
			t.Errorf("the call that could be answered: %+v", r)
		}
	}
	var codes []string
	for range queue {
		m, err := short.NextMsg(patience)
		if err != nil {
			t.Fatalf("only %q answered", codes)
		}
		codes = append(codes, m.Header.Get(protocol.HeaderErrorCode))
	}
	if !slices.Contains(codes, "429") {
		t.Errorf("codes %q: no call gave way", codes)
	}
	if m, err := long.NextMsg(patience); err != nil || string(m.Data) != "awake" {
		t.Errorf("the first call: %v, %v", m, err)
	}
}

// subscribe subscribes to an inbox.
func subscribe(t *testing.T, nc *nats.Conn) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return sub
}

// waiting returns how many calls of a function wait.
func waiting(t *testing.T, nc *nats.Conn, name string) int {
	t.Helper()
	var d protocol.Stats
	if err := json.Unmarshal(statsOf(t, nc, name, 1)[0].Endpoints[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	return d.Waiting
}
