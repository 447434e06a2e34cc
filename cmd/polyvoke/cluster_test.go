package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/proxy"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// sharedNATS starts a NATS server without polyvoke.
func sharedNATS(t *testing.T) *natsd.Server {
	t.Helper()
	s, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// proxied starts a proxy of a NATS server.
func proxied(t *testing.T, url string) *proxy.Proxy {
	t.Helper()
	p, err := proxy.Start(strings.TrimPrefix(url, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// joinServer starts polyvoke serve on a NATS server and waits until it serves.
func joinServer(t *testing.T, bin, url, cache string) *daemon {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--server", url, "--cache", cache)
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "NATS_TIMEOUT=30s")
	d, lines, end, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	if servingURL(lines) == "" {
		t.Fatalf("polyvoke serve does not serve: %s", d.log)
	}
	return d
}

// session connects a client.
func session(t *testing.T, url string) *connect.Session {
	t.Helper()
	s, err := connect.To(&connect.Settings{Server: url, Timeout: patience}, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// numberedProbe is a version of the probe, which says its number.
func numberedProbe(name string, n int) protocol.Function {
	return protocol.Function{Name: name, Args: []string{"env"}, Env: map[string]string{"N": strconv.Itoa(n)}}
}

// TestFrozenInvoker stops one of three invokers with SIGSTOP. Each deployment ends soon, works on the two others, and
// names the process that did not confirm it. The server drops that one within 20 s. When it goes on, it serves what
// was deployed meanwhile, and nothing that it was asked for before comes after that.
func TestFrozenInvoker(t *testing.T) {
	bin := buildPolyvoke(t, t.TempDir())
	server := sharedNATS(t)
	cache := t.TempDir()
	var all [3]*daemon
	for i := range all {
		all[i] = joinServer(t, bin, server.URL(), filepath.Join(cache, strconv.Itoa(i)))
	}
	s := session(t, server.URL())
	deploy := func(n int) protocol.DeployReply {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		begun := time.Now()
		reply, err := s.Deploy(ctx, numberedProbe("f", n), runtimestest.Wasm())
		if err != nil {
			t.Fatalf("deployment %d, after %v: %v", n, time.Since(begun), err)
		}
		t.Logf("deployment %d took %v: %q", n, time.Since(begun).Round(time.Millisecond), reply.Warnings)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("deployment %d took %v", n, took)
		}
		return reply
	}
	if reply := deploy(1); len(reply.Warnings) > 0 {
		t.Errorf("warnings while all are well: %q", reply.Warnings)
	}

	frozen := all[1].cmd.Process
	if err := frozen.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frozen.Signal(syscall.SIGCONT) }()
	stopped := time.Now()
	process := fmt.Sprintf("process %d ", frozen.Pid)
	for n := 2; n <= 6; n++ {
		reply := deploy(n)
		if len(reply.Warnings) != 1 || !strings.Contains(reply.Warnings[0], process) {
			t.Errorf("deployment %d: warnings %q, want one that names %s", n, reply.Warnings, process)
		}
		if _, err := s.List(t.Context()); err != nil {
			t.Errorf("list: %v", err)
		}
		if i, err := s.Info(t.Context(), "f"); err != nil || i.Function.Version != n {
			t.Errorf("info: %v", err)
		}
	}
	awaitDropped(t, s, process, stopped)

	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	awaitMembers(t, s, len(all))
	reply := deploy(7)
	for n := 8; len(reply.Warnings) > 0 && n < 200; n++ { // until the others have heard it again, at its next sign of life
		time.Sleep(100 * time.Millisecond)
		reply = deploy(n)
	}
	if len(reply.Warnings) > 0 {
		t.Errorf("after all of it: version %d, warnings %q", reply.Function.Version, reply.Warnings)
	}
}

// members asks which invokers are there, for a moment.
func members(t *testing.T, s *connect.Session, want int) int {
	t.Helper()
	inbox := s.NewInbox()
	sub, err := s.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.PublishRequest(protocol.APIPing.Subject(), inbox, nil); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		if n == want {
			return n
		}
		if m, err := sub.NextMsg(time.Second); err != nil || len(m.Data) == 0 {
			return n
		}
	}
}

// awaitMembers waits until that number of invokers is there.
func awaitMembers(t *testing.T, s *connect.Session, want int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for n := -1; n != want; n = members(t, s, want) {
		if time.Now().After(deadline) {
			t.Fatalf("%d invokers answer, want %d", n, want)
		}
	}
}

// awaitDropped waits until no call reaches an invoker that is stopped.
func awaitDropped(t *testing.T, s *connect.Session, process string, stopped time.Time) {
	t.Helper()
	for inRow := 0; inRow < 20; {
		if time.Since(stopped) > patience {
			t.Fatalf("calls still reach %s, %v after it was stopped", process, time.Since(stopped))
		}
		if _, err := s.Request("fn.f", nil, time.Second); err == nil {
			inRow++
			continue
		} else if !errors.Is(err, nats.ErrTimeout) {
			t.Fatal(err)
		}
		inRow = 0
	}
	t.Logf("no call reached it any more %v after it was stopped", time.Since(stopped).Round(time.Second))
}

// TestFlappingConnections cuts every connection of a client and of an invoker with their NATS server once a second. All
// deployments succeed within their time, and so does what is safe to ask twice.
func TestFlappingConnections(t *testing.T) {
	const flap, workers, each, cuts = time.Second, 4, 8, 5
	bin := buildPolyvoke(t, t.TempDir())
	server := sharedNATS(t)
	toInvoker, toClient := proxied(t, server.URL()), proxied(t, server.URL())
	invoker := joinServer(t, bin, "nats://"+toInvoker.Addr(), t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	var flapping, working sync.WaitGroup
	flapping.Go(func() { toInvoker.Flap(ctx, flap) })
	flapping.Go(func() {
		time.Sleep(flap / 2) // so that the two do not come at the same moment
		toClient.Flap(ctx, flap)
	})
	var deployed, called, cut atomic.Int64
	enough := func(n int) bool { return n > each && toInvoker.Cuts() >= cuts && toClient.Cuts() >= cuts }
	for w := range workers {
		working.Go(func() {
			name := fmt.Sprint("f", w)
			for n := 1; !enough(n) && !t.Failed(); n++ {
				deployed.Add(1)
				rideOver(t, "nats://"+toClient.Addr(), name, n, &called, &cut)
			}
		})
	}
	working.Go(func() { commandLine(t, bin, "nats://"+toClient.Addr()) })
	working.Wait()
	stop()
	flapping.Wait()
	t.Logf("%d deployments, %d calls answered and %d cut, "+
		"while the client's connection was cut %d times and the invoker's %d times",
		deployed.Load(), called.Load(), cut.Load(), toClient.Cuts(), toInvoker.Cuts())
	if t.Failed() {
		t.Logf("the invoker: %s", invoker.log)
	}
}

// rideOver connects, deploys a version, looks at it, calls and, now and then, removes it, on a connection that breaks
// again and again.
func rideOver(t *testing.T, url, name string, n int, called, cut *atomic.Int64) {
	s, err := connect.To(&connect.Settings{Server: url, Timeout: 20 * time.Second}, t.Name())
	if err != nil {
		t.Errorf("connect for %s, version %d: %v", name, n, err)
		return
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	begun := time.Now()
	reply, err := s.Deploy(ctx, numberedProbe(name, n), numbered(int64(n)))
	if err != nil || !reply.Created {
		t.Errorf("deployment of %s, version %d, after %v: created %t, %v", name, n, time.Since(begun), reply.Created, err)
		return
	}
	if _, err := s.List(ctx); err != nil {
		t.Errorf("list: %v", err)
	}
	if i, err := s.Info(ctx, name); err != nil || i.Function.Env["N"] != strconv.Itoa(n) {
		t.Errorf("info of %s, version %d: %v", name, n, err)
	}
	r, err := s.Call(ctx, &protocol.Request{Function: protocol.Ref{Name: name}, Timeout: 2 * time.Second})
	switch code := protocol.CodeOf(err); {
	case err == nil && r.Err == nil && string(r.Body) == fmt.Sprintf("N=%d\x00", n):
		called.Add(1)
	case code == protocol.CodeUnavailable && strings.Contains(err.Error(), "broke"), code == protocol.CodeTimeout:
		cut.Add(1) // it may have run: to send it again would not be safe
	case code == protocol.CodeUnavailable && strings.Contains(err.Error(), "serves it just now: try again"):
		cut.Add(1) // the invoker's connection was cut for longer than the client waits, as on a busy machine
	default:
		t.Errorf("call of %s, version %d: %+v, %v", name, n, r, err)
	}
	if n%4 == 0 {
		if gone, err := s.Remove(ctx, name); err != nil || gone.Removed != name {
			t.Errorf("removal of %s: %+v, %v", name, gone, err)
		}
	}
}

// commandLine does the same with the command.
func commandLine(t *testing.T, bin, url string) {
	greet := filepath.Join(t.TempDir(), "probe.wasm")
	if err := setup(filepath.Dir(greet)); err != nil {
		t.Error(err)
		return
	}
	for n := 1; n <= 4 && !t.Failed(); n++ {
		for _, args := range [][]string{
			{"deploy", greet, "--name", "cli", "--env", fmt.Sprint("N=", n)}, {"ls", "--json"}, {"info", "cli", "--json"},
			{"rm", "cli"},
		} {
			cmd := exec.Command(bin, append(args, "--server", url, "--timeout", "20s")...)
			if args[0] == "deploy" {
				cmd = exec.Command(bin, append(args, "--server", url)...)
			}
			cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir())
			watchdog := time.AfterFunc(lifetime, func() { _ = cmd.Process.Kill() })
			out, err := cmd.CombinedOutput()
			watchdog.Stop()
			if err != nil {
				t.Errorf("polyvoke %s: %v\n%s", args, err, out)
			}
		}
	}
}

// hostOf returns HOST:PORT of a URL.
func hostOf(t *testing.T, text string) string {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// TestInvokersAreListed checks what a ping of all invokers says.
func TestInvokersAreListed(t *testing.T) {
	bin := buildPolyvoke(t, t.TempDir())
	server := sharedNATS(t)
	d := joinServer(t, bin, server.URL(), t.TempDir())
	s := session(t, "nats://"+hostOf(t, server.URL()))
	m, err := s.Request(protocol.APIPing.Subject(), nil, patience)
	var p protocol.Pong
	if err == nil {
		err = json.Unmarshal(m.Data, &p)
	}
	if err != nil || p.ID == "" || p.PID != d.cmd.Process.Pid || p.Busy {
		t.Errorf("%+v, %v", p, err)
	}
}
