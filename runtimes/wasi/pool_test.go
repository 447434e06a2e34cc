package wasi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/tetratelabs/wazero/api"
)

// newTestRuntime returns a runtime that is closed when the test ends, and is then to hold nothing.
func newTestRuntime(t *testing.T, c Config) *Runtime {
	t.Helper()
	r, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := r.idleBytes.Load(); n != 0 {
			t.Errorf("after Close, %d bytes are said to be idle", n)
		}
	})
	return r
}

// newTestProgram compiles the probe in C.
func newTestProgram(t *testing.T, r *Runtime, kind string) *program {
	t.Helper()
	g, err := r.Compile(t.Context(), runtimestest.Wasm(), runtimes.Options{Start: kind, Args: echo().Args})
	if err != nil {
		t.Fatal(err)
	}
	return g.(*program)
}

// echo returns a process that sends its body back.
func echo() *runtimes.Process {
	return &runtimes.Process{Args: []string{"probe", "echo"}, Stdin: strings.NewReader("body"), Stdout: &bytes.Buffer{}}
}

// echoes runs such a process, and returns its start kind.
func echoes(t *testing.T, g *program) string {
	t.Helper()
	p := echo()
	if err := g.Run(context.Background(), p); err != nil {
		t.Error(err)
	}
	if got := p.Stdout.(*bytes.Buffer).String(); got != "body" {
		t.Errorf("got %q", got)
	}
	return p.Usage.Start
}

// count returns how many sandboxes are on a list.
func (p *pool) count(l list) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle[l])
}

// waitReady waits until as many sandboxes are parked as are to be.
func waitReady(t *testing.T, g *program) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		g.pool.mu.Lock()
		done := !g.pool.filling
		g.pool.mu.Unlock()
		if done {
			return
		}
	}
	t.Fatal("sandboxes are still being parked after a minute")
}

// TestSweep has time pass, and looks at what is idle.
func TestSweep(t *testing.T) {
	for _, kind := range []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartCheckpoint} {
		g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), kind)
		l := clean
		if kind == runtimes.StartCheckpoint {
			l = parked
		}
		for range 3 { // what has shed is used, and sheds again
			if echoes(t, g); g.pool.count(l) == 0 {
				t.Fatalf("%s: nothing is idle", kind)
			}
			now := time.Now()
			s := g.pool.idle[l][g.pool.count(l)-1]
			g.pool.sweep(now.Add(shedAfter - time.Second))
			if s.shed {
				t.Errorf("%s: it has shed its memory too early", kind)
			}
			before := s.cost()
			g.pool.sweep(now.Add(shedAfter + time.Second))
			if !s.shed || s.cost() > before || runtime.GOOS == "linux" && s.memory.region.Private() != 0 {
				t.Errorf("%s: shed %t, it takes %d bytes after %d", kind, s.shed, s.cost(), before)
			}
		}
		g.pool.sweep(time.Now().Add(endAfter - time.Second))
		if g.pool.count(l) == 0 {
			t.Errorf("%s: it has ended too early", kind)
		}
		g.pool.sweep(time.Now().Add(endAfter + time.Second))
		if n := g.runtime.idleBytes.Load(); g.pool.count(l) != 0 || n != 0 {
			t.Errorf("%s: %d are idle, and %d bytes", kind, g.pool.count(l), n)
		}
		echoes(t, g)
		if g.doubt.Load() {
			t.Errorf("%s: a sandbox was not put back", kind)
		}
	}
}

// TestSweepParked checks that those that are parked for one run are as many as are needed at a time, and end when
// nobody needs them.
func TestSweepParked(t *testing.T) {
	g := newTestProgram(t, newTestRuntime(t, Config{}), runtimes.StartPrefork)
	for i := range 3 {
		g.refill(true)
		waitReady(t, g)
		if n := g.pool.count(parked); n != i+1 {
			t.Errorf("%d are parked after %d were missed", n, i+1)
		}
	}
	if kind := echoes(t, g); kind != runtimes.StartPrefork {
		t.Errorf("start kind %s", kind)
	}
	waitReady(t, g)
	if n := g.pool.count(parked); n != 3 {
		t.Errorf("%d are parked after one was used, not 3", n)
	}
	g.pool.sweep(time.Now().Add(shedAfter + time.Second))
	if kind := echoes(t, g); kind != runtimes.StartPrefork {
		t.Errorf("after a while: start kind %s", kind)
	}
	waitReady(t, g)
	g.pool.sweep(time.Now().Add(endAfter + time.Second))
	if n := g.pool.count(parked) + g.pool.count(clean) + g.pool.ready; n != 0 {
		t.Errorf("%d are idle or to be parked", n)
	}
	if kind := echoes(t, g); kind != runtimes.StartFresh {
		t.Errorf("after a long while: start kind %s", kind)
	}
	waitReady(t, g)
	if n := g.pool.count(parked); n != 1 {
		t.Errorf("%d are parked, not 1", n)
	}
}

// TestEvict checks that those that are idle for longest end first, whosever they are.
func TestEvict(t *testing.T) {
	r := newTestRuntime(t, Config{})
	a, b := newTestProgram(t, r, runtimes.StartReset), newTestProgram(t, r, runtimes.StartReset)
	for _, g := range []*program{a, b} {
		g.pool.sweep(time.Now().Add(endAfter + time.Second)) // what is left of Compile
	}
	for range 3 {
		for _, g := range []*program{a, b} {
			s, err := g.openKept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g.pool.put(clean, s)
		}
	}
	for i, want := range [][2]int{{3, 3}, {2, 3}, {2, 2}, {1, 2}, {1, 1}, {0, 1}, {0, 0}} {
		if i > 0 {
			r.idleMost = r.idleBytes.Load() - 1
			r.evict()
		}
		if got := [2]int{a.pool.count(clean), b.pool.count(clean)}; got != want {
			t.Errorf("after %d have ended, %d are left, not %d", i, got, want)
		}
	}
	if n := r.idleBytes.Load(); n != 0 {
		t.Errorf("%d bytes are idle", n)
	}
	if echoes(t, a); a.pool.count(clean) != 0 {
		t.Error("one is idle that takes more than all may")
	}
}

// TestCloseWhileFilling closes programs of which sandboxes are being parked, and such that wait to be.
func TestCloseWhileFilling(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newTestRuntime(t, Config{})
	for i := range 20 {
		g := newTestProgram(t, r, runtimes.StartPrefork)
		if i%2 == 0 {
			for range cap(r.starts) { // nobody may start anything
				r.starts <- struct{}{}
			}
		}
		for range 5 {
			g.refill(true)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := g.pool.count(parked) + g.pool.count(clean); n != 0 || g.pool.filling {
			t.Errorf("%d are idle after Close, filling: %t", n, g.pool.filling)
		}
		for range len(r.starts) {
			<-r.starts
		}
		if err := g.Run(t.Context(), echo()); !errors.Is(err, errClosed) {
			t.Errorf("after Close: got the error %v", err)
		}
	}
	if n := r.idleBytes.Load(); n != 0 {
		t.Errorf("%d bytes are idle", n)
	}
	if n := runtime.NumGoroutine(); n > before+2 { // the sweeper, and one of the runtime's own
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// TestRefillFails checks that what cannot be parked is tried less and less often.
func TestRefillFails(t *testing.T) {
	p, now := new(pool), time.Now()
	last := time.Duration(0)
	for range 200 {
		p.giveUp(now)
		if wait := p.again.Sub(now); wait < last || wait > mostFailedWait {
			t.Fatalf("after %d failures it waits for %v, before for %v", p.failed, wait, last)
		}
		last = p.again.Sub(now)
	}
	if last != mostFailedWait {
		t.Errorf("in the end it waits for %v", last)
	}
}

// TestHammerPool runs, sweeps and evicts at the same time, and then closes all. Nothing may be left.
func TestHammerPool(t *testing.T) {
	files := openFiles(t)
	r := newTestRuntime(t, Config{Verify: 3, IdleMemory: 1 << 20})
	var programs []*program
	for _, kind := range []string{runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint} {
		programs = append(programs, newTestProgram(t, r, kind))
	}
	done := make(chan struct{})
	var sweeper, runs sync.WaitGroup
	sweeper.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			for _, g := range programs {
				g.pool.sweep(time.Now().Add(time.Duration(i%3) * 16 * time.Second))
			}
			runtime.Gosched()
		}
	})
	for i := range 4 {
		runs.Go(func() {
			for j := range 200 {
				echoes(t, programs[(i+j)%len(programs)])
			}
		})
	}
	runs.Wait()
	close(done)
	sweeper.Wait()
	for _, g := range programs {
		if g.doubt.Load() {
			t.Errorf("%s: a sandbox was not put back", g.kind)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := r.idleBytes.Load(); n != 0 {
		t.Errorf("%d bytes are idle", n)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d files are open, %d before", n, files)
	}
}

// openFiles returns how many files this process has open, where that can be known.
func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(list)
}

// stuck is a global that cannot be set.
type stuck struct{ api.MutableGlobal }

// Set does nothing.
func (stuck) Set(uint64) {}

// TestDistrust checks that one sandbox that is not put back is noticed, and that none is used again.
func TestDistrust(t *testing.T) {
	for _, kind := range []string{runtimes.StartReset, runtimes.StartPrefork} {
		var log bytes.Buffer
		g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1, Log: slog.New(slog.NewTextHandler(&log, nil))}), kind)
		s, err := g.openKept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.globals[0].Set(7); s.putBack() != true || g.doubt.Load() {
			t.Fatalf("%s: it is distrusted without a reason", kind)
		}
		s.globals[0].Set(7)
		s.globals[0] = stuck{s.globals[0]}
		checkDistrust(t, g, s, &log)
	}
}

// checkDistrust gives a sandbox back that is spoilt.
func checkDistrust(t *testing.T, g *program, s *sandbox, log *bytes.Buffer) {
	t.Helper()
	g.giveBack(s)
	if !g.doubt.Load() || strings.Count(log.String(), "a sandbox was not put back") != 1 || strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%s: distrusted %t, log %q", g.kind, g.doubt.Load(), log.String())
	}
	for range 5 {
		if kind := echoes(t, g); kind != runtimes.StartFresh {
			t.Errorf("%s: start kind %s", g.kind, kind)
		}
	}
	if strings.Count(log.String(), "\n") != 1 {
		t.Errorf("%s: log %q", g.kind, log.String())
	}
}

// TestOwnImage checks a checkpoint whose memory is not that of the others: it is right, and what it takes is known.
func TestOwnImage(t *testing.T) {
	files := openFiles(t)
	r := newTestRuntime(t, Config{Verify: 1})
	g := newTestProgram(t, r, runtimes.StartCheckpoint)
	g.pool.sweep(time.Now().Add(endAfter + time.Second)) // what is left of Compile
	var err error
	if g.shared, err = r.regions.NewImage(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if kind := echoes(t, g); kind != runtimes.StartCheckpoint {
			t.Errorf("start kind %s", kind)
		}
	}
	s := g.pool.idle[parked][0]
	if own := s.image().Resident(); s.image() == g.shared || own == 0 || r.idleBytes.Load() < int64(own)+overhead || g.doubt.Load() {
		t.Errorf("%d bytes are idle, with an image of %d", r.idleBytes.Load(), own)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := openFiles(t); n > files {
		t.Errorf("%d files are open, %d before", n, files)
	}
}
