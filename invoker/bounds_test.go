package invoker_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// wire is a client that says whatever it likes, as nats.go does not.
type wire struct {
	net.Conn
	lines *bufio.Scanner
}

// dial opens a wire.
func dial(t testing.TB, s *server.Server) *wire {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * patience)); err != nil {
		t.Fatal(err)
	}
	return newWire(c)
}

// newWire begins to speak on a connection to a server.
func newWire(c net.Conn) *wire {
	w := &wire{c, bufio.NewScanner(c)}
	w.lines.Buffer(nil, 1<<20)
	fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"headers\":true}\r\n")
	return w
}

// say publishes a message, and reports whether the server has taken it.
func (w *wire) say(subject, reply, header, body string) bool {
	if header != "" {
		header = "NATS/1.0\r\n" + header + "\r\n\r\n"
		fmt.Fprintf(w, "HPUB %s %s %d %d\r\n%s%s\r\nPING\r\n", subject, reply, len(header), len(header)+len(body),
			header, body)
	} else {
		fmt.Fprintf(w, "PUB %s %s %d\r\n%s\r\nPING\r\n", subject, reply, len(body), body)
	}
	for w.lines.Scan() {
		switch line := w.lines.Text(); {
		case line == "PONG":
			return true
		case strings.HasPrefix(line, "-ERR"):
			return false
		}
	}
	return false
}

// unharmed fails unless the invoker has the connection that it had, and serves a function.
func (s *service) unharmed(t testing.TB, nc *nats.Conn, name string, id uint64) {
	t.Helper()
	if r, err := tryCall(nc, "fn."+name, []byte("ping")); err != nil || r.Err != nil || string(r.Body) != "ping" {
		t.Fatalf("%s answers no more: %v, %v\n%s", name, r.Err, err, s.log)
	}
	if now, err := s.nc.GetClientID(); err != nil || now != id {
		t.Fatalf("the invoker's connection was %d and is %d, %v\n%s", id, now, err, s.log)
	}
}

// clientID returns the number of the invoker's connection.
func (s *service) clientID(t testing.TB) uint64 {
	t.Helper()
	id, err := s.nc.GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Reply subjects as long as a server takes them reach the invoker by every way that it answers on, and cost nobody else
// anything. The server's limit is the default, and less.
func TestLongReplySubjects(t *testing.T) {
	for _, line := range []int{protocol.DefaultLine, 1500} {
		t.Run(fmt.Sprint(line), func(t *testing.T) {
			s := startServer(t, func(o *server.Options) { o.MaxControlLine = int32(line) })
			v := startInvoker(t, s)
			nc := connect(t, s)
			deployProbe(t, nc, "f", protocol.Limits{})
			deploy(t, nc, protocol.Function{Name: "g", Triggers: []protocol.Trigger{{Subject: "t.>", To: "x.{1}"}}},
				probe())
			id := v.clientID(t)
			w := dial(t, s)
			taken := 0
			for _, subject := range []string{"fn.f", "fn.g", "fn.f.exit.1", "fn.f@9", "t.a", "$SRV.PING",
				"$SRV.STATS.f", "$SRV.INFO.polyvoke", "polyvoke.api.list", "polyvoke.api.no"} {
				for n := line - len(subject) - 40; n <= line-len(subject)-3; n++ {
					if w.say(subject, strings.Repeat("r", n), "", "x") {
						taken++
					}
					if n%10 == 0 && w.say(subject, strings.Repeat("r", n-20), "Fn-Id: 7\r\nFn-Report: 1", "x") {
						taken++
					}
				}
			}
			if taken < 300 {
				t.Errorf("the server took only %d of the messages", taken)
			}
			v.unharmed(t, nc, "f", id)
			if log := v.log.String(); !strings.Contains(log, "call refused, and not answered") || !strings.Contains(log, "id=") {
				t.Errorf("nothing of it is in the log: %s", log)
			}
		})
	}
}

// What a trigger's subject is made to pass on to has the server's limit too, however often a wildcard stands in it.
func TestLongDestinations(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "good", protocol.Limits{})
	deploy(t, nc, protocol.Function{Name: "f",
		Triggers: []protocol.Trigger{{Subject: "t.*.*.*", To: "to" + strings.Repeat(".{3}", 100)}}}, probe())
	id := v.clientID(t)
	passed, err := nc.SubscribeSync("to.>")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{39, 40, 41, 100, 4000} {
		m, err := nc.Request("t.lines.1."+strings.Repeat("x", n), nil, patience)
		if err != nil || m.Header.Get(protocol.HeaderError) != "" {
			t.Fatalf("a token of %d bytes: %v, %v", n, m, err)
		}
		v.unharmed(t, nc, "good", id)
		if _, err := passed.NextMsg(time.Millisecond); (err == nil) != (n == 39) {
			t.Errorf("a token of %d bytes: it was passed on: %t", n, err == nil)
		}
	}
	if !strings.Contains(v.log.String(), "reply not passed on") {
		t.Errorf("nothing of it is in the log: %s", v.log)
	}
}

// A caller chooses where its answer goes, but nothing of polyvoke's or of the server's: the invoker may publish there,
// and the caller may not.
func TestNobodysDeputy(t *testing.T) {
	s := startServer(t)
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "victim", protocol.Limits{})
	deploy(t, nc, protocol.Function{Name: "echo", Triggers: []protocol.Trigger{{Subject: "t.>"}}}, probe())
	body, _ := json.Marshal(protocol.NameRequest{Name: "victim"})
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, reply := range []string{"polyvoke.api.remove", "polyvoke.api.deploy", "polyvoke.event.x", "polyvoke",
		"fn.victim", "fn.victim.exit.1", "fn", "job.victim", "dead.victim", "log.victim",
		"later.x", "due.victim.1", "ws.g.1", "$KV.fn_functions.victim", "$KV.fn_functions.new", "$O.fn_modules.M.eA==",
		"$JS.API.STREAM.DELETE.KV_fn_functions", "$JS.API.STREAM.PURGE.OBJ_fn_modules",
		"$SRV.PING", "$SRV.PING.victim", "$X"} {
		heard, err := nc.SubscribeSync(reply)
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"fn.echo", "fn.echo.a", "fn.echo@1", "t.a", "fn.echo.exit.1",
			"$SRV.PING.victim", "$SRV.INFO.victim", "$SRV.STATS", "$SRV.PING.polyvoke", "polyvoke.api.info",
			"polyvoke.api.list"} {
			if subject == reply || subject == "$SRV.PING" {
				continue
			}
			if err := nc.PublishMsg(&nats.Msg{Subject: subject, Reply: reply, Data: body,
				Header: nats.Header{protocol.HeaderID: {"the-id"}}}); err != nil {
				t.Fatal(err)
			}
		}
		// What comes behind on the same ways has been answered, so those before have been dealt with.
		call(t, nc, "fn.echo", nil)
		gather[json.RawMessage](t, nc, "$SRV.STATS", 3)
		for _, verb := range []protocol.APIVerb{protocol.APIInfo, protocol.APIList} {
			if _, err := control[json.RawMessage](nc, &nats.Msg{Subject: verb.Subject(), Data: body}); err != nil {
				t.Fatal(err)
			}
		}
		for {
			m, err := heard.NextMsg(time.Millisecond)
			if errors.Is(err, nats.ErrTimeout) {
				break
			}
			if err != nil || m.Reply == "" && m.Header.Get(protocol.HeaderID) == "" {
				t.Errorf("on %s came %.100q, %v", reply, m.Data, err)
			}
		}
		_ = heard.Unsubscribe()
	}
	for _, stream := range []string{"KV_fn_functions", "OBJ_fn_modules"} {
		if _, err := js.Stream(t.Context(), stream); err != nil {
			t.Errorf("%s: %v", stream, err)
		}
	}
	v.unharmed(t, nc, "victim", v.clientID(t))
	if log := v.log.String(); !strings.Contains(log, "id=the-id") || !strings.Contains(log, "polyvoke.api.remove") {
		t.Errorf("the log does not say what was refused: %s", log)
	}
	for _, good := range []string{nc.NewInbox(), "_mine.x.1", "mine.answers", "fnord"} {
		sub, err := nc.SubscribeSync(good)
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest("fn.echo", good, []byte("hi")); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(patience); err != nil || string(m.Data) != "hi" {
			t.Errorf("%s: %v, %v", good, m, err)
		}
	}
}

// A refusal behind quick calls holds none of their answers back.
func TestRefusalHoldsNothingBack(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "f", protocol.Limits{})
	call(t, nc, "fn.f", nil) // from now on it is quick
	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 50 {
		const calls = 5
		for range calls {
			if err := nc.PublishRequest("fn.f", inbox, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(nc.PublishRequest("fn.f", "polyvoke.api.list", nil), nc.Flush()); err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			if _, err := answers.NextMsg(patience); err != nil {
				t.Fatalf("round %d: %d answers of %d, then %v", round, i, calls, err)
			}
		}
	}
}

// A record that an earlier version, or somebody else, has stored and that is over a bound is not served, is named, and
// can be removed. All others serve.
func TestStoredOverBounds(t *testing.T) {
	long := strings.Repeat("x", 4090)
	for _, line := range []int{protocol.DefaultLine, 600} {
		s := startServer(t, func(o *server.Options) { o.MaxControlLine = int32(line) })
		nc := connect(t, s)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		r, err := registry.Open(t.Context(), js, registry.Config{})
		if err != nil {
			t.Fatal(err)
		}
		entry, _, err := r.Put(t.Context(), protocol.Function{Name: "good"}, probe())
		if err != nil {
			t.Fatal(err)
		}
		kv, err := js.KeyValue(t.Context(), registry.BucketFunctions)
		if err != nil {
			t.Fatal(err)
		}
		var bad []string
		for i, hostile := range []protocol.Trigger{{Subject: long}, {Subject: "a", Queue: long},
			{Subject: "a.*", To: "b." + long}, {Subject: "a", Queue: "fn-good"}, {Subject: "polyvoke.api.*"},
			{Subject: "a", To: "$JS.API.STREAM.DELETE.x"}, {Subject: "_INBOX.>"}, {Subject: long[:700]}} {
			if line == protocol.DefaultLine && len(hostile.Subject) == 700 {
				continue // it fits
			}
			f := *entry.Latest()
			f.Name, f.Triggers = fmt.Sprint("bad", i), []protocol.Trigger{hostile}
			record, _ := json.Marshal(registry.Entry{Name: f.Name, Versions: []protocol.Function{f}})
			if _, err := kv.Put(t.Context(), f.Name, record); err != nil {
				t.Fatal(err)
			}
			bad = append(bad, f.Name)
		}
		log := &logBuffer{}
		if r, err = registry.Open(t.Context(), js,
			registry.Config{Log: slog.New(slog.NewTextHandler(log, nil))}); err != nil {
			t.Fatal(err)
		}
		v := startInvoker(t, s, func(v *invoker.Invoker) { v.Registry = r })
		id := v.clientID(t)
		v.unharmed(t, nc, "good", id)
		said := v.log.String() + log.String()
		for _, name := range bad {
			if _, err := nc.Request("fn."+name, nil, patience); !noResponders(err) {
				t.Errorf("%s: %v, want no responders", name, err)
			}
			if !strings.Contains(said, name) {
				t.Errorf("%s is not in the log: %s", name, said)
			}
			ask, _ := json.Marshal(protocol.NameRequest{Name: name})
			info := &nats.Msg{Subject: protocol.APIInfo.Subject(), Data: ask}
			if _, err := control[protocol.InfoReply](nc, info); err != nil && !strings.Contains(err.Error(), name) {
				t.Errorf("info %s: %v", name, err)
			}
			remove := &nats.Msg{Subject: protocol.APIRemove.Subject(), Data: ask}
			if _, err := control[protocol.RemoveReply](nc, remove); err != nil {
				t.Errorf("remove %s: %v", name, err)
			}
			deploy(t, nc, protocol.Function{Name: name}, probe())
			v.unharmed(t, nc, name, id)
		}
		v.end(t)
	}
}

// A manifest that does not fit the server's lines is refused before it is stored.
func TestDeployOverTheServersLine(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.MaxControlLine = 600 })
	v := startInvoker(t, s)
	nc := connect(t, s)
	deployProbe(t, nc, "good", protocol.Limits{})
	for n, code := range map[int]int{500: 0, 580: protocol.CodeRefused, 1000: protocol.CodeRefused} {
		subject := strings.Repeat("x", n)
		_, err := tryDeploy(nc, protocol.Function{Name: "f", Triggers: []protocol.Trigger{{Subject: subject}}}, probe())
		if protocol.CodeOf(err) != code {
			t.Errorf("%d bytes: %v, want code %d", len(subject), err, code)
		}
	}
	v.unharmed(t, nc, "good", v.clientID(t))
}

// An answer reaches its caller however small messages must be.
func TestRepliesFitThePayload(t *testing.T) {
	for _, payload := range []int32{150, 300, 600, 1024, 4096} {
		t.Run(fmt.Sprint(payload), func(t *testing.T) {
			s := startServer(t, func(o *server.Options) { o.MaxPayload, o.JetStream = payload, false })
			functions := new(registry.Memory)
			if _, _, err := functions.Put(t.Context(), protocol.Function{Name: "f"}, probe()); err != nil {
				t.Fatal(err)
			}
			startInvoker(t, s, func(v *invoker.Invoker) { v.Registry = functions })
			nc := connect(t, s)
			for _, c := range []struct {
				subject string
				header  []string
				code    int
			}{
				{"fn.f", nil, 0},
				{"fn.f.lines.5000", nil, 502},
				{"fn.f.drip.5000", nil, 502},
				{"fn.f.drip.5000", []string{"Fn-Report", "1"}, 502},
				{"fn.f.trap", []string{"Fn-Report", "1"}, 500},
				{"fn.f.exit.65", []string{"Fn-Id", strings.Repeat("i", min(protocol.MaxID, int(payload)-40))}, 400},
				{"fn.f@9.a", []string{"Fn-Timeout", "never " + strings.Repeat("x", int(payload)-60)}, 0},
				{"fn.f", []string{"Fn-Timeout", "never " + strings.Repeat("x", int(payload)-60)}, 400},
			} {
				r, err := tryCall(nc, c.subject, nil, c.header...)
				switch {
				case noResponders(err) && strings.Contains(c.subject, "@9"):
				case err != nil || c.code == 0 && r.Err != nil || c.code != 0 && (r.Err == nil || r.Err.Code != c.code):
					t.Errorf("%s %.50q: %v, %v, want code %d", c.subject, c.header, r.Err, err, c.code)
				}
			}
		})
	}
}

// Serve ends with an error when its connection is closed for good, so that a supervisor can begin anew.
func TestClosedConnection(t *testing.T) {
	for name, shut := range map[string]func(*testing.T, *service){
		"closed": func(_ *testing.T, v *service) { v.nc.Close() },
		"cut for a line": func(t *testing.T, v *service) {
			if err := v.nc.Publish(strings.Repeat("x", 5000), nil); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			nc := connect(t, s)
			v := serveOn(t, connect(t, s, nats.NoReconnect()))
			deployProbe(t, nc, "f", protocol.Limits{Timeout: protocol.Duration(time.Minute)})
			if err := nc.PublishRequest("fn.f.loop", nc.NewInbox(), nil); err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			eventually(t, "the call's start", tick.C, func() bool { return inFlight(t, nc, "f") == 1 })
			shut(t, v)
			if err := v.Wait(); !errors.Is(err, nats.ErrConnectionClosed) {
				t.Errorf("Serve returned %v\n%s", err, v.log)
			}
		})
	}
}

// denying lets the invoker's user do all but what is named.
func denying(publish, subscribe []string) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "p"}, {Username: "worker", Password: "p",
			Permissions: &server.Permissions{
				Publish: &server.SubjectPermission{Deny: publish}, Subscribe: &server.SubjectPermission{Deny: subscribe}}}}
	}
}

// A deployment whose subscriptions NATS denies is an error that names the subject, and not a function that no call
// reaches.
func TestDeniedSubscription(t *testing.T) {
	s := startServer(t, denying(nil, []string{"orders.>", "fn.secret", "mail.> mine"}))
	v := serveOn(t, connect(t, s, nats.UserInfo("worker", "p")))
	nc := connect(t, s, nats.UserInfo("admin", "p"))
	deployProbe(t, nc, "good", protocol.Limits{})
	for i, c := range []struct {
		f       protocol.Function
		subject string
	}{
		{protocol.Function{Name: "secret"}, "fn.secret"},
		{protocol.Function{Name: "a", Triggers: []protocol.Trigger{{Subject: "orders.new"}}}, "orders.new"},
		{protocol.Function{Name: "good", Triggers: []protocol.Trigger{{Subject: "fine"}, {Subject: "orders.*.x"}}},
			"orders.*.x"},
	} {
		for range 2 { // a second attempt is told so too
			began := time.Now()
			_, err := tryDeploy(nc, c.f, probe())
			if protocol.CodeOf(err) != protocol.CodeForbidden || !strings.Contains(fmt.Sprint(err), c.subject) {
				t.Errorf("%d: %v\n%s", i, err, v.log)
			}
			if took := time.Since(began); took > patience/2 {
				t.Errorf("%d: after %v", i, took)
			}
		}
	}
	v.unharmed(t, nc, "good", v.clientID(t))
	if r := call(t, nc, "fine", []byte("x")); r.Err != nil {
		t.Error(r.Err)
	}
}

// What NATS comes to deny while a function is served is said, and made good when it is permitted again, without a
// restart.
func TestPermissionsComeAndGo(t *testing.T) {
	var o *server.Options
	s := startServer(t, denying(nil, []string{"elsewhere"}), func(all *server.Options) { o = all })
	before, after := o.Clone(), o.Clone()
	denying(nil, []string{"orders.>"})(after)
	v := serveOn(t, connect(t, s, nats.UserInfo("worker", "p")))
	nc := connect(t, s, nats.UserInfo("admin", "p"))
	deploy(t, nc, protocol.Function{Name: "f", Triggers: []protocol.Trigger{{Subject: "orders.new"}}}, probe())
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	served := func() bool { r, err := tryCall(nc, "orders.new", []byte("x")); return err == nil && r.Err == nil }
	if !served() {
		t.Fatal("the route is not served")
	}
	if err := s.ReloadOptions(after); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report", tick.C, func() bool {
		return strings.Contains(v.log.String(), "does not permit this user to subscribe to orders.new")
	})
	if served() {
		t.Error("the route is served without permission")
	}
	if r := call(t, nc, "fn.f", []byte("x")); r.Err != nil {
		t.Error(r.Err)
	}
	if err := s.ReloadOptions(before); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the route's return", tick.C, served)
}

// A user that may make no more subscriptions is told so.
func TestTooManySubscriptions(t *testing.T) {
	s := startServer(t, func(o *server.Options) { o.MaxSubs = 70 })
	startInvoker(t, s)
	nc := connect(t, s)
	for i := range 20 {
		if _, err := tryDeploy(nc, protocol.Function{Name: fmt.Sprint("f", i)}, probe()); err != nil {
			if protocol.CodeOf(err) != protocol.CodeForbidden || !strings.Contains(err.Error(), "subscriptions") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("20 functions were deployed within 70 subscriptions")
}

// Whose route another function's overlaps is told so in its log.
func TestOwnerIsTold(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	deploy(t, nc, protocol.Function{Name: "owner", Triggers: []protocol.Trigger{{Subject: "orders.>"}}}, probe())
	heard, err := nc.SubscribeSync("log.owner")
	if err != nil {
		t.Fatal(err)
	}
	intruder := protocol.Function{Name: "intruder", Triggers: []protocol.Trigger{{Subject: "orders.*.paid"}}}
	if out := deploy(t, nc, intruder, probe()); !slices.ContainsFunc(out.Warnings,
		func(w string) bool { return strings.Contains(w, "overlaps") }) {
		t.Errorf("the intruder was told %q", out.Warnings)
	}
	m, err := heard.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	if l := protocol.ParseLogLine(protocol.Header(m.Header), m.Data); !l.Platform ||
		!strings.Contains(l.Text, "intruder@1") || !strings.Contains(l.Text, "orders.*.paid") {
		t.Errorf("%+v", l)
	}
	deploy(t, nc, intruder, probe()) // nothing is new
	call(t, nc, "fn.owner", nil)
	if m, err := heard.NextMsg(time.Millisecond); err == nil {
		t.Errorf("told again: %s", m.Data)
	}
}
