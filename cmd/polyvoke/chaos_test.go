package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/proxy"
	"github.com/polyvoke/polyvoke/protocol"
)

// The measure of TestChaos. CHAOS_TIME, CHAOS_SEED and CHAOS_RECOVERY are the variables that change it; see make chaos.
const (
	chaosTime     = 35 * time.Second
	chaosRecovery = 30 * time.Second // on a machine that does much else, under the race detector; make chaos asks for 5 s
	chaosInvokers = 3
	chaosRate     = 500                    // calls a second
	chaosDeploys  = 500 * time.Millisecond // between two deployments
	chaosDisk     = 512 << 20              // bytes that the server has for its data
	deployTime    = 30 * time.Second       // for one deployment
)

// natsChildStore is the variable that makes this test binary a NATS server with its data in the folder that it names,
// on the address that natsChildListen names.
const (
	natsChildStore  = "POLYVOKE_TEST_NATS_STORE"
	natsChildListen = "POLYVOKE_TEST_NATS_LISTEN"
)

// natsChild is a NATS server with a process of its own, until stdin ends.
func natsChild(store, listen string) int {
	s, err := natsd.Start(natsd.Config{Store: store, Listen: listen})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.URL())
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Close()
	return 0
}

// TestChaos runs three invokers on one NATS server, calls six functions 500 times a second and deploys them twice a
// second, while at random, by a seed, invokers are killed or stopped, connections are cut, buckets and streams are
// deleted, the server is killed, and its disk is full. Each request must be answered, unless the connection of its
// caller was cut or it was sent while a fault lasted; no function may be refused as one that does harm; and all must
// be well again soon after the end of each fault, without a restart of what was not killed.
func TestChaos(t *testing.T) {
	length, recovery := duration(t, "CHAOS_TIME", chaosTime), duration(t, "CHAOS_RECOVERY", chaosRecovery)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHAOS_SEED is %q: %v", text, err)
		}
	}
	t.Logf("CHAOS_SEED=%d", seed)
	w := newWorld(t)
	l := newLoad(w)
	l.deployAll(t)
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() { l.call(ctx) })
	working.Go(func() { l.deploy(ctx) })
	log := &faultLog{begun: time.Now()}
	w.faults(t, log, rand.New(rand.NewPCG(seed, 1)), length,
		func() (time.Duration, error) { return l.recovered(t.Context(), recovery) })
	stop()
	working.Wait()
	l.judge(t, log, recovery)
}

// duration reads a variable.
func duration(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s is %q: %v", name, text, err)
	}
	return d
}

// world is what faults happen to.
type world struct {
	bin, dir, disk string
	mounted        bool
	server         *supervised
	url            string // of the server itself
	proxies        [chaosInvokers]*proxy.Proxy
	callers        *proxy.Proxy
	invokers       [chaosInvokers]*supervised
}

// newWorld starts it all.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	w.bin = buildPolyvoke(t, w.dir)
	w.disk = filepath.Join(w.dir, "disk")
	if err := os.Mkdir(w.disk, 0o700); err != nil {
		t.Fatal(err)
	}
	mount := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", chaosDisk), "tmpfs", w.disk)
	if out, err := mount.CombinedOutput(); err != nil {
		t.Logf("the disk is not filled, since no small one can be mounted here: %v: %s", err, out)
	} else {
		w.mounted = true
		t.Cleanup(func() {
			if out, err := exec.Command("umount", w.disk).CombinedOutput(); err != nil {
				t.Errorf("umount: %v: %s", err, out)
			}
		})
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	listen := "127.0.0.1:0"
	w.server = supervise(t, "server", func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(cmd.Environ(), natsChildStore+"="+w.disk, natsChildListen+"="+listen)
		return cmd
	})
	w.url = w.server.await(t)
	listen = strings.TrimPrefix(w.url, "nats://") // where it is found when it is started again
	w.callers = proxied(t, w.url)
	for i := range w.invokers {
		w.proxies[i] = proxied(t, w.url)
		w.invokers[i] = supervise(t, fmt.Sprint("invoker ", i), func() *exec.Cmd {
			cmd := exec.Command(w.bin, "serve", "--server", "nats://"+w.proxies[i].Addr(),
				"--cache", filepath.Join(w.dir, "cache"+strconv.Itoa(i)))
			cmd.Env = append(cmd.Environ(), "HOME="+w.dir)
			return cmd
		})
	}
	for _, s := range w.invokers {
		s.await(t)
	}
	return w
}

// supervised is a process that is started again whenever it ends, as a supervisor does.
type supervised struct {
	name    string
	command func() *exec.Cmd
	ready   chan string // gets the first line of each start
	log     safeBuffer
	done    sync.WaitGroup

	mu      sync.Mutex
	cmd     *exec.Cmd
	over    bool
	starts  int
	ended   int  // how often it has ended by itself
	killing bool // its end is asked for
}

// restartPause is what a supervisor waits for before it starts something again.
const restartPause = 200 * time.Millisecond

// supervise starts a process.
func supervise(t *testing.T, name string, command func() *exec.Cmd) *supervised {
	t.Helper()
	s := &supervised{name: name, command: command, ready: make(chan string, 1000)}
	s.done.Go(s.run)
	t.Cleanup(func() {
		s.mu.Lock()
		s.over, s.killing = true, true
		s.signalLocked(syscall.SIGKILL)
		s.mu.Unlock()
		s.done.Wait()
		if t.Failed() {
			text := s.log.String()
			t.Logf("%s: %s", name, text[max(0, len(text)-4000):])
		}
	})
	return s
}

// run starts the process again and again.
func (s *supervised) run() {
	for s.once() {
		time.Sleep(restartPause)
	}
}

// once runs the process, and reports whether it is to be started again.
func (s *supervised) once() bool {
	cmd := s.command()
	cmd.Stderr = &s.log
	in, err := cmd.StdinPipe()
	if err != nil {
		return false
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return false
	}
	s.mu.Lock()
	if s.over || cmd.Start() != nil {
		s.mu.Unlock()
		return false
	}
	s.cmd, s.killing = cmd, false
	s.starts++
	s.mu.Unlock()
	lines := bufio.NewScanner(out)
	for first := true; lines.Scan(); first = false {
		if first {
			s.ready <- lines.Text()
		}
	}
	_ = cmd.Wait() // how it ended does not matter to a supervisor
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.killing {
		s.ended++
		fmt.Fprintf(&s.log, "%s ended by itself: %v\n", s.name, cmd.ProcessState)
	}
	s.cmd = nil
	return !s.over
}

// await waits until it has started, and returns what it says then.
func (s *supervised) await(t *testing.T) string {
	t.Helper()
	select {
	case line := <-s.ready:
		return line
	case <-time.After(patience):
		t.Fatalf("%s has not started: %s", s.name, s.log.String())
		return ""
	}
}

// signal sends it a signal.
func (s *supervised) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signalLocked(sig)
}

func (s *supervised) signalLocked(sig syscall.Signal) {
	if s.cmd != nil {
		s.killing = s.killing || sig == syscall.SIGKILL
		_ = s.cmd.Process.Signal(sig) // an error means that it has ended
	}
}

// fault is something that happens. begin returns what ends it, after a while if it lasts.
type fault struct {
	name  string
	lasts bool
	begin func(w *world, r *rand.Rand) (end func() error, err error)
}

// chaosFaults are what can happen, as far as CHAOS_FAULTS, a regular expression, takes their names.
func chaosFaults(t *testing.T, mounted bool) []fault {
	t.Helper()
	all := []fault{
		{"kill -9 of an invoker", false, func(w *world, r *rand.Rand) (func() error, error) {
			w.invokers[r.IntN(chaosInvokers)].signal(syscall.SIGKILL)
			return nil, nil
		}},
		{"kill -9 of all invokers", false, func(w *world, _ *rand.Rand) (func() error, error) {
			for _, s := range w.invokers {
				s.signal(syscall.SIGKILL)
			}
			return nil, nil
		}},
		{"SIGSTOP of an invoker", true, func(w *world, r *rand.Rand) (func() error, error) {
			s := w.invokers[r.IntN(chaosInvokers)]
			s.signal(syscall.SIGSTOP)
			return func() error { s.signal(syscall.SIGCONT); return nil }, nil
		}},
		{"an invoker's connection flaps", true, func(w *world, r *rand.Rand) (func() error, error) {
			return flap(w.proxies[r.IntN(chaosInvokers)]), nil
		}},
		{"the callers' connections flap", true,
			func(w *world, _ *rand.Rand) (func() error, error) { return flap(w.callers), nil }},
		{"all connections flap", true, func(w *world, _ *rand.Rand) (func() error, error) {
			return flap(append(w.proxies[:], w.callers)...), nil
		}},
		{"kill -9 of the server", false, func(w *world, _ *rand.Rand) (func() error, error) {
			w.server.signal(syscall.SIGKILL)
			return nil, nil
		}},
		{"deletion of fn_bodies", false, deleting("OBJ_fn_bodies")},
		{"deletion of FN_LOG", false, deleting("FN_LOG")},
		{"deletion of fn_functions", false, deleting("KV_fn_functions")},
		{"deletion of fn_modules", false, deleting("OBJ_fn_modules")},
	}
	if mounted {
		all = append(all, fault{"full disk", true, fillDisk})
	}
	wanted, err := regexp.Compile(os.Getenv("CHAOS_FAULTS"))
	if err == nil {
		all = slices.DeleteFunc(all, func(f fault) bool { return !wanted.MatchString(f.name) })
	}
	if err != nil || len(all) == 0 {
		t.Fatalf("CHAOS_FAULTS is %q, which takes %d faults: %v", os.Getenv("CHAOS_FAULTS"), len(all), err)
	}
	return all
}

// flap cuts connections once a second until it is ended.
func flap(all ...*proxy.Proxy) (end func() error) {
	ctx, stop := context.WithCancel(context.Background())
	var flapping sync.WaitGroup
	for _, p := range all {
		flapping.Go(func() {
			p.Cut()
			p.Flap(ctx, time.Second)
		})
	}
	return func() error {
		stop()
		flapping.Wait()
		return nil
	}
}

// deleting deletes a stream of the server, as a user with that permission can.
func deleting(stream string) func(*world, *rand.Rand) (func() error, error) {
	return func(w *world, _ *rand.Rand) (func() error, error) {
		s, err := connect.To(&connect.Settings{Server: w.url, Timeout: deployTime}, "chaos")
		if err != nil {
			return nil, err
		}
		defer s.Close()
		ctx, cancel := s.Within(context.Background())
		defer cancel()
		if err := s.JS.DeleteStream(ctx, stream); !errors.Is(err, jetstream.ErrStreamNotFound) {
			return nil, err
		}
		return nil, nil // it has not come back since the last time, which recovery says
	}
}

// fillDisk leaves no room on the server's disk.
func fillDisk(w *world, _ *rand.Rand) (func() error, error) {
	path := filepath.Join(w.disk, "full")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for size := len(block); size > 0; { // down to the last byte
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
	return func() error { return os.Remove(path) }, nil
}

// happened is a fault that was.
type happened struct {
	name       string
	begin, end time.Time // end is when it was over, and all was well again
	recovery   time.Duration
	err        error // what was not well
}

// faultLog is what has happened.
type faultLog struct {
	begun time.Time
	all   []happened
}

// faults lets things happen, one after the other, until the time is over. Each kind comes once before any comes again.
func (w *world) faults(
	t *testing.T, log *faultLog, r *rand.Rand, length time.Duration, recovered func() (time.Duration, error),
) {
	all := chaosFaults(t, w.mounted)
	var order []int
	for time.Since(log.begun) < length {
		if len(order) == 0 {
			order = r.Perm(len(all))
		}
		time.Sleep(time.Second/2 + rand.N(time.Second)) // without a fault
		f := all[order[0]]
		order = order[1:]
		h := happened{name: f.name, begin: time.Now()}
		end, err := f.begin(w, r)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
		if f.lasts {
			time.Sleep(time.Second + rand.N(3*time.Second)) // the length of the fault itself
		}
		if end != nil {
			if err := end(); err != nil {
				t.Errorf("end of %s: %v", f.name, err)
			}
		}
		h.recovery, h.err = recovered()
		h.end = time.Now()
		log.all = append(log.all, h)
		verdict := "all is well after " + h.recovery.Round(10*time.Millisecond).String()
		if h.err != nil {
			verdict = "NOT WELL: " + h.err.Error()
		}
		t.Logf("%6.1f s: %-32s %s", h.begin.Sub(log.begun).Seconds(), f.name, verdict)
		if h.err != nil {
			t.Errorf("%s: %v", f.name, h.err)
		}
		if h.recovery > deployTime {
			return // nothing that follows would say more
		}
	}
}

// during reports whether a fault was, or its recovery, at any time from a to b.
func (l *faultLog) during(a, b time.Time) (name string, was bool) {
	for _, h := range l.all {
		if a.Before(h.end) && b.After(h.begin) {
			return h.name, true
		}
	}
	return "", false
}

// String is a table of what has happened, by kind.
func (l *faultLog) String() string {
	type row struct {
		n, unwell   int
		sum, slower time.Duration
	}
	rows := map[string]*row{}
	var names []string
	for _, h := range l.all {
		if rows[h.name] == nil {
			rows[h.name] = &row{}
			names = append(names, h.name)
		}
		r := rows[h.name]
		r.n++
		r.sum += h.recovery
		r.slower = max(r.slower, h.recovery)
		if h.err != nil {
			r.unwell++
		}
	}
	slices.Sort(names)
	b := &strings.Builder{}
	fmt.Fprintf(b, "%-32s %6s %12s %12s %9s\n", "fault", "times", "well after", "at most", "not well")
	for _, name := range names {
		r := rows[name]
		fmt.Fprintf(b, "%-32s %6d %10.2f s %10.2f s %9d\n", name, r.n, r.sum.Seconds()/float64(r.n),
			r.slower.Seconds(), r.unwell)
	}
	return b.String()
}

// ref is a function by its name.
func ref(name string) protocol.Ref { return protocol.Ref{Name: name} }
