package jobs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// serverDir is the variable that makes this test binary a NATS server: the folder of its JetStream.
const serverDir = "POLYVOKE_TEST_SERVER"

// served is a NATS server, if the process is to be one, until its stdin ends. It says on stdout where it is.
func served() bool {
	dir := os.Getenv(serverDir)
	if dir == "" {
		return false
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: dir,
		NoLog: true, NoSigs: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		panic("the NATS server does not get ready")
	}
	fmt.Println(s.ClientURL())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(int64(CPU()))
	}
	s.Shutdown()
	s.WaitForShutdown()
	return true
}

// Child is a NATS server in a process of its own.
type Child struct {
	URL string
	in  interface{ Write([]byte) (int, error) }
	out *bufio.Scanner
}

// StartChild starts a NATS server that ends with the test.
func StartChild(t testing.TB) *Child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), serverDir+"="+t.TempDir())
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait()
	})
	child := &Child{in: in, out: bufio.NewScanner(out)}
	if !child.out.Scan() || !strings.HasPrefix(child.out.Text(), "nats://") {
		t.Fatal("the NATS server does not start")
	}
	child.URL = child.out.Text()
	return child
}

// CPU returns the processor time that the server has used.
func (c *Child) CPU() time.Duration {
	if _, err := c.in.Write([]byte("\n")); err != nil || !c.out.Scan() {
		return 0
	}
	var n int64
	_, _ = fmt.Sscan(c.out.Text(), &n)
	return time.Duration(n)
}
