package invoker_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// sandbox is the runtime of all tests, so that each module is compiled once.
var sandbox runtimes.Runtime

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverFolder); dir != "" {
		beServer(dir)
		return
	}
	ctx := context.Background()
	rt, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		panic(err)
	}
	sandbox = rt
	code := m.Run()
	rt.Close(ctx)
	os.Exit(code)
}

// startServer starts a NATS server with JetStream on a free loopback port.
func startServer(t testing.TB, change ...func(*server.Options)) *server.Server {
	t.Helper()
	return invokertest.StartNATS(t, change...)
}

// connect opens a connection that the test closes.
func connect(t testing.TB, s *server.Server, o ...nats.Option) *nats.Conn {
	t.Helper()
	return invokertest.Connect(t, s, o...)
}

// service is an invoker that serves.
type service struct {
	*invokertest.Invoker
	nc  *nats.Conn // its own
	log *logBuffer
}

// startInvoker serves the registry of a server, and waits until it does.
func startInvoker(t testing.TB, s *server.Server, change ...func(*invoker.Invoker)) *service {
	t.Helper()
	return serveOn(t, connect(t, s), change...)
}

// serveOn is startInvoker on a connection. What it logs is kept and not shown: much of it is what a test wants.
func serveOn(t testing.TB, nc *nats.Conn, change ...func(*invoker.Invoker)) *service {
	t.Helper()
	log := &logBuffer{}
	v := &invoker.Invoker{Runtime: sandbox, Drain: patience, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, c := range change {
		c(v)
	}
	return &service{Invoker: invokertest.Serve(t, nc, v), nc: nc, log: log}
}

// end stops the invoker and waits for it.
func (s *service) end(t testing.TB) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Errorf("Serve: %v\n%s", err, s.log)
	}
}

// logBuffer is a writer that several goroutines may use.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// deploy deploys a module and returns the answer.
func deploy(t testing.TB, nc *nats.Conn, f protocol.Function, module []byte) protocol.DeployReply {
	t.Helper()
	out, err := tryDeploy(nc, f, module)
	if err != nil {
		t.Fatalf("deploy %s: %v", f.Name, err)
	}
	return out
}

// tryDeploy deploys a module.
func tryDeploy(nc *nats.Conn, f protocol.Function, module []byte) (protocol.DeployReply, error) {
	manifest, err := json.Marshal(f)
	if err != nil {
		return protocol.DeployReply{}, err
	}
	m := &nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: module,
		Header: nats.Header{protocol.HeaderManifest: {string(manifest)}}}
	return control[protocol.DeployReply](nc, m)
}

// control asks a control verb.
func control[T any](nc *nats.Conn, m *nats.Msg) (out T, err error) {
	answer, err := nc.RequestMsg(m, patience)
	if err != nil {
		return out, err
	}
	r, err := parseReply(answer)
	if err == nil && r.Err != nil {
		err = r.Err
	}
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(answer.Data, &out)
}

// deployProbe deploys the conformance suite's probe, whose mode is the first argument.
func deployProbe(t testing.TB, nc *nats.Conn, name string, l protocol.Limits) protocol.DeployReply {
	t.Helper()
	return deploy(t, nc, protocol.Function{Name: name, Limits: l}, runtimestest.Wasm())
}

// call sends a request and returns its reply.
func call(t testing.TB, nc *nats.Conn, subject string, body []byte, header ...string) protocol.Reply {
	t.Helper()
	r, err := tryCall(nc, subject, body, header...)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	return r
}

// tryCall sends a request; header are names and values in turn.
func tryCall(nc *nats.Conn, subject string, body []byte, header ...string) (protocol.Reply, error) {
	m := &nats.Msg{Subject: subject, Data: body}
	for i := 0; i+1 < len(header); i += 2 {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header[header[i]] = []string{header[i+1]}
	}
	answer, err := nc.RequestMsg(m, patience)
	if err != nil {
		return protocol.Reply{}, err
	}
	return parseReply(answer)
}

// parseReply reads a reply. It is an error if that says no more to people than that something is wrong.
func parseReply(m *nats.Msg) (protocol.Reply, error) {
	r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err == nil && r.Err != nil {
		err = useful(r.Err.Msg, r.ID)
	}
	return r, err
}

// useful returns an error for a text that names nothing by which its reader could go on.
func useful(text, id string) error {
	for _, empty := range []string{"<nil>", "%!", "unexpected error"} {
		if strings.Contains(text, empty) {
			return fmt.Errorf("an error says %q", text)
		}
	}
	for _, vague := range []string{"internal error", "log has"} {
		if strings.Contains(text, vague) && !strings.Contains(text, cmp.Or(id, "id ")) {
			return fmt.Errorf("the error of %q says %q, without its id", id, text)
		}
	}
	return nil
}

// wantError fails unless a reply is an error with this code whose message has this text.
func wantError(t testing.TB, r protocol.Reply, code int, text string) {
	t.Helper()
	if r.Err == nil || r.Err.Code != code || !strings.Contains(r.Err.Msg, text) {
		t.Errorf("got %v (body %.100q), want code %d with %q", r.Err, r.Body, code, text)
	}
	if r.Err != nil && r.ID == "" {
		t.Errorf("the error %v has no id", r.Err)
	}
}

// eventually waits for an event that a condition can be asked about, asking again each time
// that tick delivers something.
func eventually[T any](t testing.TB, what string, tick <-chan T, ok func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-tick:
		case <-limit:
			t.Fatalf("%s did not happen in time", what)
		}
	}
}

// noResponders reports whether an error says that nobody serves a subject.
func noResponders(err error) bool { return errors.Is(err, nats.ErrNoResponders) }
