//go:build unix

package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// loadVariable makes the test's program a load generator.
const loadVariable = "POLYVOKE_GATEWAY_LOAD"

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGateway sends the same requests, POST of 16 bytes on connections that stay, to an echo written with net/http
// alone and to the probe behind two gateways, in turns. The load comes from another process, so the processor time is
// that of servers, invoker and NATS together.
func BenchmarkGateway(b *testing.B) {
	bb := newBed(b)
	bb.deploy(b, protocol.Function{Name: "echo", Limits: protocol.Limits{Concurrency: 1000, Queue: 1000}},
		runtimestest.Wasm())
	native := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := w.Header()
		h["Content-Type"], h["Content-Length"] = []string{"text/plain; charset=utf-8"}, []string{strconv.Itoa(len(body))}
		_, _ = w.Write(body)
	}))
	defer native.Close()
	l := startLoad(b)
	sides := []struct{ name, address string }{
		{"native", native.Listener.Addr().String() + "/"},
		{"in-process", strings.TrimPrefix(bb.both[0].url, "http://") + "/fn/echo"},
		{"nats", strings.TrimPrefix(bb.both[1].url, "http://") + "/fn/echo"},
	}
	for _, connections := range []int{16, 128} {
		b.Run(fmt.Sprint("connections=", connections), func(b *testing.B) {
			const turns = 10
			used := make([][]float64, len(sides))
			n := max(b.N, 20*connections)
			for _, s := range sides {
				l.send(b, s.address, connections, n/4) // warm
			}
			for range turns {
				for i, s := range sides {
					cpu := cpuTime()
					l.send(b, s.address, connections, n)
					used[i] = append(used[i], float64(cpuTime()-cpu)/float64(n)/1000)
				}
			}
			for i := range sides {
				slices.Sort(used[i])
			}
			for i, s := range sides {
				b.ReportMetric(used[i][turns/2], s.name+"-us/req")
				if i > 0 {
					b.ReportMetric(used[i][turns/2]/used[0][turns/2], "x-"+s.name)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// load is a process that sends requests.
type load struct {
	in  io.Writer
	out *bufio.Reader
}

// startLoad starts a load generator.
func startLoad(b *testing.B) *load {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), loadVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	return &load{in, bufio.NewReader(out)}
}

// send has n requests sent.
func (l *load) send(b *testing.B, address string, connections, n int) {
	b.Helper()
	fmt.Fprintln(l.in, address, connections, n)
	if line, err := l.out.ReadString('\n'); err != nil || line != "done\n" {
		b.Fatalf("load: %q, %v", line, err)
	}
}

// generate is the load generator: it reads what to send, a line each.
func generate() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var target string
		var connections, n int
		if _, err := fmt.Sscan(lines.Text(), &target, &connections, &n); err != nil {
			panic(err)
		}
		host, path, _ := strings.Cut(target, "/")
		request := []byte("POST /" + path + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 16\r\n\r\n0123456789abcdef")
		var left atomic.Int64
		left.Store(int64(n))
		var all sync.WaitGroup
		for range connections {
			all.Go(func() {
				conn, err := net.Dial("tcp", host)
				if err != nil {
					panic(err)
				}
				defer conn.Close()
				in := bufio.NewReader(conn)
				for left.Add(-1) >= 0 {
					if _, err := conn.Write(request); err != nil {
						panic(err)
					}
					readAnswer(in)
				}
			})
		}
		all.Wait()
		fmt.Println("done")
	}
}

// readAnswer reads an answer with the body of the request.
func readAnswer(in *bufio.Reader) {
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			panic(err)
		}
		if first && !strings.HasPrefix(string(line), "HTTP/1.1 200") {
			panic(string(line))
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := in.Discard(16); err != nil {
		panic(err)
	}
}
