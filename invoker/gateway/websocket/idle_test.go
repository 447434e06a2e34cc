package websocket

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// childServer is the address of the NATS server in a child, see gatewayChild.
const childServer = "POLYVOKE_TEST_WEBSOCKETS"

// gatewayChild is a gateway with nothing but a hub, in a process of its own: it prints its address, serves until stdin
// ends, and says on /rss how much memory it has.
func gatewayChild(server string) {
	nc, err := nats.Connect(server)
	if err != nil {
		panic(err)
	}
	defer nc.Close()
	hub := New(Config{Caller: echo, Conn: nc, ID: "gw", Ping: time.Hour}) // pings would come between
	route := &protocol.WebSocketRoute{Route: "/ws/{room}", Topics: []string{"news"}}
	mux := http.NewServeMux()
	mux.HandleFunc("/ws/{room}", func(w http.ResponseWriter, r *http.Request) {
		header := protocol.Header{protocol.HeaderPath: {r.URL.EscapedPath()}, protocol.HeaderRoute: {route.Route},
			protocol.HeaderClient: {"127.0.0.1"}, protocol.HeaderMethod: {"GET"},
			protocol.HeaderParam + "room": {r.PathValue("room")}, "User-Agent": {r.UserAgent()}}
		answer(w, hub.Serve(w, r, protocol.Ref{Name: "chat"}, route, header))
	})
	mux.HandleFunc("/rss", func(w http.ResponseWriter, r *http.Request) {
		runtime.GC()
		debug.FreeOSMemory()
		b, _ := os.ReadFile("/proc/self/statm")
		fmt.Fprint(w, strings.Fields(string(b))[1], " ", runtime.NumGoroutine())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() { _ = (&http.Server{Handler: mux}).Serve(l) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestIdle measures how much memory idle connections cost a gateway in a process of its own, and how long it takes to
// push to all of them. SOCKETS says how many there are.
func TestIdle(t *testing.T) {
	n := 2000
	if s := os.Getenv("SOCKETS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	ns := invokertest.StartNATS(t)
	nc := connect(t, ns)
	address := startChild(t, ns.ClientURL())
	rss := func() (bytes, goroutines int) {
		resp, err := http.Get("http://" + address + "/rss")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := fmt.Fscan(resp.Body, &bytes, &goroutines); err != nil {
			t.Fatal(err)
		}
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		return bytes * os.Getpagesize(), goroutines
	}
	warm := dialRaw(t, address)
	before, alone := rss()
	conns := make([]*rawConn, n)
	for i := range conns {
		conns[i] = dialRaw(t, address)
	}
	after, all := rss()
	each := float64(after-before) / float64(n) / 1024
	t.Logf("%d idle connections: %.1f KiB each, %d goroutines", n, each, all-alone)
	if all-alone > n+5 {
		t.Errorf("%d goroutines for %d connections", all-alone, n)
	}
	if each > 9 && n >= 2000 && !raced() {
		t.Errorf("an idle connection costs %.1f KiB", each)
	}
	var took []time.Duration
	for _, topic := range []bool{false, true, false, true, false, true} {
		took = append(took, pushAll(t, nc, append(conns, warm), topic))
	}
	t.Logf("push to all: one publish each %s, by a topic %s", slices.Min([]time.Duration{took[0], took[2], took[4]}),
		slices.Min([]time.Duration{took[1], took[3], took[5]}))
	later, _ := rss()
	t.Logf("after that: %.1f KiB each", float64(later-before)/float64(n)/1024)
}

// raced reports whether the race detector is on, whose own memory is several times a connection's.
func raced() bool {
	b, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(b.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// startChild starts a gatewayChild, which ends with the test, and returns its address.
func startChild(t *testing.T, server string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childServer+"="+server)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// rawConn is a client that is small enough to have many of.
type rawConn struct{ net.Conn }

// dialRaw connects a client.
func dialRaw(t *testing.T, address string) *rawConn {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	handshake(t, nc, "/ws/room")
	buf := make([]byte, 1024)
	for n := 0; !strings.HasSuffix(string(buf[:n]), "\r\n\r\n"); {
		k, err := nc.Read(buf[n:])
		if n += k; err != nil {
			t.Fatalf("handshake: %v, %s", err, buf[:n])
		}
	}
	if !strings.HasPrefix(string(buf), "HTTP/1.1 101 ") {
		t.Fatalf("handshake: %s", buf)
	}
	return &rawConn{nc}
}

// pushAll pushes to all clients, and returns how long it takes until the last one has it.
func pushAll(t *testing.T, nc *nats.Conn, conns []*rawConn, topic bool) time.Duration {
	t.Helper()
	var ready, done sync.WaitGroup
	ready.Add(len(conns))
	for _, c := range conns {
		done.Go(func() {
			ready.Done()
			var b [7]byte
			if _, err := io.ReadFull(c, b[:]); err != nil || string(b[2:]) != "hello" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	ready.Wait()
	begin := time.Now()
	var err error
	if topic {
		err = nc.Publish("news", []byte("hello"))
	} else {
		for i := range conns {
			if err = nc.Publish(fmt.Sprint("ws.gw.", i+1), []byte("hello")); err != nil {
				break
			}
		}
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	done.Wait()
	return time.Since(begin)
}
