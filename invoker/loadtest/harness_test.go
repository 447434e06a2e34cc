package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// serveAt is the environment variable that makes this test binary an invoker at the NATS server it names.
const serveAt = "LOAD_TEST_SERVE_AT"

func TestMain(m *testing.M) {
	if url := os.Getenv(serveAt); url != "" {
		if err := serveChild(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(run(m))
}

// cacheDir is a folder for compiled modules that all tests share.
var cacheDir string

// run runs the tests.
func run(m *testing.M) int {
	var err error
	if cacheDir, err = os.MkdirTemp("", "polyvoke-load-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(cacheDir)
	return m.Run()
}

// serveChild is an invoker with a process of its own. It serves until stdin ends, and says on stdout when it is ready.
func serveChild(url string) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // in the end it is at its end
		stop()
	}()
	rt, err := wasi.New(ctx, wasi.Config{})
	if err != nil {
		return err
	}
	defer rt.Close(context.Background())
	v := &invoker.Invoker{Registry: new(registry.Memory), Runtime: rt, Ready: func() { fmt.Println("ready") }}
	return v.Serve(ctx, nc)
}

// startChild starts an invoker with a process of its own, and waits until it serves.
func startChild(t testing.TB, s *server.Server) (pid int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serveAt+"="+s.ClientURL())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the invoker's process: %v", err)
		}
	})
	if _, err := out.Read(make([]byte, len("ready"))); err != nil {
		t.Fatalf("the invoker is not ready: %v", err)
	}
	return cmd.Process.Pid
}

// startInvoker serves in this process, and returns what serves. What it logs would be counted as memory that it holds.
func startInvoker(t testing.TB, s *server.Server) *invoker.Invoker {
	t.Helper()
	rt, err := wasi.New(context.Background(), wasi.Config{CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	v := &invoker.Invoker{Registry: new(registry.Memory), Runtime: rt, Log: slog.New(slog.DiscardHandler)}
	return invokertest.Serve(t, connect(t, s), v).Invoker
}

// startServer starts a NATS server without JetStream.
func startServer(t testing.TB) *server.Server {
	t.Helper()
	return invokertest.StartNATS(t, func(o *server.Options) {
		o.JetStream, o.MaxPayload = false, 8<<20 // a Go module is that of megabytes
	})
}

// connect opens a connection that the test closes.
func connect(t testing.TB, s *server.Server) *nats.Conn {
	t.Helper()
	return invokertest.Connect(t, s)
}

// deploy deploys a function and waits until it is served.
func deploy(t testing.TB, nc *nats.Conn, f protocol.Function, module []byte) {
	t.Helper()
	manifest, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	m := &nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: module,
		Header: nats.Header{protocol.HeaderManifest: {string(manifest)}}}
	if r, err := ask(nc, m); err != nil || r.Err != nil {
		t.Fatalf("deploy %s: %v, %v", f.Name, r.Err, err)
	}
}

// ask sends a request and returns its reply.
func ask(nc *nats.Conn, m *nats.Msg) (protocol.Reply, error) {
	answer, err := nc.RequestMsg(m, patience)
	if err != nil {
		return protocol.Reply{}, err
	}
	return protocol.ParseReply(protocol.Header(answer.Header), answer.Data)
}
