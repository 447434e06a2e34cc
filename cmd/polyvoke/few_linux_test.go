package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// few is a polyvoke serve that may have 256 descriptors.
type few struct {
	t   *testing.T
	url string
	log *safeBuffer
}

// startFew starts it.
func startFew(t *testing.T) *few {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `ulimit -n 256 && exec "$@"`, "sh", buildPolyvoke(t, dir), "serve",
		"--listen", "127.0.0.1:0", "--store", dir+"/store", "--cache", dir+"/cache", "--log-level", "warn")
	d, lines, end, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	url := servingURL(lines)
	if url == "" {
		t.Fatalf("polyvoke serve does not serve: %s", d.log)
	}
	return &few{t, url, d.log}
}

// connect connects a client, or returns why not.
func (f *few) connect() (*connect.Session, error) {
	return connect.To(&connect.Settings{Server: f.url, Timeout: patience}, f.t.Name())
}

// must connects a client.
func (f *few) must() *connect.Session {
	f.t.Helper()
	s, err := f.connect()
	if err != nil {
		f.t.Fatalf("a client does not get in: %v\n%s", err, f.log)
	}
	f.t.Cleanup(s.Close)
	return s
}

// deploy deploys the n-th function, and does not call it.
func (f *few) deploy(s *connect.Session, n int) error {
	m, err := s.RequestMsgWithContext(f.t.Context(), &nats.Msg{
		Subject: protocol.APIDeploy.Subject(), Data: runtimestest.Wasm(),
		Header: nats.Header{protocol.HeaderManifest: {fmt.Sprintf(`{"name":"f%d","args":["echo"]}`, n)}},
	})
	if err != nil {
		return err
	}
	if r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data); err != nil || r.Err != nil {
		return cmp.Or[error](err, r.Err)
	}
	return nil
}

// call calls the n-th function, which must answer.
func (f *few) call(s *connect.Session, n int) {
	f.t.Helper()
	r, err := s.Call(f.t.Context(),
		&protocol.Request{Function: protocol.Ref{Name: fmt.Sprint("f", n)}, Body: []byte("body"), Timeout: patience})
	if err != nil || r.Err != nil || string(r.Body) != "body" {
		f.t.Errorf("function %d answers %q, %v, %v", n, r.Body, r.Err, err)
	}
}

// TestManyFunctionsFewDescriptors deploys a thousand functions to a process that may have 256 descriptors. Then
// clients come until the server takes no more, which says so; those that are there go on, and when some have gone
// others get in.
func TestManyFunctionsFewDescriptors(t *testing.T) {
	f := startFew(t)
	s := f.must()
	const n = 1000
	for i := range n {
		if err := f.deploy(s, i); err != nil {
			t.Fatalf("deployment %d: %v\n%s", i, err, f.log)
		}
	}
	if list, err := f.must().List(t.Context()); err != nil || len(list) != n {
		t.Errorf("%d functions, %v", len(list), err)
	}
	for i := 0; i < n; i += 37 {
		f.call(s, i)
	}
	var crowd []*nats.Conn
	for {
		nc, err := nats.Connect(f.url, nats.NoReconnect())
		if err != nil {
			break
		}
		if crowd = append(crowd, nc); len(crowd) > 256 {
			t.Fatal("more clients get in than there are descriptors")
		}
	}
	if len(crowd) < 100 {
		t.Errorf("only %d clients got in", len(crowd))
	}
	deadline := time.Now().Add(patience)
	for ; !strings.Contains(f.log.String(), "maximum connections exceeded"); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("the server does not say why it refuses clients:\n%s", f.log)
		}
	}
	f.call(s, 0)
	if err := f.deploy(s, n); err != nil {
		t.Errorf("a deployment while there are as many clients as may be: %v", err)
	}
	f.call(s, n)
	for _, nc := range crowd[:10] {
		nc.Close()
	}
	f.call(f.must(), 1)
	for _, nc := range crowd {
		nc.Close()
	}
}

// TestStreamsTakeDescriptors has streams take all descriptors but those that are kept back: deployments are refused
// and say why, calls go on.
func TestStreamsTakeDescriptors(t *testing.T) {
	f := startFew(t)
	s := f.must()
	if err := f.deploy(s, 0); err != nil {
		t.Fatal(err)
	}
	var refused error
	for i := 0; refused == nil && i < 1000; i++ {
		name := fmt.Sprint("taker", i)
		config := jetstream.StreamConfig{Name: name, Subjects: []string{name}}
		if _, err := s.JS.CreateStream(t.Context(), config); err != nil {
			t.Logf("stream %d: %v", i, err)
			break
		}
		if _, err := s.JS.Publish(t.Context(), name, []byte("x")); err != nil {
			t.Logf("stream %d: %v", i, err)
			break
		}
		if i%10 == 0 {
			refused = f.deploy(s, i+1)
		}
	}
	if refused == nil {
		refused = f.deploy(s, 1000)
	}
	if protocol.CodeOf(refused) != protocol.CodeUnavailable || !strings.Contains(refused.Error(), "descriptors") {
		t.Errorf("a deployment is refused with %v", refused)
	}
	f.call(s, 0)
	f.call(f.must(), 0)
}
