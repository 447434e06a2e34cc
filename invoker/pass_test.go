package invoker_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// step deploys a probe that takes messages of a subject and passes its replies on.
func step(t testing.TB, nc *nats.Conn, name, subject, to string, args ...string) protocol.DeployReply {
	t.Helper()
	limits := protocol.Limits{Timeout: protocol.Duration(patience), Input: 4 << 20, Output: 4 << 20, Queue: 1000}
	return deploy(t, nc, protocol.Function{Name: name, Args: args, Limits: limits,
		Triggers: []protocol.Trigger{{Subject: subject, To: to}}}, probe())
}

// listen subscribes to a subject, and the server knows.
func listen(t testing.TB, nc *nats.Conn, subject string) *nats.Subscription {
	t.Helper()
	sub, err := nc.SubscribeSync(subject)
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// next returns the next message of a subscription.
func next(t testing.TB, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(patience)
	if err != nil {
		t.Fatalf("%s: %v", sub.Subject, err)
	}
	return m
}

// wantPassed fails unless a message was passed on like that.
func wantPassed(t testing.TB, m *nats.Msg, subject, id, hops, body string) {
	t.Helper()
	if m.Subject != subject || m.Reply != "" || len(m.Header) != 2 || m.Header.Get(protocol.HeaderID) != id ||
		m.Header.Get(protocol.HeaderHops) != hops || string(m.Data) != body {
		t.Errorf("got %s %v %q (reply %q), want %s with id %s, %s hops and %q",
			m.Subject, m.Header, m.Data, m.Reply, subject, id, hops, body)
	}
}

func TestPassOn(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	if made := step(t, nc, "first", "orders.*.new", "mid.{1}.x"); len(made.Warnings) != 0 {
		t.Errorf("warnings %q", made.Warnings)
	}
	step(t, nc, "second", "mid.*.x", "done.{1}")
	mid, done := listen(t, nc, "mid.>"), listen(t, nc, "done.>")

	// The caller hears of its own step, and the id that the order has been given.
	r := call(t, nc, "orders.echo.new", []byte("tea"))
	if r.Err != nil || string(r.Body) != "tea" || r.ID == "" {
		t.Errorf("reply %+v", r)
	}
	wantPassed(t, next(t, mid), "mid.echo.x", r.ID, "1", "tea")
	wantPassed(t, next(t, done), "done.echo", r.ID, "2", "tea")

	// An id of the caller's travels on; other headers do not. Nobody need wait for a reply.
	m := &nats.Msg{Subject: "orders.echo.new", Data: []byte("milk"),
		Header: nats.Header{"fn-id": {"order-7"}, "Fn-Hops": {"4"}, "X": {"y"}}}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	wantPassed(t, next(t, mid), "mid.echo.x", "order-7", "5", "milk")
	wantPassed(t, next(t, done), "done.echo", "order-7", "6", "milk")

	// Neither failures nor dry runs are passed on, nor what was called by name.
	wantError(t, call(t, nc, "orders.trap.new", []byte("x")), 500, "trapped")
	if r := call(t, nc, "orders.echo.new", []byte("x"), protocol.HeaderDryRun, "1"); r.Err != nil {
		t.Error(r.Err)
	}
	if r := call(t, nc, "fn.first.echo", []byte("x")); r.Err != nil || r.ID != "" {
		t.Errorf("by name: %+v", r)
	}
	wantError(t, call(t, nc, "orders.echo.new", nil, protocol.HeaderHops, "many"), 400, "Fn-Hops")
	call(t, nc, "orders.echo.new", []byte("last"), protocol.HeaderID, "z")
	wantPassed(t, next(t, mid), "mid.echo.x", "z", "1", "last")
}

func TestPassLargeBodies(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	step(t, nc, "first", "orders.new", "mid", "drip", "1100000")
	step(t, nc, "second", "mid", "done")
	done := listen(t, nc, "done")
	r := call(t, nc, "orders.new", nil)
	if r.Err != nil || r.Claim == nil {
		t.Fatalf("reply %+v", r)
	}
	m := next(t, done)
	claim, err := protocol.ParseClaim(protocol.Header(m.Header))
	if err != nil || claim == nil || m.Header.Get(protocol.HeaderID) != r.ID || claim.Object == r.Claim.Object {
		t.Fatalf("passed on: %v, %v; the caller has %v", m.Header, err, r.Claim)
	}
	store, err := bodies.Existing(t.Context(), registrytest.JetStream(t, nc))
	if err != nil {
		t.Fatal(err)
	}
	if body, err := store.Get(t.Context(), claim, 4<<20); err != nil || len(body) != 1100000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestPassLoopEnds(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	made := deploy(t, nc, protocol.Function{Name: "ring", AllowLoop: true, Limits: protocol.Limits{
		Timeout: protocol.Duration(patience)}, Triggers: []protocol.Trigger{{Subject: "ring.*", To: "ring.{1}"}}}, probe())
	const loop = "ring.* passes on to ring.{1}, which calls ring again by ring.*: a loop"
	if len(made.Warnings) != 1 || !strings.Contains(made.Warnings[0], loop) {
		t.Errorf("warnings %q", made.Warnings)
	}
	ring, lines := listen(t, nc, "ring.>"), listen(t, nc, "log.ring")
	r := call(t, nc, "ring.echo", []byte("tea"), protocol.HeaderID, "round")
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	next(t, ring) // what this test has sent
	for hop := range protocol.MaxHops {
		wantPassed(t, next(t, ring), "ring.echo", "round", fmt.Sprint(hop+1), "tea")
	}
	line := next(t, lines)
	const want = "reply not passed on: it has been passed on 16 times"
	if !strings.Contains(string(line.Data), want) || line.Header.Get(protocol.HeaderID) != "round" {
		t.Errorf("line %v %q, want %q", line.Header, line.Data, want)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the last call", tick.C, func() bool {
		return statsOf(t, nc, "ring", 1)[0].Endpoints[1].NumRequests == protocol.MaxHops+1 &&
			strings.Contains(v.log.String(), "reply not passed on")
	})
	if log := v.log.String(); strings.Count(log, "reply not passed on") != 1 || !strings.Contains(log, "level=ERROR") {
		t.Errorf("log\n%s", log)
	}
}

// TestDrainPipeline ends an invoker while its functions have work in hand for one another, which it passes on by the
// connection that it takes messages from, and by another.
func TestDrainPipeline(t *testing.T) {
	t.Run("one connection", func(t *testing.T) { drainPipeline(t, startServer(t)) })
	t.Run("two connections", func(t *testing.T) {
		s := startServer(t)
		own := connect(t, s)
		drainPipeline(t, s, func(v *invoker.Invoker) { v.JetStream = registrytest.JetStream(t, own) })
	})
}

func drainPipeline(t *testing.T, s *server.Server, change ...func(*invoker.Invoker)) {
	v := startInvoker(t, s, change...)
	nc := connect(t, s)
	step(t, nc, "c", "two", "done", "sleep", "1")
	step(t, nc, "a", "new", "one", "sleep", "30")
	step(t, nc, "b", "one", "two", "sleep", "10")
	step(t, nc, "x", "there", "back")
	step(t, nc, "y", "back", "there") // a circle must not keep the invoker from ending
	done := listen(t, nc, "done")
	const n = 200
	for i := range n {
		m := &nats.Msg{Subject: "new", Header: nats.Header{protocol.HeaderID: {fmt.Sprint(i)}}}
		if err := nc.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	v.end(t)
	if err := nc.Flush(); err != nil { // what the invoker has flushed is here now
		t.Fatal(err)
	}
	got := map[string]int{}
	for range n {
		m, err := done.NextMsg(patience)
		if err != nil {
			t.Fatalf("%d of %d came out: %v\n%s", len(got), n, err, v.log)
		}
		got[m.Header.Get(protocol.HeaderID)]++
	}
	if left, _, err := done.Pending(); len(got) != n || left != 0 || err != nil {
		t.Errorf("%d different ones came out, and %d more (%v)", len(got), left, err)
	}
}
