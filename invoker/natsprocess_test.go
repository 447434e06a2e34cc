package invoker_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// serverFolder is the variable that makes the tests a NATS server, which has its files there, and serverPort its port.
const (
	serverFolder = "INVOKER_TEST_NATS_DIR"
	serverPort   = "INVOKER_TEST_NATS_PORT"
)

// beServer is what a process does that is a NATS server.
func beServer(dir string) {
	port, err := strconv.Atoi(os.Getenv(serverPort))
	if err != nil {
		panic(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	s.WaitForShutdown()
}

// natsProcess is a NATS server in a process of its own, which can be stopped and killed.
type natsProcess struct {
	testing.TB
	dir  string
	port int
	cmd  *exec.Cmd
}

// startNATSProcess starts a server on a free port.
func startNATSProcess(t testing.TB) *natsProcess {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &natsProcess{TB: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	p.start()
	t.Cleanup(p.kill)
	return p
}

// start starts the process, for the first time or again.
func (p *natsProcess) start() {
	p.Helper()
	self, err := os.Executable()
	if err != nil {
		p.Fatal(err)
	}
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), serverFolder+"="+p.dir, serverPort+"="+strconv.Itoa(p.port))
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.Fatal(err)
	}
}

// kill ends it at once, and waits for that.
func (p *natsProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// connect connects to the server as an invoker does: for ever.
func (p *natsProcess) connect() *nats.Conn {
	p.Helper()
	var nc *nats.Conn
	var err error
	for limit := time.Now().Add(patience); time.Now().Before(limit); {
		nc, err = nats.Connect("nats://127.0.0.1:"+strconv.Itoa(p.port), nats.MaxReconnects(-1),
			nats.ReconnectWait(20*time.Millisecond), nats.PingInterval(time.Second), nats.MaxPingsOutstanding(2))
		if err == nil {
			p.Cleanup(nc.Close)
			return nc
		}
	}
	p.Fatal(err)
	return nil
}
