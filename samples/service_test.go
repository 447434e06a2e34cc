//go:build languages

package samples_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long a test waits for what must happen. A runtime of 30 MB takes a minute to compile on a busy
// machine.
const patience = 5 * time.Minute

// A service is polyvoke on a NATS server, and a client of both.
type service struct {
	t      testing.TB
	nc     *nats.Conn
	bodies *bodies.Store
}

// in returns the service for another test.
func (s service) in(t testing.TB) service {
	s.t = t
	return s
}

// newService starts a NATS server with its usual limits, and an invoker as `polyvoke serve` makes it.
func newService(t testing.TB) service {
	t.Helper()
	nc := connect(t, startServer(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, nc, js)
	b, err := bodies.Existing(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	return service{t, nc, b}
}

// startServer starts a NATS server with JetStream on a free loopback port.
func startServer(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the NATS server did not start")
	}
	return s
}

// connect opens a connection that the test closes.
func connect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.ClientURL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { t.Logf("connection: %v", err) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// serve starts an invoker, and waits until it serves.
func serve(t testing.TB, nc *nats.Conn, js jetstream.JetStream) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	functions, err := registry.Open(ctx, js, registry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	languages, err := registry.Open(ctx, js, registry.Config{Runtimes: true})
	if err != nil {
		t.Fatal(err)
	}
	store := &interpreters.Store{Registry: languages, Describe: describe}
	rt := newModules(t)
	ready, done := make(chan struct{}), make(chan error, 1)
	v := &invoker.Invoker{Registry: functions, Runtime: script.New(rt, store), Interpreters: store, Ready: func() { close(ready) }}
	go func() { done <- v.Serve(ctx, nc) }()
	t.Cleanup(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Error("Serve did not return")
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the invoker was not ready in time")
	}
}

// newModules returns a runtime for modules that keeps what it compiles beside what make builds.
func newModules(t testing.TB) *wasi.Runtime {
	t.Helper()
	return newModulesIn(t, filepath.Join(os.Getenv("MODULES"), "compiled"))
}

// newModulesIn returns a runtime for modules that keeps what it compiles in a folder.
func newModulesIn(t testing.TB, dir string) *wasi.Runtime {
	t.Helper()
	rt, err := wasi.New(context.Background(), wasi.Config{CacheDir: dir, MaxModule: script.MaxBundle, MaxMemory: uint64(protocol.MaxMemory)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return rt
}

// describe says of an interpreter what the service keeps.
func describe(bundle []byte) (protocol.Function, error) {
	b, err := script.ParseBundle(bundle)
	if err != nil {
		return protocol.Function{}, err
	}
	return protocol.Function{Name: b.Name, Language: b.Language}, nil
}

// deploy deploys the greeting in a language, with its interpreter if it needs one, and waits until it is served.
func (s service) deploy(l language) {
	s.t.Helper()
	if l.runtime != "" {
		s.control(protocol.APIRuntimeAdd, nats.Header{}, l.bundle)
	}
	f := protocol.Function{Name: l.folder, Runtime: l.runtime, Limits: protocol.Limits{Timeout: protocol.Duration(time.Minute)}}
	if r := s.askDeploy(f, l.module); r.Err != nil {
		s.t.Fatalf("deploy %s: %v", l.folder, r.Err)
	}
}

// askDeploy asks the service to deploy a function.
func (s service) askDeploy(f protocol.Function, module []byte) protocol.Reply {
	s.t.Helper()
	manifest, err := json.Marshal(f)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.ask(protocol.APIDeploy.Subject(), protocol.Header{protocol.HeaderManifest: {string(manifest)}}, module)
}

// remove removes the greeting in a language.
func (s service) remove(l language) {
	s.t.Helper()
	body, err := json.Marshal(protocol.NameRequest{Name: l.folder})
	if err != nil {
		s.t.Fatal(err)
	}
	s.control(protocol.APIRemove, nats.Header{}, body)
}

// control asks the service for something that must be done.
func (s service) control(verb protocol.APIVerb, h nats.Header, body []byte) {
	s.t.Helper()
	if r := s.ask(verb.Subject(), protocol.Header(h), body); r.Err != nil {
		s.t.Fatalf("%s: %v", verb, r.Err)
	}
}

// ask sends a request and returns the reply, whose body may come as an object as that of the request may go.
func (s service) ask(subject string, h protocol.Header, body []byte) protocol.Reply {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if h == nil {
		h = protocol.Header{}
	}
	if int64(len(body)) > s.nc.MaxPayload()-64<<10 {
		claim, err := s.bodies.PutBytes(ctx, body)
		if err != nil {
			s.t.Fatal(err)
		}
		claim.Put(h)
		body = nil
	}
	m, err := s.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body})
	if err != nil {
		s.t.Fatalf("%s: %v", subject, err)
	}
	r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err == nil && r.Claim != nil {
		r.Body, err = s.bodies.Get(ctx, r.Claim, int64(protocol.MaxBody))
	}
	if err != nil {
		s.t.Fatalf("%s: %v", subject, err)
	}
	return r
}

// check calls a language's greeting with a vector, and holds the reply to it.
func (s service) check(l language, v vector) {
	s.t.Helper()
	call := protocol.Request{Function: protocol.Ref{Name: l.folder}, Args: v.Args, Body: v.body()}
	subject, h, body, err := call.Message()
	if err != nil {
		s.t.Fatalf("%s: %v", v.About, err)
	}
	r := s.ask(subject, h, body)
	switch {
	case v.Exit != 0:
		if r.Exit != v.Exit || r.Err == nil || r.Err.Code != protocol.FromExit(uint32(v.Exit)).Code {
			s.t.Errorf("%s: exit %d and error %v, want exit %d and its code; body %s", v.About, r.Exit, r.Err, v.Exit, brief(string(r.Body)))
		} else if !badInput.Match(r.Body) { // the end of stderr
			s.t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(string(r.Body)))
		}
	case r.Err != nil || string(r.Body) != v.Stdout:
		s.t.Errorf("%s: error %v, body\n%s, want\n%s", v.About, r.Err, brief(string(r.Body)), brief(v.Stdout))
	}
}
