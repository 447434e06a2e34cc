package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// request is a call of the probe, whose mode is the first argument.
func request(name string, args ...string) *protocol.Request {
	return &protocol.Request{Function: protocol.Ref{Name: name}, Args: args}
}

// start serves the probe as the function echo, in a sandbox.
func start(t *testing.T, change ...func(*invokertest.Config)) *invokertest.Server {
	t.Helper()
	s := invokertest.Start(t, change...)
	s.Deploy("echo", runtimestest.Wasm())
	return s
}

// TestCaller holds the client to the contract of all callers.
func TestCaller(t *testing.T) {
	s := invokertest.Start(t)
	invokertest.TestCaller(t, s, s.Client)
}

// TestLargeBodies carries bodies around the limit of messages, both ways, and leaves nothing behind.
func TestLargeBodies(t *testing.T) {
	const limit = 64 << 10
	s := start(t, func(c *invokertest.Config) { c.NATS.MaxPayload = limit })
	for _, size := range []int{
		0, 1, limit - 1000, limit - 150, limit - 64, limit - 1, limit, limit + 1, 5 * limit, 3 << 20,
	} {
		r := request("echo")
		r.Body, r.Header = bytes.Repeat([]byte("x"), size), protocol.Header{"Mine": {"kept"}}
		reply, err := s.Client.Call(t.Context(), r)
		if err != nil || reply.Err != nil || len(reply.Body) != size {
			t.Fatalf("%d bytes: %v, %+v", size, err, reply)
		}
		if len(r.Body) != size || r.Claim != nil || len(r.Header) != 1 || r.Timeout != 0 {
			t.Errorf("%d bytes: the request has changed: claim %v, header %v", size, r.Claim, r.Header)
		}
	}
	js, err := s.Client.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	store, err := js.ObjectStore(t.Context(), protocol.BucketBodies)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := store.List(t.Context()); !errors.Is(err, jetstream.ErrNoObjectsFound) {
		t.Errorf("%d bodies are left: %+v, %v", len(list), list, err)
	}
}

// TestErrors looks at what is no reply, and at its hint.
func TestErrors(t *testing.T) {
	s := start(t)
	hang, err := s.Conn.SubscribeSync("fn.hang") // an invoker that never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hang.Unsubscribe() }()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	version := func(v string) *protocol.Request {
		return &protocol.Request{Function: protocol.Ref{Name: "echo", Version: v}}
	}
	header, long := request("echo"), strings.Repeat("x", 4000)
	header.Header = protocol.Header{"A\r\nB": {"c"}}
	for what, tt := range map[string]struct {
		ctx  context.Context
		r    *protocol.Request
		code int
		hint string
	}{
		"no such function":      {t.Context(), request("hullo"), protocol.CodeNotFound, "hullo"},
		"no such version":       {t.Context(), version("7"), protocol.CodeNotFound, "it has 1"},
		"no such alias":         {t.Context(), version("live"), protocol.CodeNotFound, "it has 1"},
		"no name":               {t.Context(), request(""), protocol.CodeBadRequest, "name"},
		"a name like a subject": {t.Context(), request("a.>"), protocol.CodeBadRequest, "name"},
		"a wildcard":            {t.Context(), request("echo", "*"), protocol.CodeBadRequest, "argument"},
		"a line feed":           {t.Context(), request("echo", "a\r\nPUB x 0"), protocol.CodeBadRequest, "argument"},
		"a long argument":       {t.Context(), request("echo", long), protocol.CodeBadRequest, "as body"},
		"a header with a line":  {t.Context(), header, protocol.CodeBadRequest, "header name"},
		"a context that ended":  {ended, request("echo"), protocol.CodeUnavailable, "canceled"},
		"a deadline":            {soon, request("hang"), protocol.CodeTimeout, "deadline"},
	} {
		reply, err := s.Client.Call(tt.ctx, tt.r)
		if reply != nil || err == nil || protocol.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.hint) {
			t.Errorf("%s: %+v, code %d, %v; want %d with %q", what, reply, protocol.CodeOf(err), err, tt.code, tt.hint)
		}
		if cause := tt.ctx.Err(); cause != nil && !errors.Is(err, cause) {
			t.Errorf("%s: %v has not the cause %v", what, err, cause)
		}
	}
}

// TestLongInbox has an inbox prefix that leaves no room for a long subject in a line of NATS.
func TestLongInbox(t *testing.T) {
	s := start(t)
	nc := s.Connect(nats.CustomInboxPrefix("_INBOX." + strings.Repeat("x", 1000)))
	c := &client.Client{Conn: nc}
	if reply, err := c.Call(t.Context(), request("echo")); err != nil || reply.Err != nil {
		t.Errorf("a short one: %+v, %v", reply, err)
	}
	_, err := c.Call(t.Context(), request("echo", strings.Repeat("x", 3500)))
	if protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a long one: %v", err)
	}
	if n := nc.Stats().Reconnects; n != 0 || !nc.IsConnected() {
		t.Errorf("the connection was cut %d times", n)
	}
}

// TestFunctionsOwnErrors looks at failures of functions, which are replies.
func TestFunctionsOwnErrors(t *testing.T) {
	s := start(t)
	for exit, code := range map[int]int{64: 400, 66: 404, 75: 503, 77: 403, 3: 500} {
		reply, err := s.Client.Call(t.Context(), request("echo", "exit", fmt.Sprint(exit)))
		if err != nil || reply.Err == nil || reply.Err.Code != code || reply.Exit != exit {
			t.Errorf("exit %d: %+v, %v, want code %d", exit, reply, err, code)
		}
	}
}

// TestNoServer looks at a client whose server is gone, and at one that never had any.
func TestNoServer(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers = 0 })
	s.Client.Timeout = 200 * time.Millisecond
	s.NATS.Shutdown()
	s.NATS.WaitForShutdown()
	_, err := s.Client.Call(t.Context(), request("echo"))
	if protocol.CodeOf(err) != protocol.CodeUnavailable || !strings.Contains(err.Error(), s.URL) {
		t.Errorf("without a server: %v", err)
	}
	if _, err := s.Client.Invokers(t.Context()); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("invokers without a server: %v", err)
	}
	s.Conn.Close()
	if _, err := s.Client.Call(t.Context(), request("echo")); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("without a connection: %v", err)
	}
}

// TestNoConnection uses a client that was made without one.
func TestNoConnection(t *testing.T) {
	var none client.Client
	ctx := t.Context()
	for what, err := range map[string]error{
		"call":      second(none.Call(ctx, request("echo"))),
		"list":      second(none.List(ctx)),
		"info":      second(none.Info(ctx, "echo")),
		"deploy":    second(none.Deploy(ctx, protocol.Function{Name: "f"}, nil)),
		"remove":    second(none.Remove(ctx, "f")),
		"invokers":  second(none.Invokers(ctx)),
		"runtimes":  second(none.Runtimes(ctx)),
		"add":       second(none.AddRuntime(ctx, "x", nil)),
		"pin":       second(none.PinRuntime(ctx, "x@1")),
		"JetStream": second(none.JetStream()),
	} {
		if protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%s without a connection: %v", what, err)
		}
	}
	for _, err := range none.Logs(t.Context(), client.LogQuery{}) {
		if protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("logs without a connection: %v", err)
		}
	}
	if _, ok := none.MaxModule(t.Context()); ok {
		t.Error("nobody has said how large a module may be")
	}
}

// second returns the error of a call.
func second[T any](_ T, err error) error { return err }

// TestOnlyCalls is a user who may call, and nothing else.
func TestOnlyCalls(t *testing.T) {
	caller := &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{"fn.>"}},
		Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX_caller.>"}},
	}
	s := start(t, func(c *invokertest.Config) {
		c.NATS.Users = []*server.User{
			{Username: "all", Password: "p"}, {Username: "caller", Password: "p", Permissions: caller},
		}
		c.Connect = []nats.Option{nats.UserInfo("all", "p")}
	})
	nc := s.Connect(nats.UserInfo("caller", "p"), nats.CustomInboxPrefix("_INBOX_caller"))
	c := &client.Client{Conn: nc, Timeout: patience}
	r := request("echo")
	r.Body = []byte("Hello")
	if reply, err := c.Call(t.Context(), r); err != nil || string(reply.Body) != "Hello" {
		t.Errorf("%+v, %v", reply, err)
	}
	if _, err := c.Call(t.Context(), request("hullo")); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("no such function: %v", err)
	}
	for what, err := range map[string]error{
		"list": second(c.List(t.Context())), "invokers": second(c.Invokers(t.Context())),
		"deploy": second(c.Deploy(t.Context(), protocol.Function{Name: "f"}, runtimestest.Wasm())),
	} {
		if protocol.CodeOf(err) != protocol.CodeForbidden {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestInvokers lists invokers as they come and go.
func TestInvokers(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers, c.Memory = 0, true })
	if all, err := s.Client.Invokers(t.Context()); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("%v, %v", all, err)
	}
	var last *invokertest.Invoker
	for n := range 3 {
		last = s.StartInvoker()
		all, err := s.Client.Invokers(t.Context())
		if err != nil || len(all) != n+1 || all[0].ID == "" || all[0].PID == 0 {
			t.Fatalf("%v, %v, want %d", all, err, n+1)
		}
	}
	if err := last.Stop(); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Client.Invokers(t.Context()); err != nil || len(all) != 2 || all[0].ID >= all[1].ID {
		t.Errorf("%v, %v", all, err)
	}
}

// TestHostilePongs is somebody who answers pings with anything.
func TestHostilePongs(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Memory = true })
	sub, err := s.Connect().Subscribe(protocol.APIPing.Subject(), func(m *nats.Msg) {
		for _, answer := range []string{
			"", "[]", "{", `{"id":""}`, `{"id":"gone","gone":true}`, "\xff", strings.Repeat(" ", 1000),
		} {
			_ = m.Respond([]byte(answer))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if all, err := s.Client.Invokers(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
}

// TestLogs reads lines that are kept, and follows those that come, with and without JetStream.
func TestLogs(t *testing.T) {
	s := start(t)
	line := func(q client.LogQuery, id string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for l, err := range s.Client.Logs(ctx, q) {
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if l.ID == id && l.Function.String() == "echo@1" && time.Since(l.Time) < patience {
				return
			}
		}
		t.Errorf("%+v ended before %s", q, id)
	}
	bad := func(id string) {
		r := request("echo", "exit", "65")
		if r.ID = id; second(s.Client.Call(t.Context(), r)) != nil {
			t.Errorf("%s got no reply", id)
		}
	}
	bad("first")
	line(client.LogQuery{Name: "echo", Lines: 5, Follow: true}, "first")
	line(client.LogQuery{Lines: 5}, "first") // it is kept now
	if _, err := s.Conn.Subscribe("ask", func(*nats.Msg) { bad("second") }); err != nil {
		t.Fatal(err)
	}
	if err := s.Conn.Publish("ask", nil); err != nil {
		t.Fatal(err)
	}
	line(client.LogQuery{Lines: 5, Follow: true}, "second")
	for what, q := range map[string]client.LogQuery{
		"absent": {Name: "absent", Lines: 1}, "no name": {Name: "a.b", Lines: 1, Follow: true},
	} {
		n := 0
		for l, err := range s.Client.Logs(t.Context(), q) {
			if n++; err == nil || protocol.CodeOf(err)/100 != 4 {
				t.Errorf("%s: %+v, %v", what, l, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d pairs, want the error", what, n)
		}
	}
	for range s.Client.Logs(t.Context(), client.LogQuery{Name: "echo"}) {
		t.Error("a line, where none is asked for")
	}
}

// TestLogsWithoutJetStream follows lines that nobody keeps.
func TestLogsWithoutJetStream(t *testing.T) {
	s := start(t, func(c *invokertest.Config) { c.NATS.JetStream = false })
	for _, err := range s.Client.Logs(t.Context(), client.LogQuery{Name: "echo", Lines: 1}) {
		if protocol.CodeOf(err) != protocol.CodeUnavailable {
			t.Errorf("lines that are kept: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	calling := time.AfterFunc(0, func() {
		for i := 0; ctx.Err() == nil; i++ { // some before, some after the subscription
			r := request("echo", "exit", "65")
			r.ID = fmt.Sprint("line ", i)
			_, _ = s.Client.Call(ctx, r)
		}
	})
	defer calling.Stop()
	for l, err := range s.Client.Logs(ctx, client.LogQuery{Name: "echo", Follow: true}) {
		if err != nil || !strings.HasPrefix(l.ID, "line ") || !l.Platform {
			t.Errorf("%+v, %v", l, err)
		}
		break
	}
}

// TestHammer calls, deploys, lists and reads logs on one client from many sides.
func TestHammer(t *testing.T) {
	s := start(t, func(c *invokertest.Config) { c.Invokers, c.NATS.MaxPayload = 2, 64<<10 })
	s.Deploy("busy", runtimestest.Wasm(), func(f *protocol.Function) { f.Limits.Concurrency, f.Limits.Queue = 100, 1000 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := &client.Client{Conn: s.Connect()} // not used yet: its beginning is shared
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 8 {
				r := request("busy")
				r.Body = bytes.Repeat([]byte{byte('a' + i)}, 1+j*20_000)
				reply, err := c.Call(ctx, r)
				for protocol.CodeOf(protocol.Failure(reply, err)) == protocol.CodeTooMany { // the machine is busy
					reply, err = c.Call(ctx, r)
				}
				if failure := protocol.Failure(reply, err); failure != nil || !bytes.Equal(reply.Body, r.Body) {
					t.Errorf("%d bytes of %d: %v", len(r.Body), i, failure)
				}
			}
			if _, err := c.List(ctx); err != nil {
				t.Error(err)
			}
			if i%4 == 0 {
				if _, err := c.Deploy(ctx, protocol.Function{Name: fmt.Sprint("f", i)}, runtimestest.Wasm()); err != nil {
					t.Error(err)
				}
				if all, err := c.Invokers(ctx); err != nil || len(all) != 2 {
					t.Errorf("%v, %v", all, err)
				}
			}
		})
	}
	all.Wait()
}
