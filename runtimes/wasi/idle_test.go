package wasi

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest/level"
	"github.com/polyvoke/polyvoke/runtimes/wasi/fuel"
	"github.com/polyvoke/polyvoke/runtimes/wasi/idle"
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
		if n := r.budget.Bytes(); n != 0 {
			t.Errorf("after Close, %d bytes are said to be idle", n)
		}
	})
	return r
}

// newTestProgram compiles the probe in C.
func newTestProgram(t *testing.T, r *Runtime, kind string) *program {
	t.Helper()
	NeedKind(t, kind)
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

// pool returns the pool that keeps sandboxes after a run, if processes start in that way.
func (g *program) pool(kind string) *idle.Pool[*sandbox] {
	if kind == runtimes.StartCheckpoint {
		return g.parked
	}
	return g.clean
}

// waitReady waits until as many sandboxes are parked as are to be.
func waitReady(t *testing.T, g *program) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); runtime.Gosched() {
		if !g.parked.State().Making {
			return
		}
	}
	t.Fatal("sandboxes are still being parked after a minute")
}

// TestSweep has time pass, and looks at what is idle.
func TestSweep(t *testing.T) {
	for _, kind := range Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartCheckpoint) {
		g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), kind)
		p := g.pool(kind)
		for range 3 { // what has shed is used, and sheds again
			echoes(t, g)
			s, ok := p.Take()
			if !ok {
				t.Fatalf("%s: nothing is idle", kind)
			}
			p.Put(s)
			before := s.Cost()
			p.Sweep(time.Now().Add(idle.ShedAfter - time.Second))
			if s.Cost() != before {
				t.Errorf("%s: it takes %d bytes instead of %d too early", kind, s.Cost(), before)
			}
			p.Sweep(time.Now().Add(idle.ShedAfter + time.Second))
			if s.Cost() > before || runtime.GOOS == "linux" && s.memory.region.Private() != 0 {
				t.Errorf("%s: it takes %d bytes after %d, of them %d of its memory",
					kind, s.Cost(), before, s.memory.region.Private())
			}
			if p.State().Idle == 0 {
				t.Errorf("%s: it has ended too early", kind)
			}
		}
		g.sweep(time.Now().Add(idle.EndAfter + time.Second))
		if n := g.runtime.budget.Bytes(); p.State().Idle != 0 || n != 0 {
			t.Errorf("%s: %d are idle, and %d bytes", kind, p.State().Idle, n)
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
		g.parked.Refill(true)
		waitReady(t, g)
		if n := g.parked.State().Idle; n != i+1 {
			t.Errorf("%d are parked after %d were missed", n, i+1)
		}
	}
	if kind := echoes(t, g); kind != runtimes.StartPrefork {
		t.Errorf("start kind %s", kind)
	}
	waitReady(t, g)
	if n := g.parked.State().Idle; n != 3 {
		t.Errorf("%d are parked after one was used, not 3", n)
	}
	g.sweep(time.Now().Add(idle.ShedAfter + time.Second))
	if kind := echoes(t, g); kind != runtimes.StartPrefork {
		t.Errorf("after a while: start kind %s", kind)
	}
	waitReady(t, g)
	g.sweep(time.Now().Add(idle.EndAfter + time.Second))
	if p := g.parked.State(); p.Idle+p.Wanted+g.clean.State().Idle != 0 {
		t.Errorf("%+v are idle or to be parked", p)
	}
	if kind := echoes(t, g); kind != runtimes.StartFresh {
		t.Errorf("after a long while: start kind %s", kind)
	}
	waitReady(t, g)
	if n := g.parked.State().Idle; n != 1 {
		t.Errorf("%d are parked, not 1", n)
	}
}

// TestIdleMemory checks that the configured memory is the most that idle sandboxes take: all of it, or none if one
// takes more.
func TestIdleMemory(t *testing.T) {
	const room = 3
	cost := int64(0)
	for _, c := range []struct {
		most func() int64
		want int
	}{
		{func() int64 { return 1 << 30 }, 2 * room},
		{func() int64 { return room * cost }, room},
		{func() int64 { return cost - 1 }, 0},
	} {
		r := newTestRuntime(t, Config{IdleMemory: c.most()})
		a, b := newTestProgram(t, r, runtimes.StartReset), newTestProgram(t, r, runtimes.StartReset)
		for _, g := range []*program{a, b} {
			g.sweep(time.Now().Add(idle.EndAfter + time.Second)) // what is left of Compile
		}
		for i := range 2 * room {
			g := []*program{a, b}[i%2]
			s, err := g.openKept(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			cost = s.Cost()
			g.clean.Put(s)
		}
		deadline := time.Now().Add(time.Minute)
		for r.budget.Bytes() > c.most() && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		if n := a.clean.State().Idle + b.clean.State().Idle; n != c.want || r.budget.Bytes() != int64(n)*cost {
			t.Errorf("%d sandboxes are idle, not %d, with %d bytes", n, c.want, r.budget.Bytes())
		}
		echoes(t, a)
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
			g.parked.Refill(true)
		}
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if p := g.parked.State(); p.Idle+g.clean.State().Idle != 0 || p.Making {
			t.Errorf("after Close: %+v, and %d before the entry", p, g.clean.State().Idle)
		}
		for range len(r.starts) {
			<-r.starts
		}
		if err := g.Run(t.Context(), echo()); !errors.Is(err, errClosed) {
			t.Errorf("after Close: got the error %v", err)
		}
	}
	if n := r.budget.Bytes(); n != 0 {
		t.Errorf("%d bytes are idle", n)
	}
	if n := runtime.NumGoroutine(); n > before+4 { // those of the budget, the watch, and one of the runtime's own
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

// TestHammerPool runs, sweeps and evicts at the same time, and then closes all. Nothing may be left.
func TestHammerPool(t *testing.T) {
	files := level.Files(t)
	r := newTestRuntime(t, Config{Verify: 3, IdleMemory: 1 << 20})
	var programs []*program
	all := Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint)
	for _, kind := range all {
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
				g.sweep(time.Now().Add(time.Duration(i%3) * 16 * time.Second))
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
	if n := r.budget.Bytes(); n != 0 {
		t.Errorf("%d bytes are idle", n)
	}
	if n := level.Files(t); n > files {
		t.Errorf("%d files are open, %d before", n, files)
	}
}

// stuck is a global that cannot be set.
type stuck struct{ api.MutableGlobal }

// Set does nothing.
func (stuck) Set(uint64) {}

// TestDistrust checks that one sandbox that is not put back is noticed, and that none is used again.
func TestDistrust(t *testing.T) {
	for _, kind := range Possible(runtimes.StartReset, runtimes.StartPrefork) {
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
	if !g.doubt.Load() || strings.Count(log.String(), "a sandbox was not put back") != 1 ||
		strings.Count(log.String(), "\n") != 1 {
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
	files := level.Files(t)
	r := newTestRuntime(t, Config{Verify: 1})
	g := newTestProgram(t, r, runtimes.StartCheckpoint)
	g.sweep(time.Now().Add(idle.EndAfter + time.Second)) // what is left of Compile
	var err error
	if g.shared, err = r.regions.NewImage(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	g.sharing = 1
	for range 10 {
		if kind := echoes(t, g); kind != runtimes.StartCheckpoint {
			t.Errorf("start kind %s", kind)
		}
	}
	s, ok := g.parked.Take()
	if !ok {
		t.Fatal("nothing is parked")
	}
	g.parked.Put(s)
	if own := s.image().Resident(); s.image() == g.shared || own == 0 || r.budget.Bytes() < int64(own)+overhead ||
		g.doubt.Load() {
		t.Errorf("%d bytes are idle, with an image of %d", r.budget.Bytes(), own)
	}
	g.melt(g.shared)
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if n := level.Files(t); n > files {
		t.Errorf("%d files are open, %d before", n, files)
	}
}

// TestCheckpointOfFirst checks that the first checkpoint is made in the sandbox in which the start was tried, so that
// there is but one.
func TestCheckpointOfFirst(t *testing.T) {
	g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), runtimes.StartCheckpoint)
	if n := g.clean.State().Idle; n != 1 {
		t.Fatalf("%d sandboxes are idle after Compile, want 1", n)
	}
	if kind := echoes(t, g); kind != runtimes.StartCheckpoint {
		t.Errorf("start kind %s", kind)
	}
	if clean, parked := g.clean.State().Idle, g.parked.State().Idle; clean != 0 || parked != 1 {
		t.Errorf("%d sandboxes are idle and %d are parked, want 0 and 1", clean, parked)
	}
}

// TestImageEnds checks that the image of a program's checkpoints ends with the last of them, and that another one is
// made when it is needed.
func TestImageEnds(t *testing.T) {
	g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), runtimes.StartCheckpoint)
	for range 3 {
		first, err := g.newCheckpoint(t.Context(), echo())
		if err != nil {
			t.Fatal(err)
		}
		if kind := echoes(t, g); kind != runtimes.StartCheckpoint { // of another one, which stays
			t.Errorf("start kind %s", kind)
		}
		if g.sharing != 2 || first.image() != g.shared {
			t.Errorf("%d sandboxes share an image, want 2", g.sharing)
		}
		first.Close()
		g.sweep(time.Now().Add(idle.ShedAfter + time.Second))
		if g.sharing != 1 || g.shared == nil {
			t.Errorf("%d sandboxes have an image, want 1", g.sharing)
		}
		g.sweep(time.Now().Add(idle.EndAfter + time.Second))
		if g.sharing != 0 || g.shared != nil {
			t.Errorf("%d sandboxes have an image, want none", g.sharing)
		}
	}
	if g.doubt.Load() {
		t.Error("a sandbox was not put back")
	}
}

// TestPutBackLater checks that a sandbox that went on once is put back when it is needed again, or gives memory back,
// and not before.
func TestPutBackLater(t *testing.T) {
	g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), runtimes.StartPrefork)
	for name, next := range map[string]func(s *sandbox) bool{
		"it is needed": func(s *sandbox) bool { return takeFrom(g.clean) == s },
		"it gives memory back": func(s *sandbox) bool {
			g.sweep(time.Now().Add(idle.ShedAfter + time.Second))
			return takeFrom(g.clean) == s
		},
	} {
		s, err := g.newParked(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.serve(t.Context(), echo(), time.Now()); err != nil {
			t.Fatal(err)
		}
		written := s.memory.size
		if g.giveBack(s); !s.stale || s.memory.region.Verify(written) == nil {
			t.Errorf("%s: it was put back at once", name)
		}
		stacks := s.start.native.StackSize() + s.run.native.StackSize()
		if cost := s.Cost(); cost != int64(overhead+stacks)+int64(written) {
			t.Errorf("%s: it costs %d bytes until it is put back", name, cost)
		}
		if !next(s) {
			t.Fatalf("%s: it is gone", name)
		}
		if err := s.memory.region.Verify(written); err != nil || s.stale || !slices.Equal(s.getGlobals(), g.initial) {
			t.Errorf("%s: it was not put back: %v", name, err)
		}
		s.Close()
	}
}

// TestPutBackMuch checks that the caller of a process that has written much does not wait until all of it is put
// back: that is done when the sandbox is needed again, or gives memory back.
func TestPutBackMuch(t *testing.T) {
	const few, many = putBackNow / 2, putBackNow + 1
	for _, kind := range Possible(runtimes.StartFresh, runtimes.StartReset, runtimes.StartCheckpoint) {
		g := newTestProgram(t, newTestRuntime(t, Config{Verify: 1}), kind)
		for _, c := range []struct {
			name  string
			bytes int
			shed  bool
		}{{"little", few, false}, {"much", many, false}, {"much, and nobody needs it", many, true}} {
			s, err := g.take(t.Context(), echo())
			if err != nil {
				t.Fatal(err)
			}
			if err := s.serve(t.Context(), echo(), time.Now()); err != nil {
				t.Fatal(err)
			}
			if _, ok := s.instance.Memory().Grow(32); !ok {
				t.Fatal("the memory does not grow")
			}
			b := s.memory.region.Bytes(s.memory.size)
			for i := range c.bytes {
				b[len(b)-1-i] = 1
			}
			later := c.bytes > putBackNow
			if g.giveBack(s); s.stale != later {
				t.Errorf("%s, %s: to be put back later: %t", kind, c.name, s.stale)
			}
			if cost := s.Cost(); cost < int64(c.bytes) || cost > int64(2*c.bytes+overhead+1<<20) {
				t.Errorf("%s, %s: it costs %d bytes", kind, c.name, cost)
			}
			if c.shed {
				g.sweep(time.Now().Add(idle.ShedAfter + time.Second))
			}
			if next := takeFrom(g.pool(kind)); next != s {
				t.Fatalf("%s, %s: it is gone", kind, c.name)
			}
			if err := s.memory.region.Verify(uint64(len(b))); err != nil || s.stale {
				t.Errorf("%s, %s: it was not put back: %v", kind, c.name, err)
			}
			s.Close()
		}
	}
}

// TestWatched checks that processes which are made to ask for fuel all the time use as much as others.
func TestWatched(t *testing.T) {
	for _, kind := range Possible(runtimes.StartFresh, runtimes.StartReset) {
		r := newTestRuntime(t, Config{Verify: 1})
		g := newTestProgram(t, r, kind)
		used := func() uint64 {
			p := &runtimes.Process{Args: []string{"probe", "dirty", "96"}, Stdout: &bytes.Buffer{}}
			if err := g.Run(t.Context(), p); err != nil || p.Usage.Duration < slice {
				t.Errorf("%s: it took %v: %v", kind, p.Usage.Duration, err)
			}
			return p.Usage.Fuel
		}
		want := used()
		r.watchdog.Close()
		r.watchdog = fuel.NewWatchdog(time.Microsecond)
		for range 10 {
			if got := used(); got != want {
				t.Errorf("%s: it used %d units of fuel, and %d when it was watched", kind, want, got)
			}
		}
		if g.doubt.Load() {
			t.Errorf("%s: a sandbox was not put back", kind)
		}
	}
}

// TestReplace checks when another sandbox is parked in the place of one that was taken: when its process has ended,
// or takes its time.
func TestReplace(t *testing.T) {
	for _, c := range []struct {
		name      string
		act       func(s *sandbox)
		meanwhile int
	}{
		{"it ends", func(*sandbox) {}, 0},
		{"it waits", func(s *sandbox) {
			done := make(chan struct{})
			close(done)
			_ = s.pause(s.ctx, done)
		}, 1},
		{"it has used its slice", func(s *sandbox) { s.sliced = s.sliced.Add(-slice); s.tick() }, 1},
	} {
		g := newTestProgram(t, newTestRuntime(t, Config{}), runtimes.StartPrefork)
		p := echo()
		s, err := g.take(t.Context(), p)
		if err != nil || p.Usage.Start != runtimes.StartPrefork {
			t.Fatalf("start kind %s, %v", p.Usage.Start, err)
		}
		meanwhile := 0
		p.Stdout = writerFunc(func(b []byte) (int, error) {
			c.act(s)
			waitReady(t, g)
			meanwhile = g.parked.State().Idle
			return len(b), nil
		})
		if err := s.serve(t.Context(), p, time.Now()); err != nil {
			t.Fatal(err)
		}
		if meanwhile != c.meanwhile {
			t.Errorf("%s: %d are parked while it runs, want %d", c.name, meanwhile, c.meanwhile)
		}
		g.giveBack(s)
		waitReady(t, g)
		if n := g.parked.State().Idle; n != 1 {
			t.Errorf("%s: %d are parked afterwards, want 1", c.name, n)
		}
	}
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
