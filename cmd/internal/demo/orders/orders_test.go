package orders

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// limit is how long a test waits for what must happen.
const limit = 30 * time.Second

// start starts NATS and an invoker, and returns a connection to them and the server.
func start(t *testing.T) (*connect.Session, *invokertest.Server) {
	t.Helper()
	server := invokertest.Start(t)
	s, err := connect.To(&connect.Settings{Server: server.URL, Timeout: limit}, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, server
}

// next returns the next message of a subscription.
func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(limit)
	if err != nil {
		t.Fatalf("%s: %v", sub.Subject, err)
	}
	return m
}

// TestOrder sends orders in on orders.new, as any client of NATS does, and looks at what comes out on orders.done.
func TestOrder(t *testing.T) {
	s, server := start(t)
	var said []string
	if err := Deploy(t.Context(), s, func(what string) { said = append(said, what) }); err != nil {
		t.Fatal(err)
	}
	if len(said) != 5 || said[0] != "deploying orders-validate (AssemblyScript): orders.new -> orders.valid" {
		t.Errorf("said %q", said)
	}
	all, err := s.SubscribeSync("orders.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := flush(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	subjects := []string{"orders.new", "orders.valid", "orders.priced", "orders.taxed", "orders.packed", "orders.done"}
	for i, o := range samples.OrderExamples() {
		order := &nats.Msg{Subject: samples.OrdersIn, Data: fmt.Appendf(nil, o.Request, "A-7"),
			Header: nats.Header{protocol.HeaderID: {id(i)}}}
		if err := s.PublishMsg(order); err != nil {
			t.Fatal(err)
		}
		var m *nats.Msg
		for hop, subject := range subjects {
			m = next(t, all)
			hops := m.Header.Get(protocol.HeaderHops)
			if m.Subject != subject || m.Header.Get(protocol.HeaderID) != id(i) || hop > 0 && hops != fmt.Sprint(hop) {
				t.Errorf("order %d: message %d on %s: %v", i, hop, m.Subject, m.Header)
			}
		}
		if want := fmt.Sprintf(o.Receipt, "A-7"); string(m.Data) != want {
			t.Errorf("got %s, want %s", m.Data, want)
		}
	}

	// A bad order stops at the first function: to whoever asks it says why, and otherwise the log does.
	m, err := s.Request(samples.OrdersIn, []byte(`{"order":"A-8","item":"tea"}`), limit)
	if err != nil || m.Header.Get(protocol.HeaderExit) != "65" || m.Header.Get(protocol.HeaderErrorCode) != "400" ||
		string(m.Data) != "bad order: order, item, count and country are needed\n" {
		t.Errorf("%v %v", m, err)
	}
	if err := s.Publish(samples.OrdersIn, []byte(`{"order":"A-9"}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(samples.OrdersIn, fmt.Appendf(nil, samples.OrderExamples()[0].Request, "last")); err != nil {
		t.Fatal(err)
	}
	for _, subject := range append([]string{"orders.new", "orders.new"}, subjects...) {
		if m := next(t, all); m.Subject != subject {
			t.Errorf("%s %s, want a message on %s", m.Subject, m.Data, subject)
		}
	}
	for _, want := range []string{
		"message without reply subject failed", "function=orders-validate", "code=400", "exit code 65",
	} {
		if !strings.Contains(server.Logged(), want) {
			t.Errorf("the log has no %s", want)
		}
	}
}

func TestRun(t *testing.T) {
	s, _ := start(t)
	if err := Deploy(t.Context(), s, func(string) {}); err != nil {
		t.Fatal(err)
	}
	var shown []Result
	load := Load{Rate: 50, For: 1500 * time.Millisecond}
	r, err := Run(t.Context(), s, load, func(r Result) { shown = append(shown, r) })
	if err != nil {
		t.Fatal(err)
	}
	if !r.Right() || r.Sent != 75 || r.Receipts != 75 || r.P50 <= 0 || r.P99 < r.P50 || r.Elapsed < time.Second {
		t.Errorf("%+v", r)
	}
	if len(r.Functions) != 5 || len(shown) == 0 || len(shown[0].Functions) != 5 {
		t.Fatalf("%+v, and before it %+v", r, shown)
	}
	for _, f := range r.Functions {
		if f.Calls != 75 || f.Errors != 0 || f.Dropped != 0 || f.P50 <= 0 || f.P99 < f.P50 || f.PerSecond <= 0 ||
			f.Language == "" || f.Start == "" {
			t.Errorf("%+v", f)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, s, Load{}, func(Result) {}); err == nil {
		t.Error("a run that was cancelled has no error")
	}
}

func TestRunWithoutFunctions(t *testing.T) {
	s, _ := start(t)
	if _, err := Run(t.Context(), s, Load{}, func(Result) {}); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestBook(t *testing.T) {
	b := newBook(Load{Rate: 1})
	at := func(ms int) time.Time { return b.begin.Add(time.Duration(ms) * time.Millisecond) }
	if b.result().Right() {
		t.Error("no orders are right")
	}
	for n := range 4 {
		b.sending(at(n))
	}
	receipt := func(n int) []byte { return fmt.Appendf(nil, b.examples[n].Receipt, id(n)) }
	b.receipt("A-0", receipt(0), at(10))
	b.receipt("A-2", receipt(2), at(22))
	b.receipt("A-2", receipt(2), at(23))
	b.receipt("A-3", receipt(2), at(24))
	for _, id := range []string{"", "A-", "A-x", "A--1", "A-4", "A-99999999999999999999", "B-1"} {
		b.receipt(id, nil, at(25))
	}
	want := Result{Rate: 1, Elapsed: 25 * time.Millisecond, Sent: 4, Receipts: 2, Lost: 2, Twice: 1, Wrong: 8,
		P50: 20 * time.Millisecond, P99: 20 * time.Millisecond}
	if got := b.result(); fmt.Sprint(got) != fmt.Sprint(want) || got.Right() {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if b.settled(at(26)) || !b.settled(at(26).Add(patience)) {
		t.Error("what is missing is lost at the wrong time")
	}
	b.receipt("A-1", receipt(1), at(30))
	b.receipt("A-3", receipt(3), at(30))
	if !b.settled(at(31)) {
		t.Error("nothing is missing")
	}
}

func TestCountDropped(t *testing.T) {
	all := []Figures{{Calls: 90, Errors: 10}, {Calls: 80}, {Calls: 85}, {Calls: 80, Errors: 80}, {}}
	countDropped(all, 100)
	for i, want := range []int{10, 0, 0, 5, 0} {
		if all[i].Dropped != want {
			t.Errorf("function %d: %d dropped, want %d", i, all[i].Dropped, want)
		}
	}
}

func TestRead(t *testing.T) {
	for _, answer := range []string{"", "[]", "{}", `{"endpoints":[{}]}`, `{"endpoints":[{},{"data":7}]}`} {
		if f, err := read(samples.Orders()[0], []byte(answer)); err == nil {
			t.Errorf("%s is read as %+v", answer, f)
		}
	}
}

func TestScreen(t *testing.T) {
	r := Result{Sent: 2, Receipts: 1, Lost: 1, Elapsed: 1500 * time.Millisecond, P50: 1234567, P99: 81 * time.Second / 40,
		Functions: []Figures{{Function: "orders-validate", Language: "AssemblyScript", PerSecond: 99.6, InFlight: 2,
			P50: 1234, P99: 987654, Errors: 1,
			LastError: "429:" + strings.Repeat("x", 100), Dropped: 3}}}
	const table = `FUNCTION         LANGUAGE        CALLS/S  IN FLIGHT     P50    P99  ERRORS
orders-validate  AssemblyScript      100          2  1.23µs  988µs       1
orders-validate failed last with 429:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
orders-validate: NATS dropped 3 messages on the way to it
2 orders in 1.5 s: 1 receipt, 1 missing, 0 twice, 0 wrong
from order to receipt: p50 1.23ms, p99 2.03s
`
	var out bytes.Buffer
	s := Screen{W: &out}
	s.Show(r)
	s.Show(r)
	if want := table + "\x1b[6A\x1b[J" + table; out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
