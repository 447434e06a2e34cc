package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestKillDuringDeploysAndCalls kills polyvoke serve, with SIGKILL, twenty times in the middle of
// deployments and calls. Each time the registry opens again, and every function is
// what it was before a deployment or after it, with all versions that were confirmed, each of them
// whole.
func TestKillDuringDeploysAndCalls(t *testing.T) {
	dir := t.TempDir()
	bin := buildPolyvoke(t, dir)
	confirmed := map[string]*atomic.Int64{}
	for i := range 3 {
		confirmed[fmt.Sprint("f", i)] = new(atomic.Int64)
	}
	random := rand.New(rand.NewPCG(7, 11))
	for round := range 20 {
		s := startServe(t, bin, dir)
		s.check(t, confirmed)
		enough := make(chan struct{})
		left := int64(1 + random.IntN(40))
		var done atomic.Int64
		event := func() { // the kill comes in the middle of whatever follows the last event
			if done.Add(1) == left {
				close(enough)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		for name, last := range confirmed {
			work.Go(func() { s.deployUntil(ctx, name, last, event) })
			work.Go(func() { s.callUntil(ctx, name, event) })
		}
		select {
		case <-enough:
		case <-time.After(patience):
			t.Fatalf("round %d: only %d of %d events", round, done.Load(), left)
		}
		s.kill(t)
		stop()
		work.Wait()
	}
	s := startServe(t, bin, dir)
	s.check(t, confirmed)
	s.kill(t)
}

// TestKillBlamesNobody ends polyvoke serve again and again by signals from outside, while a busy function is called and
// a slow one runs: neither is ever refused.
func TestKillBlamesNobody(t *testing.T) {
	dir := t.TempDir()
	bin := buildPolyvoke(t, dir)
	s := startServe(t, bin, dir)
	for name, arg := range map[string]string{"busy": "env", "slow": "loop"} {
		manifest, err := json.Marshal(protocol.Function{Name: name, Args: []string{arg}})
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.nc.RequestMsg(&nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: numbered(int64(len(arg))),
			Header: nats.Header{protocol.HeaderManifest: {string(manifest)}}}, patience)
		if err != nil || m.Header.Get(protocol.HeaderErrorCode) != "" {
			t.Fatalf("deploy %s: %v %v", name, m, err)
		}
	}
	var answers atomic.Int64
	for round := range 12 {
		enough := make(chan struct{})
		left := answers.Load() + 200
		call := func(name string) {
			for {
				m, err := s.nc.Request("fn."+name, nil, patience)
				if err != nil {
					return
				}
				if code := m.Header.Get(protocol.HeaderErrorCode); code != "" && (name == "busy" || code == "422") {
					t.Errorf("round %d: %s: %v", round, name, m.Header)
				}
				if name == "busy" && answers.Add(1) == left {
					close(enough)
				}
			}
		}
		var work sync.WaitGroup
		for _, name := range []string{"busy", "busy", "busy", "slow"} {
			work.Go(func() { call(name) })
		}
		select {
		case <-enough:
		case <-time.After(patience):
			t.Fatalf("round %d: %d answers in all", round, answers.Load())
		}
		s.end(t, []syscall.Signal{syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGKILL, syscall.SIGABRT}[round%4])
		work.Wait()
		s = startServe(t, bin, dir)
	}
	s.kill(t)
}

// TestWaveOfBombs deploys twenty modules that would occupy a compiler for long, all at once, and functions beside
// them: these are there, and answer, while bombs are still waiting.
func TestWaveOfBombs(t *testing.T) {
	dir := t.TempDir()
	s := startServe(t, buildPolyvoke(t, dir), dir)
	deploy := func(name string, module []byte) (*nats.Msg, error) {
		manifest := fmt.Sprintf(`{"name":%q,"args":["env"]}`, name)
		header := nats.Header{protocol.HeaderManifest: {manifest}}
		m := &nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: module, Header: header}
		return s.nc.RequestMsg(m, 4*patience)
	}
	var bombs sync.WaitGroup
	var answered atomic.Int64
	for i := range 20 {
		bombs.Go(func() {
			m, err := deploy(fmt.Sprint("bomb", i), bomb(6000+i, 120))
			if err != nil {
				return // it still waits when the process ends
			}
			answered.Add(1)
			if m.Header.Get(protocol.HeaderErrorCode) != "422" {
				t.Errorf("bomb %d: %v", i, m.Header)
			}
		})
	}
	for i := range 5 {
		start := time.Now()
		m, err := deploy("good", numbered(int64(i)))
		if err != nil || m.Header.Get(protocol.HeaderErrorCode) != "" {
			t.Fatalf("good %d: %v %v", i, m, err)
		}
		if m, err := s.nc.Request("fn.good", nil, patience); err != nil || m.Header.Get(protocol.HeaderErrorCode) != "" {
			t.Errorf("good %d: %v %v", i, m, err)
		}
		t.Logf("good %d took %v; %d bombs are answered", i, time.Since(start), answered.Load())
	}
	if answered.Load() == 20 {
		t.Error("the good functions came last")
	}
	s.kill(t)
	bombs.Wait()
}

// served is a polyvoke serve with a connection to it.
type served struct {
	cmd *exec.Cmd
	nc  *nats.Conn
}

// startServe starts polyvoke serve on a store and waits until it serves.
func startServe(t *testing.T, bin, dir string) *served {
	t.Helper()
	cmd := exec.Command(bin, "serve", "--listen", "127.0.0.1:0",
		"--store", filepath.Join(dir, "store"), "--cache", filepath.Join(dir, "cache"))
	log := &safeBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			nc, err := nats.Connect(m[1], nats.NoReconnect())
			if err != nil {
				t.Fatal(err)
			}
			return &served{cmd, nc}
		}
	}
	t.Fatalf("polyvoke serve does not serve: %v\n%s", cmd.Wait(), log)
	return nil
}

// kill ends the process at once.
func (s *served) kill(t *testing.T) { s.end(t, syscall.SIGKILL) }

// end ends the process with a signal.
func (s *served) end(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
	_ = s.cmd.Wait() // it says that it was killed
	s.nc.Close()
}

// deployUntil deploys one version after the other, each with its number in its environment.
func (s *served) deployUntil(ctx context.Context, name string, confirmed *atomic.Int64, event func()) {
	for ctx.Err() == nil {
		n := confirmed.Load() + 1
		f := protocol.Function{Name: name, Args: []string{"env"}, Env: map[string]string{"N": fmt.Sprint(n)}}
		manifest, _ := json.Marshal(f)
		m, err := s.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: numbered(n),
			Header: nats.Header{protocol.HeaderManifest: {string(manifest)}}})
		if err != nil || m.Header.Get(protocol.HeaderErrorCode) != "" {
			return // it was killed, or is about to be
		}
		confirmed.Store(n)
		event()
	}
}

// numbered returns the probe with a custom section of 300 KB that differs for each n, so that every
// deployment stores a module of several chunks.
func numbered(n int64) []byte {
	fill := bytes.Repeat(fmt.Appendf(nil, "%015d\n", n), 300<<10/16)
	section := append([]byte{4}, "fill"...)
	section = append(section, fill...)
	out := append(runtimestest.Wasm(), 0)
	out = binary.AppendUvarint(out, uint64(len(section)))
	return append(out, section...)
}

// callUntil calls a function for as long as there is an answer.
func (s *served) callUntil(ctx context.Context, name string, event func()) {
	for ctx.Err() == nil {
		_, err := s.nc.RequestWithContext(ctx, "fn."+name, nil)
		if err != nil && err != nats.ErrNoResponders {
			return
		}
		event()
	}
}

// check compares the registry with what was confirmed. A deployment that was not confirmed may
// have happened; it is confirmed then.
func (s *served) check(t *testing.T, confirmed map[string]*atomic.Int64) {
	t.Helper()
	for name, last := range confirmed {
		latest := last.Load()
		if m, err := s.nc.Request("fn."+name, nil, patience); err == nil {
			var n int64
			if _, err := fmt.Sscanf(string(m.Data), "N=%d\x00", &n); err != nil || n != latest && n != latest+1 {
				t.Fatalf("%s: version %d was confirmed, and it answers %q %v", name, latest, m.Data, m.Header)
			}
			last.Store(n)
			latest = n
		} else if err != nats.ErrNoResponders || latest != 0 {
			t.Fatalf("%s: version %d was confirmed, and now: %v", name, latest, err)
		}
		for n := max(1, latest-10); n <= latest; n++ {
			m, err := s.nc.Request(fmt.Sprintf("fn.%s@%d", name, n), nil, patience)
			if err != nil || string(m.Data) != fmt.Sprintf("N=%d\x00", n) {
				t.Errorf("%s@%d: %v %v", name, n, m, err)
			}
		}
	}
}
