//go:build languages

package samples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// What is measured: one request, and its reply.
const (
	hello   = `{"name":"Ada"}`
	welcome = `{"greeting":"Hello, Ada!"}` + "\n"
)

const (
	rounds   = 12                     // in each of which every contender takes its turn
	turn     = 60 * time.Millisecond  // of a contender, or longer
	fewest   = 4                      // calls in a turn
	warming  = 3                      // calls before the first turn
	shedding = 15 * time.Second       // after which idle sandboxes have given back what they do not share
	ending   = 25 * time.Second       // after which, then, they have ended
	longest  = 200 * time.Millisecond // between two calls, for the next process to be made ready
)

// bundled has the interpreters that languages came with. It implements script.Source.
type bundled map[string][]byte

// Bundle returns an interpreter.
func (s bundled) Bundle(_ context.Context, ref string) (string, func() ([]byte, error), error) {
	b, ok := s[ref]
	if !ok {
		return "", nil, errors.New("there is no runtime " + ref)
	}
	return ref, func() ([]byte, error) { return b, nil }, nil
}

// newScripts returns a runtime for the module or the scripts of a language.
func newScripts(t testing.TB, l language, modules runtimes.Runtime) *script.Runtime {
	t.Helper()
	r := script.New(modules, bundled{l.runtime: l.bundle})
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// options are those of the greeting as a function, with a start kind.
func (l language) options(kind string) runtimes.Options {
	return runtimes.Options{Start: kind, Interpreter: l.runtime, Args: []string{l.folder}}
}

// A contender is a program whose calls are measured.
type contender struct {
	kind    string   // that was asked for
	args    []string // of its calls
	program runtimes.Program
	pause   time.Duration // after each call
	want    string        // the reply to hello

	took   []time.Duration // by those calls whose process came to be as it should
	calls  int             // all of them
	cpu    time.Duration   // of all of them
	memory uint64          // linear memory of one
}

// compile adds a contender. It returns nil if the kind is not possible.
func compile(t testing.TB, r runtimes.Runtime, l language, kind string) *contender {
	t.Helper()
	p, err := r.Compile(t.Context(), l.module, l.options(kind))
	var refused *runtimes.ModuleError
	if errors.As(err, &refused) && strings.Contains(refused.Reason, "is not possible") {
		t.Log(refused.Reason)
		return nil
	}
	if err != nil {
		t.Fatalf("%s, %s: %v", l.folder, kind, err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if kind == runtimes.StartAuto {
		kind = p.Start().Kind
	}
	return &contender{kind: kind, args: []string{l.folder}, program: p, want: welcome}
}

// call calls once, and checks the reply.
func (c *contender) call(t testing.TB) (time.Duration, runtimes.Usage) {
	t.Helper()
	var out bytes.Buffer
	p := runtimes.Process{Args: c.args, Stdin: strings.NewReader(hello), Stdout: &out, Stderr: io.Discard}
	begin := time.Now()
	err := c.program.Run(t.Context(), &p)
	took := time.Since(begin)
	if err != nil || out.String() != c.want {
		t.Fatalf("%s: got %q and the error %v", c.kind, out.String(), err)
	}
	return took, p.Usage
}

// take has the contender take a turn.
func (c *contender) take(t testing.TB) {
	t.Helper()
	before, end := cpuTime(t), time.Now().Add(turn)
	for n := 0; n < fewest || time.Now().Before(end); n++ {
		took, usage := c.call(t)
		if usage.Start == c.kind {
			c.took = append(c.took, took)
		}
		c.calls++
		c.memory = max(c.memory, usage.Memory)
		if c.pause > 0 {
			<-time.After(c.pause)
		}
	}
	c.cpu += cpuTime(t) - before
}

// p50 is the median of the calls that came to be as they should, or 0 if there was none.
func (c *contender) p50() time.Duration {
	if c == nil || len(c.took) == 0 {
		return 0
	}
	slices.Sort(c.took)
	return c.took[len(c.took)/2]
}

// cpuPerCall is the processor time of a call, what is done for it before and after included.
func (c *contender) cpuPerCall() time.Duration { return c.cpu / time.Duration(c.calls) }

// alternate measures contenders in one run, in turns, so that what else the machine does is the same for all.
func alternate(t testing.TB, all ...*contender) {
	t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(c *contender) bool { return c == nil })
	for _, c := range all {
		var slowest time.Duration
		for range warming {
			took, _ := c.call(t)
			slowest = max(slowest, took)
		}
		if c.kind == runtimes.StartPrefork {
			c.pause = min(2*slowest, longest)
		}
	}
	for range rounds {
		for _, c := range all {
			c.take(t)
		}
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// proportional returns the memory of this process in bytes, after garbage has been given back: the proportional set
// size, in which memory files count as a whole. Of a file, that has only what is mapped at the moment, which is less
// where nobody has read a page since it was written.
func proportional(t testing.TB) int64 {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum, inFile := memoryFiles(t), false
	for lines := bufio.NewScanner(f); lines.Scan(); { // line by line, since this is memory too
		name, rest, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		switch {
		case !bytes.HasSuffix(name, []byte(":")): // of the next mapping
			inFile = bytes.Contains(rest, []byte("/memfd:"))
		case string(name) == "Pss:" && !inFile, string(name) == "Anonymous:" && inFile:
			kib, err := strconv.ParseInt(strings.TrimSpace(string(bytes.TrimSuffix(rest, []byte("kB")))), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += kib << 10
		}
	}
	return sum
}

// memoryFiles returns what all memory files of this process take in bytes.
func memoryFiles(t testing.TB) int64 {
	t.Helper()
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, file := range files {
		var s syscall.Stat_t
		if to, err := os.Readlink(file); err == nil && strings.HasPrefix(to, "/memfd:") && syscall.Stat(file, &s) == nil {
			sum += s.Blocks * 512
		}
	}
	return sum
}

// idle is what functions take that were called once: right after, when they have been idle for a while, and when
// their sandboxes have ended, if that was waited for.
type idle struct{ after, later, last int64 }

// idleFunctions returns what one of several functions takes in bytes. Each is what module makes of its number. wait
// is how long sandboxes are waited for to end, after they have been idle for a while.
func idleFunctions(
	t testing.TB, r runtimes.Runtime, l language, n int, wait time.Duration, module func(i int) []byte,
) idle {
	t.Helper()
	first := compile(t, r, l, runtimes.StartAuto) // which keeps the code
	first.call(t)
	before := proportional(t)
	kept := make([]*contender, n)
	for i := range kept {
		l.module = module(i)
		kept[i] = compile(t, r, l, runtimes.StartAuto)
		kept[i].call(t)
	}
	after := proportional(t)
	<-time.After(shedding)
	later := proportional(t)
	<-time.After(wait)
	last := proportional(t)
	runtime.KeepAlive(kept)
	return idle{(after - before) / int64(n), (later - before) / int64(n), (last - before) / int64(n)}
}

// numbered returns the script of a language with a comment at its end, so that it is another one each time.
func (l language) numbered(t testing.TB, comment string) func(i int) []byte {
	t.Helper()
	source, err := os.ReadFile("greet/" + l.folder + "/" + l.source)
	if err != nil {
		t.Fatal(err)
	}
	return func(i int) []byte { return l.pack(t, string(source)+"\n"+comment+" "+strconv.Itoa(i)+"\n") }
}

// pack returns a script of a language as a module.
func (l language) pack(t testing.TB, text string) []byte {
	t.Helper()
	b, err := script.Pack(fstest.MapFS{l.source: {Data: []byte(text)}}, l.source, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
