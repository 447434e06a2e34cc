package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/samples"
)

// TestGatewayKilled kills a gateway again and again while clients post jobs and talk over WebSockets. Clients of
// WebSockets connect anew and are heard again, and each job that was answered with 202 has its outcome.
func TestGatewayKilled(t *testing.T) {
	dir := t.TempDir()
	bin := buildPolyvoke(t, dir)
	s := startServe(t, bin, dir)
	defer s.kill(t)
	c := &client.Client{Conn: s.nc}
	echo := protocol.Function{Name: "echo", Args: []string{"echo"}, Limits: protocol.Limits{Timeout: protocol.Duration(patience)}}
	if _, err := c.Deploy(t.Context(), echo, runtimestest.Wasm()); err != nil {
		t.Fatal(err)
	}
	chat := protocol.Function{Name: "chat", WebSocket: []protocol.WebSocketRoute{{Route: "/chat/{room}"}},
		Limits: protocol.Limits{Timeout: protocol.Duration(patience)}}
	if _, err := c.Deploy(t.Context(), chat, samples.Chats()[0].Wasm); err != nil {
		t.Fatal(err)
	}
	g := &mortal{T: t, bin: bin, nats: s.nc.ConnectedUrl(), addr: freeAddress(t)}
	g.start()
	defer func() { g.kill() }()
	const kills, jobs = 3, 40
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	for i := range 3 {
		working.Go(func() { g.talk(ctx, i) })
	}
	for range 3 {
		working.Go(func() { g.post(ctx) })
	}
	for range kills {
		heard, accepted := g.heard.Load(), g.accepted()
		await.Until(t, "texts and jobs", func() bool { return g.heard.Load() >= heard+20 && g.accepted() >= accepted+jobs })
		g.kill()
		g.start()
	}
	heard, connected := g.heard.Load(), g.connected.Load()
	await.Until(t, "texts after the last kill", func() bool { return g.heard.Load() >= heard+20 })
	if connected < 3+kills {
		t.Errorf("clients connected %d times", connected)
	}
	stop()
	working.Wait()
	g.judge()
}

// mortal is a gateway that is killed, and its clients.
type mortal struct {
	*testing.T
	bin, nats, addr string
	cmd             *exec.Cmd
	heard           atomic.Int64 // texts that came back to who had sent them
	connected       atomic.Int64 // connections that were made

	mu   sync.Mutex
	jobs []string // where the outcomes of accepted ones are
}

// freeAddress returns one that nobody listens on.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the gateway, on the address that it always has.
func (g *mortal) start() {
	g.Helper()
	g.cmd = exec.Command(g.bin, "gateway", "--server", g.nats, "--http", g.addr)
	log := &safeBuffer{}
	g.cmd.Stderr = log
	out, err := g.cmd.StdoutPipe()
	if err == nil {
		err = g.cmd.Start()
	}
	if err != nil {
		g.Fatal(err)
	}
	watchdog := time.AfterFunc(patience, func() { _ = g.cmd.Process.Kill() })
	defer watchdog.Stop()
	if httpURLOf(bufio.NewScanner(out)) == "" {
		g.Fatalf("the gateway does not answer: %v\n%s", g.cmd.Wait(), log)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
}

// kill kills the gateway.
func (g *mortal) kill() {
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait() // it says that it was killed
}

// post posts jobs, and keeps those that were accepted.
func (g *mortal) post(ctx context.Context) {
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, "POST", "http://"+g.addr+"/job/echo", strings.NewReader("do"))
		if err != nil {
			g.Error(err)
			return
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			continue // it is being killed
		}
		_ = a.Body.Close()
		if a.StatusCode == http.StatusAccepted {
			g.mu.Lock()
			g.jobs = append(g.jobs, a.Header.Get("Location"))
			g.mu.Unlock()
		}
	}
}

// accepted returns how many jobs were.
func (g *mortal) accepted() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.jobs)
}

// talk talks with a function, over one connection after the other.
func (g *mortal) talk(ctx context.Context, who int) {
	for ctx.Err() == nil {
		url := fmt.Sprintf("ws://%s/chat/room%d?name=client%d", g.addr, who, who)
		ws, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
		if err != nil {
			continue // it is not there yet
		}
		g.connected.Add(1)
		ended := context.AfterFunc(ctx, func() { _ = ws.Close() })
		for n := 0; g.exchange(ws, fmt.Sprintf("client%d: %d", who, n), fmt.Sprint(n)); n++ {
			g.heard.Add(1)
		}
		ended()
		_ = ws.Close()
	}
}

// exchange says something and reports whether what is wanted comes back, whatever comes before.
func (g *mortal) exchange(ws *websocket.Conn, want, text string) bool {
	if ws.SetReadDeadline(time.Now().Add(patience)) != nil || ws.WriteMessage(websocket.TextMessage, []byte(text)) != nil {
		return false
	}
	for {
		_, got, err := ws.ReadMessage()
		if err != nil || string(got) == want {
			return err == nil
		}
	}
}

// judge asks for the outcome of each accepted job.
func (g *mortal) judge() {
	g.Logf("%d jobs were accepted, %d texts heard, %d connections made", len(g.jobs), g.heard.Load(), g.connected.Load())
	for _, location := range g.jobs {
		if status, _, outcome := ask(g.T, "GET", "http://"+g.addr+location, "", ""); status != 200 || outcome != "do" {
			g.Errorf("%s: %d %.200s", location, status, outcome)
		}
	}
}
