package wasi_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// modes are how calls of spies end, each as often as it stands here: what takes long is rarer.
func modes() []string {
	return []string{
		"return", "unread", "exit", "trap", "return", "close", "unread", "exit", "trap", "return", "loop", "sleep",
		"return", "unread", "exit", "trap", "return", "close", "unread", "exit", "trap", "return", "late", "panic",
		"return", "unread", "exit", "trap", "return", "close", "late", "recurse", "trap", "return", "flood", "hoard",
	}
}

// TestLeak sends spies, eight at a time, into one program for each start kind. No call may see anything of
// another. LEAK_CALLS is how many calls each spy makes for each start kind.
func TestLeak(t *testing.T) {
	for _, s := range spies() {
		t.Run(s.name, func(t *testing.T) {
			usual := usualReport(t, s)
			for _, kind := range kinds() {
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
	r.took = m.process.Usage.Duration
	return r
}

// options are what a spy is compiled with.
func (s spy) options(kind string) runtimes.Options {
	return runtimes.Options{Start: kind, Memory: s.memory, Args: []string{"spy", "argument"}, Env: []string{"NAME=value"}}
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
	bad         atomic.Int64   // calls with complaints
}

func newCampaign() *campaign {
	return &campaign{start: map[string]int{}, call: map[string]int{}, served: map[string]int{}}
}

// sendSpies makes the calls for one start kind.
func sendSpies(t *testing.T, s spy, kind string, usual report) {
	g := compileVerified(t, s.module(t), s.options(kind))
	c := newCampaign()
	n, endings := s.count(t), modes()
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && t.Context().Err() == nil; i = next.Add(1) {
				m := newMission(endings[int(i)%len(endings)])
				if m.mode == "late" { // anywhere in the call
					m.timeout = rand.N(4 * usual.took)
				}
				m.run(t.Context(), g)
				if bad := c.add(s, m, usual); len(bad) > 0 && c.bad.Add(1) <= 10 {
					t.Errorf("%s: %q", m.mode, bad)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d calls in %v, served by %v", n, time.Since(began), c.served)
	for _, bad := range c.check(kind) {
		t.Error(bad)
	}
}

// compileVerified compiles a module on a runtime that compares each sandbox with its image after each run, and says
// so if one is different.
func compileVerified(t *testing.T, module []byte, o runtimes.Options) runtimes.Program {
	t.Helper()
	var log lockedBuffer
	r, err := wasi.New(t.Context(),
		wasi.Config{CacheDir: cacheDir, Verify: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil || log.String() != "" {
			t.Errorf("the runtime says %q and the error %v", log.String(), err)
		}
	})
	g, err := r.Compile(t.Context(), module, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// lockedBuffer is a buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// add takes note of a call and returns complaints about it.
func (c *campaign) add(s spy, m *mission, usual report) []string {
	r, bad := m.judge(s, usual)
	if e := m.ending(); e != "" {
		bad = append(bad, e)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.served[m.process.Usage.Start]++
	if r.call != "" {
		c.start[r.start]++
		c.call[r.call]++
	}
	return bad
}

// check returns complaints about all calls together.
func (c *campaign) check(kind string) []string {
	var bad []string
	total, reports := sum(c.served), sum(c.start)
	// An instance that cannot be put back is replaced, but that is the exception. Calls that do not pause need more
	// processes that were started before than there can be.
	least := total / 2
	if kind == runtimes.StartPrefork {
		least = total / 100
	}
	if c.served[kind] <= least {
		bad = append(bad, fmt.Sprintf("served: by %v, most should be %s", c.served, kind))
	}
	if reports*10 < total*9 {
		bad = append(bad, fmt.Sprintf("report: only %d of %d calls gave one", reports, total))
	}
	if len(c.call) != reports {
		bad = append(bad,
			fmt.Sprintf("call: %d calls drew only %d different values after their first read", reports, len(c.call)))
	}
	// What a checkpoint has drawn before its first read is the same for all that it serves: the price of it.
	switch again := reports - len(c.start); {
	case kind == runtimes.StartCheckpoint && again*2 <= reports:
		bad = append(bad,
			fmt.Sprintf("start: %d calls drew %d different values before their first read: are these checkpoints?",
				reports, len(c.start)))
	case kind != runtimes.StartCheckpoint && again != 0:
		bad = append(bad,
			fmt.Sprintf("start: %d calls drew only %d different values before their first read", reports, len(c.start)))
	}
	return bad
}

// sum adds up.
func sum(counts map[string]int) int {
	n := 0
	for _, k := range counts {
		n += k
	}
	return n
}

// TestCampaign checks what is said of many calls together.
func TestCampaign(t *testing.T) {
	fresh, reset, checkpoint := runtimes.StartFresh, runtimes.StartReset, runtimes.StartCheckpoint
	for _, c := range []struct {
		name, kind, served string
		start, call        int // different values that 100 calls draw before and after their first read
		want               string
	}{
		{"all is well", fresh, fresh, 100, 100, ""},
		{"another kind", reset, fresh, 100, 100, "served"},
		{"a seed comes twice", reset, reset, 99, 100, "start"},
		{"a checkpoint", checkpoint, checkpoint, 2, 100, ""},
		{"a checkpoint with new seeds", checkpoint, checkpoint, 100, 100, "start"},
		{"a checkpoint after the read", checkpoint, checkpoint, 2, 99, "call"},
	} {
		all := newCampaign()
		for i := range 100 {
			all.served[c.served]++
			all.start[strconv.Itoa(i%c.start)]++
			all.call[strconv.Itoa(i%c.call)]++
		}
		bad := all.check(c.kind)
		if len(bad) != min(len(c.want), 1) || len(bad) == 1 && !strings.HasPrefix(bad[0], c.want+": ") {
			t.Errorf("%s: got %q, want a complaint about %q", c.name, bad, c.want)
		}
	}
}
