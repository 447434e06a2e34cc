package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/later"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/invoker/triggers/schedule"
	"github.com/polyvoke/polyvoke/protocol"
)

// invoker is what runs schedules in one process: a front and a mover, on a connection of their own.
type invoker struct {
	*schedule.Front
	nc   *nats.Conn
	stop func()
}

// startInvoker starts one that knows some functions, and ends it with the test.
func startInvoker(t *testing.T, url string, ahead time.Duration, functions ...*protocol.Function) *invoker {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	js := registrytest.JetStream(t, nc)
	waiting := later.New(js, later.Config{})
	mover := later.NewMover(waiting)
	front := schedule.New(schedule.Config{Store: store.New(js, store.Config{}), Later: waiting,
		Now: func() time.Time { return time.Now().Add(ahead) }})
	mover.Handle(schedule.Kind, front.Tick)
	for _, f := range functions {
		front.Apply(f)
	}
	front.Synced()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, serve := range []func(context.Context) error{front.Serve, mover.Move} {
		running.Go(func() {
			if err := serve(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("an invoker ends: %v", err)
			}
		})
	}
	i := &invoker{front, nc, sync.OnceFunc(func() { cancel(); running.Wait(); nc.Close() })}
	t.Cleanup(i.stop)
	return i
}

// job is one that was published.
type job struct {
	function string
	run      time.Time
	late     time.Duration // when it was stored
}

// catch makes one stream in place of all queues, and returns the jobs that it takes.
func catch(t *testing.T, nc *nats.Conn) <-chan job {
	t.Helper()
	js := registrytest.JetStream(t, nc)
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "jobs", Subjects: []string{"polyvoke.job.>"}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	jobs := make(chan job, 100_000)
	consuming, err := c.Consume(func(m jetstream.Msg) {
		run, err := time.Parse(time.RFC3339, m.Headers().Get(protocol.HeaderScheduled))
		meta, bad := m.Metadata()
		if err != nil || bad != nil {
			t.Errorf("%s: %v, %v", m.Subject(), err, bad)
			return
		}
		name, _, _, _ := protocol.ParseJobSubject(m.Subject())
		jobs <- job{name, run, meta.Timestamp.Sub(run)}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(consuming.Stop)
	return jobs
}

func nextJob(t *testing.T, jobs <-chan job) job {
	t.Helper()
	select {
	case j := <-jobs:
		return j
	case <-time.After(registrytest.Patience):
		t.Fatal("no job comes")
		return job{}
	}
}

// Many functions at the same second, with three invokers, of which one stops and one is cut off: each time has one job,
// and none is left out.
func TestManyAtOnce(t *testing.T) {
	many := 1000
	if testing.Short() {
		many = 100
	}
	s := registrytest.StartNATS(t, t.TempDir(), 0)
	jobs := catch(t, registrytest.Connect(t, s))
	var functions []*protocol.Function
	for i := range many {
		functions = append(functions, &protocol.Function{Name: fmt.Sprint("f", i),
			Triggers: []protocol.Trigger{{Schedule: "@every 5s", Missed: protocol.MissedAll}}})
	}
	invokers := []*invoker{}
	for range 3 {
		invokers = append(invokers, startInvoker(t, s.ClientURL(), 0, functions...))
	}
	const rounds = 5
	runs, last := map[string]map[time.Time]bool{}, map[string]time.Time{}
	late := map[time.Time]time.Duration{}
	for full, n := 0, 0; full < many; n++ {
		switch n {
		case many + many/2: // in the middle of a second
			invokers[0].stop()
		case 2*many + many/2:
			invokers[1].nc.Close()
		}
		j := nextJob(t, jobs)
		if runs[j.function] == nil {
			runs[j.function] = map[time.Time]bool{}
		}
		if runs[j.function][j.run] {
			t.Errorf("%s runs twice for %s", j.function, j.run)
		}
		if before, ok := last[j.function]; ok && j.run.Sub(before) != 5*time.Second {
			t.Errorf("%s runs for %s after %s", j.function, j.run, before)
		}
		runs[j.function][j.run], last[j.function] = true, j.run
		if late[j.run] = max(late[j.run], j.late); len(runs[j.function]) == rounds {
			full++
		}
	}
	for run, d := range late {
		t.Logf("%s: the last of the second was %s late", run.Format(time.TimeOnly), d.Round(time.Millisecond))
	}
}

// serveAt is the variable that makes this program a NATS server, whose files are in that folder, at the port of portAt.
const serveAt, portAt = "SCHEDULE_TEST_SERVER", "SCHEDULE_TEST_PORT"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serveAt); dir != "" {
		serveNATS(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// serveNATS is a server until its input ends.
func serveNATS(dir string) {
	port, err := strconv.Atoi(os.Getenv(portAt))
	if err != nil {
		panic(err)
	}
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoSigs: true,
		NoLog: true})
	if err != nil {
		panic(err)
	}
	go s.Start()
	if !s.ReadyForConnections(registrytest.Patience) {
		panic("the server does not get ready")
	}
	fmt.Println(s.Addr().(*net.TCPAddr).Port)
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	s.WaitForShutdown()
}

// child is a server with a process of its own.
type child struct {
	cmd  *exec.Cmd
	in   io.Closer
	port string
}

func startChild(t *testing.T, dir, port string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), serveAt+"="+dir, portAt+"="+port)
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
	c := &child{cmd: cmd, in: in}
	t.Cleanup(func() { c.end(true) })
	if _, err := fmt.Fscanln(out, &c.port); err != nil {
		t.Fatalf("the server is not ready: %v", err)
	}
	return c
}

// end ends the server: orderly, or with SIGKILL.
func (c *child) end(kill bool) {
	if kill {
		_ = c.cmd.Process.Kill()
	}
	c.in.Close()
	_ = c.cmd.Wait()
}

// The server ends, orderly or killed, and all invokers with it. When they come back after many runs were missed, each
// schedule does what its policy says.
func TestRestart(t *testing.T) {
	const every, away = 2 * time.Second, time.Minute
	var functions []*protocol.Function
	for _, missed := range []string{protocol.MissedOnce, protocol.MissedAll, protocol.MissedSkip} {
		functions = append(functions, &protocol.Function{Name: missed,
			Triggers: []protocol.Trigger{{Schedule: "@every 2s", Missed: missed}}})
	}
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprint("killed ", kill), func(t *testing.T) {
			dir := t.TempDir()
			c := startChild(t, dir, "-1")
			nc := connectTo(t, c)
			jobs := catch(t, nc)
			url := nc.ConnectedUrl()
			i := startInvoker(t, url, 0, functions...)
			last := map[string]time.Time{} // of each function
			for len(last) < len(functions) {
				j := nextJob(t, jobs)
				last[j.function] = j.run
			}
			i.stop()
			c.end(kill)
			startChild(t, dir, c.port)
			begin := time.Now().Add(away)
			startInvoker(t, url, away, functions...)
			count := map[string]int{}
			for len(count) < len(functions) || last[protocol.MissedAll].Before(begin.Add(-every)) {
				j := nextJob(t, jobs)
				if !j.run.After(last[j.function]) {
					t.Errorf("%s runs for %s again", j.function, j.run)
				}
				switch step := j.run.Sub(last[j.function]); {
				case j.function == protocol.MissedAll && step != every:
					t.Errorf("all: %s passes between two runs", step)
				case j.function == protocol.MissedSkip && j.run.Before(begin.Add(-6*time.Second)) && step != every:
					t.Errorf("skip: it runs for %s, though it is %s", j.run, begin)
				case j.function == protocol.MissedOnce && count[j.function] == 0 && step < away/2:
					t.Errorf("once: %s passes until the first run", step)
				}
				last[j.function] = j.run
				count[j.function]++
			}
			if count[protocol.MissedAll] < int((away-10*time.Second)/every) {
				t.Errorf("runs: %v", count)
			}
			t.Logf("runs after the restart: %v", count)
		})
	}
}

// connectTo connects to a server that ends and comes back.
func connectTo(t *testing.T, c *child) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("nats://127.0.0.1:"+c.port, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.RetryOnFailedConnect(true))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
