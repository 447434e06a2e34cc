package wasi_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// startKinds are those that must keep secrets.
func startKinds() []string { return []string{runtimes.StartFresh} }

// What all calls of the spies have in common.
var (
	spyArgs = []string{"spy", "argument"}
	spyEnv  = []string{"NAME=value"}
)

// modes are how calls of spies end, each as often as it stands here. A program that is stopped, floods or hoards costs more.
var modes = []string{
	"return", "unread", "exit", "trap", "return", "close", "unread", "exit", "trap", "return", "loop", "sleep",
	"return", "unread", "exit", "trap", "return", "close", "unread", "exit", "trap", "return", "late", "recurse",
	"return", "unread", "exit", "trap", "return", "close", "unread", "exit", "trap", "return", "flood", "hoard",
}

// TestLeak sends spies, eight at a time, into one program for each start kind. No call may see anything of
// another. LEAK_CALLS is how many calls each spy makes for each start kind.
func TestLeak(t *testing.T) {
	for _, s := range spies() {
		t.Run(s.name, func(t *testing.T) {
			usual := usualReport(t, s)
			for _, kind := range startKinds() {
				t.Run(kind, func(t *testing.T) { sendSpies(t, s, kind, usual) })
			}
		})
	}
}

// usualReport is what a spy says in a new process.
func usualReport(t *testing.T, s spy) report {
	t.Helper()
	m := newMission("return")
	m.run(t.Context(), compile(t, s.module(t), s.options(runtimes.StartFresh)))
	r, bad := m.judge(s, report{})
	if len(bad) > 0 || m.ending() != "" || len(r.state) < 5 {
		t.Fatalf("in a new process: %q, %s, state %v, stderr %q", bad, m.ending(), r.state, m.log.String())
	}
	return r
}

// options are what a spy is compiled with.
func (s spy) options(kind string) runtimes.Options {
	return runtimes.Options{Start: kind, Memory: s.memory, Args: spyArgs, Env: spyEnv}
}

// count is how many calls to make.
func (s spy) count(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LEAK_CALLS")
	if text == "" {
		return s.calls
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 100 {
		t.Fatalf("LEAK_CALLS is %q, not a number from 100", text)
	}
	return n
}

// campaign is what many calls come to.
type campaign struct {
	mu          sync.Mutex
	start, call map[string]int // how often each random value was drawn
	served      map[string]int // calls by the start kind that served them
	modes       map[string]int
	bad         int
}

// sendSpies makes the calls for one start kind.
func sendSpies(t *testing.T, s spy, kind string, usual report) {
	g := compile(t, s.module(t), s.options(kind))
	c := &campaign{start: map[string]int{}, call: map[string]int{}, served: map[string]int{}, modes: map[string]int{}}
	n := s.count(t)
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && t.Context().Err() == nil; i = next.Add(1) {
				m := newMission(modes[int(i)%len(modes)])
				if m.mode == "late" {
					m.timeout = rand.N(4 * time.Millisecond)
				}
				m.run(t.Context(), g)
				c.add(t, s, m, usual)
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls in %v, served by %v", n, time.Since(began), c.served)
	c.check(t, kind)
}

// add takes note of a call.
func (c *campaign) add(t *testing.T, s spy, m *mission, usual report) {
	r, bad := m.judge(s, usual)
	if e := m.ending(); e != "" {
		bad = append(bad, e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[m.process.Usage.Start]++
	c.modes[m.mode]++
	if r.call != "" {
		c.start[r.start]++
		c.call[r.call]++
	}
	if len(bad) == 0 {
		return
	}
	if c.bad++; c.bad <= 10 {
		t.Errorf("%s: %q", m.mode, bad)
	}
}

// check looks at all calls together.
func (c *campaign) check(t *testing.T, kind string) {
	total, reports := 0, 0
	for _, n := range c.served {
		total += n
	}
	for _, n := range c.start {
		reports += n
	}
	// An instance that cannot be put back is replaced, but that is the exception.
	if c.served[kind]*2 <= total {
		t.Errorf("served by %v: most should be %s", c.served, kind)
	}
	if reports*10 < total*9 {
		t.Errorf("only %d of %d calls gave a report", reports, total)
	}
	if len(c.call) != reports {
		t.Errorf("%d calls drew only %d different values after their first read", reports, len(c.call))
	}
	// What a checkpoint has drawn before its first read is the same for all that it serves: the price of it.
	switch again := reports - len(c.start); {
	case kind == runtimes.StartCheckpoint && again*2 <= reports:
		t.Errorf("%d calls drew %d different values before their first read: are these checkpoints?", reports, len(c.start))
	case kind != runtimes.StartCheckpoint && again != 0:
		t.Errorf("%d calls drew only %d different values before their first read", reports, len(c.start))
	}
}
