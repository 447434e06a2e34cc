package invokertest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// TestMain checks that nothing is left when all servers have ended.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestStart deploys and calls with each configuration, and looks at what is left of it.
func TestStart(t *testing.T) {
	for name, change := range map[string]func(*invokertest.Config){
		"as it is":          func(*invokertest.Config) {},
		"several invokers":  func(c *invokertest.Config) { c.Invokers = 3 },
		"in memory":         func(c *invokertest.Config) { c.Memory, c.Invokers = true, 2 },
		"without JetStream": func(c *invokertest.Config) { c.NATS.JetStream = false },
		"with a user": func(c *invokertest.Config) {
			c.NATS.Username, c.NATS.Password = "ada", "secret"
			c.Connect = []nats.Option{nats.UserInfo("ada", "secret")}
		},
		"small messages": func(c *invokertest.Config) { c.NATS.MaxPayload = 64 << 10 },
	} {
		t.Run(name, func(t *testing.T) {
			var store string
			t.Run("serve", func(t *testing.T) {
				s := invokertest.Start(t, change, func(c *invokertest.Config) { store = c.NATS.StoreDir })
				f := s.Deploy("echo", runtimestest.Wasm())
				if f.Ref().String() != "echo@1" {
					t.Errorf("deployed %s", f.Ref())
				}
				body := []byte("Hello")
				if s.NATS.JetStreamEnabled() {
					body = bytes.Repeat(body, 40<<10) // more than a message of some takes
				}
				if r := s.Call("fn.echo", body); r.Err != nil || !bytes.Equal(r.Body, body) {
					t.Errorf("%d bytes came back of %d, %v", len(r.Body), len(body), r.Err)
				}
			})
			if _, err := os.Stat(store); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left: %v", store, err)
			}
		})
	}
}

// TestCall calls by each kind of subject, and looks at what functions write to stderr.
func TestCall(t *testing.T) {
	s := invokertest.Start(t)
	s.Deploy("probe", runtimestest.Wasm(), func(f *protocol.Function) {
		f.Triggers = []protocol.Trigger{{Subject: "orders.>"}}
		f.Limits.Concurrency = 2
	})
	r := s.Call("fn.probe.exit.65", nil, func(r *protocol.Request) { r.ID = "bad" })
	if r.Err == nil || r.Exit != 65 || r.ID != "bad" {
		t.Errorf("%+v", r)
	}
	r = s.Call("orders.echo", []byte("tea"), func(r *protocol.Request) { r.ID, r.Report = "order", true })
	if string(r.Body) != "tea" || r.ID != "order" || r.Report == nil {
		t.Errorf("%+v", r)
	}
	tick := time.NewTicker(10 * time.Millisecond) // a line may come later than the reply
	defer tick.Stop()
	limit := time.After(time.Minute)
	for !strings.Contains(s.Logged(), "probe@1 bad: ") {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("the log has no line of the call that failed")
		}
	}
}

// TestScript deploys a script, with what runs it. Here that is the probe, which does not look at the script.
func TestScript(t *testing.T) {
	s := invokertest.Start(t)
	runtime, err := script.WrapBundle(script.Info{Name: "copy", Version: "1", Language: "Copy"}, runtimestest.Wasm())
	if err != nil {
		t.Fatal(err)
	}
	main, err := script.Pack(fstest.MapFS{"main.copy": {Data: []byte("copy it")}}, "main.copy", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Deploy(t.Context(), protocol.Function{Name: "early", Runtime: "copy"}, main); err == nil {
		t.Error("a script without its runtime is deployed")
	}
	if _, err := s.Client.AddRuntime(t.Context(), "copy", runtime); err != nil {
		t.Fatal(err)
	}
	s.Deploy("copied", main, func(f *protocol.Function) { f.Runtime = "copy" })
	if r := s.Call("fn.copied", []byte("Hello")); r.Err != nil || string(r.Body) != "Hello" {
		t.Errorf("%+v", r)
	}
}

// TestStop ends invokers while the test runs, and goes on with one more.
func TestStop(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers = 0 })
	first := s.StartInvoker()
	s.Deploy("echo", runtimestest.Wasm())
	if err := first.Stop(); err != nil {
		t.Error(err)
	}
	if err := first.Stop(); err != nil {
		t.Errorf("once more: %v", err)
	}
	echo := &protocol.Request{Function: protocol.Ref{Name: "echo"}}
	if _, err := s.Client.Call(t.Context(), echo); protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("without an invoker: %v", err)
	}
	second := s.StartInvoker(func(v *invoker.Invoker) { v.Slots = 1 })
	if r := s.Call("fn.echo", []byte("again")); string(r.Body) != "again" || second.Slots != 1 {
		t.Errorf("%+v", r)
	}
	second.Conn.Close()
	if err := second.Wait(); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("an invoker without a connection: %v", err)
	}
	s.Close()
	s.Close()
	if _, err := nats.Connect(s.URL); err == nil {
		t.Error("a server that is closed takes connections")
	}
}

// TestParts starts what Start does one by one.
func TestParts(t *testing.T) {
	n := invokertest.StartNATS(t, func(o *server.Options) { o.MaxPayload = 4 << 10 })
	nc := invokertest.Connect(t, n, nats.Name("parts"))
	if nc.MaxPayload() != 4<<10 || nc.Opts.Name != "parts" {
		t.Errorf("max_payload %d, name %s", nc.MaxPayload(), nc.Opts.Name)
	}
	v := invokertest.Serve(t, nc, &invoker.Invoker{Runtime: runtimestest.NewExec(t.TempDir())})
	if v.Functions() != 0 {
		t.Errorf("%d functions", v.Functions())
	}
}

// TestNewPanics looks at what New does where a test would fail.
func TestNewPanics(t *testing.T) {
	s := invokertest.New(func(c *invokertest.Config) { c.Memory = true })
	defer s.Close()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "deploy bad") {
			t.Errorf("panic %q", text)
		}
	}()
	s.Deploy("bad", []byte("no module"))
}

// TestClosedContext checks that a caller's end is one.
func TestClosedContext(t *testing.T) {
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Memory = true })
	s.Deploy("echo", runtimestest.Wasm())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Client.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: "echo"}})
	if protocol.CodeOf(err) != protocol.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}
