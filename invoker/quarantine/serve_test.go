//go:build unix

package quarantine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/quarantine"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// With these variables this binary is an invoker, on a NATS server and with a folder for its journal.
const urlVariable, dirVariable = "JOURNAL_TEST_URL", "JOURNAL_TEST_DIR"

func TestMain(m *testing.M) {
	if url := os.Getenv(urlVariable); url != "" {
		if err := serve(url, os.Getenv(dirVariable)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve serves functions until SIGTERM, or until one of them ends the process.
func serve(url, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := arm(); err != nil {
		return err
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	functions, err := registry.Open(ctx, js, registry.Config{})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	j, err := quarantine.Open(ctx, dir, log)
	if err != nil {
		return err
	}
	defer j.Close()
	v := invoker.Invoker{Registry: functions, Runtime: deadly{}, Journal: j, Log: log, Drain: time.Second,
		Ready: func() { fmt.Println("ready") }}
	return v.Serve(ctx, nc)
}

// orphan ends the process in a goroutine that belongs to no module.
var orphan = make(chan string)

// dead is memory that cannot be written, and illegal is code with an instruction that amd64 does not have.
var dead, illegal []byte

// arm prepares what deeds need.
func arm() (err error) {
	go func() { panic(<-orphan) }()
	page, private := os.Getpagesize(), syscall.MAP_ANON|syscall.MAP_PRIVATE
	if dead, err = syscall.Mmap(-1, 0, page, syscall.PROT_READ, private); err != nil {
		return err
	}
	if illegal, err = syscall.Mmap(-1, 0, page, syscall.PROT_READ|syscall.PROT_WRITE, private); err != nil {
		return err
	}
	copy(illegal, "\x0f\x0b")
	return syscall.Mprotect(illegal, syscall.PROT_READ|syscall.PROT_EXEC)
}

// deadly is a runtime in which a module's text says what its processes do.
type deadly struct{}

func (deadly) Compile(_ context.Context, module []byte, _ runtimes.Options) (runtimes.Program, error) {
	return deed(module), nil
}
func (deadly) Close(context.Context) error { return nil }

// deed is a program of it. The first word counts. It reads its request first: there a deployment's dry run ends it.
type deed string

func (d deed) Run(ctx context.Context, p *runtimes.Process) error {
	if _, err := io.Copy(io.Discard, p.Stdin); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch word, _, _ := strings.Cut(string(d), " "); word {
	case "panic":
		go panic("boom") // nobody can recover from it
		select {}
	case "fatal":
		new(sync.Mutex).Unlock()
	case "fault":
		*(*byte)(unsafe.Pointer(unsafe.SliceData(dead))) = 1
	case "native":
		code := unsafe.Pointer(unsafe.SliceData(illegal))
		function := unsafe.Pointer(&code)
		(*(*func())(unsafe.Pointer(&function)))()
	case "orphan":
		orphan <- "boom"
		select {}
	case "kill", "segv":
		_ = syscall.Kill(os.Getpid(), map[string]syscall.Signal{"kill": syscall.SIGKILL, "segv": syscall.SIGSEGV}[word])
		select {}
	case "hold":
		fmt.Println("holds")
		<-ctx.Done()
		return ctx.Err()
	}
	_, err := io.WriteString(p.Stdout, string(d))
	return err
}
func (deed) Start() runtimes.Start       { return runtimes.Start{} }
func (deed) Close(context.Context) error { return nil }

// stage is where processes live and die: a NATS server and a folder.
type stage struct {
	nc  *nats.Conn
	url string
	dir string
}

// newStage starts a NATS server.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := invokertest.StartNATS(t)
	nc := invokertest.Connect(t, s)
	return &stage{nc: nc, url: s.ClientURL(), dir: filepath.Join(t.TempDir(), "journal")}
}

// child is an invoker in a process of its own.
type child struct {
	*stage
	cmd   *exec.Cmd
	lines *bufio.Scanner
	ended chan struct{}
}

// start starts a child and waits until it serves.
func (s *stage) start(t *testing.T) *child {
	t.Helper()
	c := &child{stage: s, cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	c.cmd.Env = append(os.Environ(), urlVariable+"="+s.url, dirVariable+"="+s.dir)
	c.cmd.Stderr = t.Output()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdout = w
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	c.lines = bufio.NewScanner(r)
	go func() { c.cmd.Wait(); close(c.ended) }()
	t.Cleanup(func() { c.signal(t, syscall.SIGKILL); r.Close() })
	c.line(t, "ready")
	return c
}

// line waits for a line of the child's stdout.
func (c *child) line(t *testing.T, want string) {
	t.Helper()
	late := time.AfterFunc(patience, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	if !c.lines.Scan() || c.lines.Text() != want {
		t.Fatalf("the child says %q, want %q", c.lines.Text(), want)
	}
}

// signal sends the child a signal, if it lives, and waits for its end.
func (c *child) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	_ = c.cmd.Process.Signal(sig)
	c.wait(t)
}

// wait waits for the child's end.
func (c *child) wait(t *testing.T) {
	t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		t.Fatal("the child does not end")
	}
}

// deploy deploys a module under its own text, blanks as hyphens.
func (c *child) deploy(t *testing.T, module string, timeout time.Duration) {
	t.Helper()
	f := protocol.Function{Name: strings.ReplaceAll(module, " ", "-"),
		Limits: protocol.Limits{Timeout: protocol.Duration(timeout)}}
	manifest, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.nc.RequestMsg(&nats.Msg{Subject: protocol.APIDeploy.Subject(), Data: []byte(module),
		Header: nats.Header{protocol.HeaderManifest: {string(manifest)}}}, patience)
	if err != nil || m.Header.Get(protocol.HeaderErrorCode) != "" {
		t.Fatalf("deploy %s: %v %v", module, m, err)
	}
}

// call calls a function and returns the code and the text of its answer, or "dead" if the child dies first.
func (c *child) call(t *testing.T, name string) (code, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-c.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	m, err := c.nc.RequestWithContext(ctx, "fn."+name, nil)
	switch {
	case err == nil:
		return m.Header.Get(protocol.HeaderErrorCode), m.Header.Get(protocol.HeaderError) + string(m.Data)
	case ctx.Err() == context.Canceled:
		return "", "dead"
	}
	t.Fatalf("%s: %v", name, err)
	return "", ""
}

// wantWell checks that a function works.
func (c *child) wantWell(t *testing.T, name string) {
	t.Helper()
	if code, text := c.call(t, name); code != "" || text != name {
		t.Fatalf("%s answers %s %q", name, code, text)
	}
}

// wantDeath checks that a call ends the child.
func (c *child) wantDeath(t *testing.T, name string) {
	t.Helper()
	if code, text := c.call(t, name); text != "dead" {
		t.Fatalf("%s answers %s %q", name, code, text)
	}
	c.wait(t)
}

// wantRefused checks that a function is in quarantine.
func (c *child) wantRefused(t *testing.T, name string) {
	t.Helper()
	if code, text := c.call(t, name); code != "422" ||
		!strings.Contains(text, "quarantine") || !strings.Contains(text, "deploy it again") {
		t.Fatalf("%s answers %s %q", name, code, text)
	}
}

// TestQuarantine has a function crash its process again and again: after the first crash that names it, or the second
// that names nobody, it is refused, and others work. Deploying it again gives it another chance.
func TestQuarantine(t *testing.T) {
	ways := map[string]int{"panic": 1, "fatal": 1, "fault": 1, "orphan": 2}
	if runtime.GOARCH == "amd64" {
		ways["native"] = 1
	}
	for module, deaths := range ways {
		t.Run(module, func(t *testing.T) {
			s := newStage(t)
			c := s.start(t)
			c.deploy(t, "good", 0)
			c.deploy(t, module, 0)
			for range 2 {
				for range deaths {
					c.wantWell(t, "good")
					c.wantDeath(t, module)
					c = s.start(t)
				}
				c.wantRefused(t, module)
				c.wantWell(t, "good")
				c.signal(t, syscall.SIGTERM)
				c = s.start(t)
				c.wantRefused(t, module) // also after an ordinary end
				c.deploy(t, module, 0)
			}
			c.wantDeath(t, module)
		})
	}
}

// TestSignalsFromOutside has signals end the process while a function runs, again and again: it is never refused.
func TestSignalsFromOutside(t *testing.T) {
	for _, module := range []string{"kill", "segv"} {
		t.Run(module, func(t *testing.T) {
			s := newStage(t)
			c := s.start(t)
			c.deploy(t, module, 0)
			for range 5 {
				c.wantDeath(t, module)
				c = s.start(t)
			}
			c.wantDeath(t, module)
		})
	}
}

// TestInnocent kills processes in which functions run that have done nothing, and ends some in order. Nobody is
// refused.
func TestInnocent(t *testing.T) {
	s := newStage(t)
	c := s.start(t)
	c.deploy(t, "good", 0)
	c.deploy(t, "hold", patience)
	c.signal(t, syscall.SIGTERM)
	left, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != "lock" {
		t.Errorf("an ordinary end leaves %s, %v", left, err)
	}
	signals := []os.Signal{syscall.SIGKILL, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGKILL}
	for _, sig := range signals {
		c = s.start(t)
		c.wantWell(t, "good")
		if err := c.nc.Publish("fn.hold", nil); err != nil {
			t.Fatal(err)
		}
		c.line(t, "holds")
		c.signal(t, sig)
	}
	c = s.start(t)
	c.wantWell(t, "good")
	hold := &nats.Msg{Subject: "fn.hold", Header: nats.Header{protocol.HeaderTimeout: {"10ms"}}}
	if m, err := c.nc.RequestMsg(hold, patience); err != nil || m.Header.Get(protocol.HeaderErrorCode) != "504" {
		t.Fatalf("hold: %v %v", m, err)
	}
}

// TestAmongOthers has a function crash the process while others run: it is refused then, and none of them is.
func TestAmongOthers(t *testing.T) {
	s := newStage(t)
	c := s.start(t)
	holds := []string{"hold 1", "hold 2", "hold 3"}
	for _, h := range holds {
		c.deploy(t, h, time.Second)
	}
	c.deploy(t, "panic", patience)
	for deaths := 0; ; deaths++ {
		for _, h := range holds {
			if err := s.nc.Publish("fn."+strings.ReplaceAll(h, " ", "-"), nil); err != nil {
				t.Fatal(err)
			}
		}
		c.line(t, "holds") // one at least
		code, text := c.call(t, "panic")
		if code == "422" {
			break
		}
		if text != "dead" || deaths == 1 {
			t.Fatalf("death %d: %s %q", deaths, code, text)
		}
		c.wait(t)
		c = s.start(t)
	}
	for _, h := range holds {
		if code, text := c.call(t, strings.ReplaceAll(h, " ", "-")); code != "504" {
			t.Errorf("%s, which is innocent, answers %s %q", h, code, text)
		}
	}
}
