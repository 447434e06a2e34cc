package hostiletest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
	"github.com/polyvoke/polyvoke/samples"
)

// mutants is how many there are. Mutant n is always the same.
var mutants = flag.Int("mutants", 1500/share, "how many mutants TestMutants uploads")

// What a mutant may take: far more than it does, and less than a hang.
const (
	mutantTime   = 60 * time.Second // for all that is done with it
	mutantMemory = 1 << 20          // KiB that a child may come to have, in the end
	mutantRun    = 50 * time.Millisecond
)

// tally is what has become of mutants.
type tally struct {
	Refused int           // with a *runtimes.ModuleError, by the check
	Invalid int           // the same by the engine
	Ran     int           // compiled, run, and ended in a way that processes end in
	Slowest time.Duration // one took
	Which   int           // it was
	Peak    int           // KiB that the largest child had
	Wrong   []string      // what should not have been
}

func (t *tally) add(o tally) {
	t.Refused, t.Invalid, t.Ran = t.Refused+o.Refused, t.Invalid+o.Invalid, t.Ran+o.Ran
	t.Peak = max(t.Peak, o.Peak)
	t.took(o.Which, o.Slowest)
	t.Wrong = append(t.Wrong, o.Wrong...)
}

// took notes how long a mutant took, if none took longer.
func (t *tally) took(n int, d time.Duration) {
	if d > t.Slowest {
		t.Slowest, t.Which = d, n
	}
}

// TestMutants uploads modules that were well once, and runs those that still are. That is done in children, which
// compile in their own process: one that crashes or hangs is a failure, and the next goes on behind the module that
// it was at.
func TestMutants(t *testing.T) {
	dir, err := corpusDir()
	if err != nil {
		t.Fatal(err)
	}
	workers := min(runtime.NumCPU(), 4)
	var mu sync.Mutex
	var all tally
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			from, to := *mutants*w/workers, *mutants*(w+1)/workers
			for from < to {
				part, next := tryInChild(t, dir, from, to)
				mu.Lock()
				all.add(part)
				mu.Unlock()
				from = next
			}
		})
	}
	wait.Wait()
	for _, w := range all.Wrong {
		t.Error(w)
	}
	if all.Refused+all.Invalid+all.Ran+len(all.Wrong) < *mutants || all.Ran < *mutants/50 {
		t.Errorf("of %d, %d and %d were refused and %d ran", *mutants, all.Refused, all.Invalid, all.Ran)
	}
	if all.Peak > mutantMemory {
		t.Errorf("a child had %d KiB of memory", all.Peak)
	}
	t.Logf("%d refused by the check, %d by the engine, %d ran; the slowest, %d, took %v, the largest child had %d KiB",
		all.Refused, all.Invalid, all.Ran, all.Which, all.Slowest, all.Peak)
}

// corpusDir returns where the engine's module lies, with the corpora that ship in it.
func corpusDir() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	return strings.TrimSpace(string(out)), err
}

// tryInChild has a child try the mutants from one number to another. It returns what became of them, and the number
// to go on with.
func tryInChild(t *testing.T, dir string, from, to int) (tally, int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	exe, err := os.Executable()
	if err != nil {
		return tally{Wrong: []string{err.Error()}}, to
	}
	cmd := exec.CommandContext(ctx, exe, tryMutants, dir, strconv.Itoa(from), strconv.Itoa(to))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return tally{Wrong: []string{err.Error()}}, to
	}
	watch := time.AfterFunc(10*mutantTime, cancel) // to begin with
	var sum tally
	at := from
	for lines := bufio.NewScanner(out); lines.Scan(); {
		watch.Reset(mutantTime)
		if n, err := strconv.Atoi(lines.Text()); err == nil {
			at = n
		} else if err := json.Unmarshal(lines.Bytes(), &sum); err != nil {
			sum.Wrong = append(sum.Wrong, fmt.Sprintf("mutant %d: the child says %q", at, lines.Text()))
		}
	}
	watch.Stop()
	err = cmd.Wait()
	if err == nil {
		return sum, to
	}
	text := stderr.String()
	sum.Wrong = append(sum.Wrong,
		fmt.Sprintf("mutant %d: %v (hung: %t)\n%s", at, err, ctx.Err() != nil, text[:min(len(text), 4000)]))
	return sum, at + 1
}

// mutantsChild is what a child does. It says on stdout which mutant it is at, and from time to time and in the end
// what became of them.
func mutantsChild(args []string) int {
	from, err1 := strconv.Atoi(args[1])
	to, err2 := strconv.Atoi(args[2])
	corpus, err3 := readCorpus(args[0])
	// Without StartTime, each that never ends would take seconds to compile.
	r, err4 := wasi.New(context.Background(), wasi.Config{StartTime: mutantRun})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var sum tally
	say := func() {
		b, err := json.Marshal(sum)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(b))
	}
	for n := from; n < to; n++ {
		fmt.Println(n)
		sum.try(r, n, corpus.mutant(n))
		if n%50 == 49 {
			say()
		}
	}
	sum.Peak = peak()
	say()
	return 0
}

// peak returns the most memory that this process has had, in KiB, or 0 where the system does not say.
func peak() (kib int) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(b), "VmHWM:")
	_, _ = fmt.Sscan(line, &kib)
	return kib
}

// try uploads a mutant and runs it.
func (t *tally) try(r runtimes.Runtime, n int, module []byte) {
	start := time.Now()
	defer func() { t.took(n, time.Since(start)) }()
	ctx, cancel := context.WithTimeout(context.Background(), mutantTime)
	defer cancel()
	g, err := r.Compile(ctx, module, runtimes.Options{Memory: 4 << 20})
	var refused *runtimes.ModuleError
	switch {
	case !errors.As(err, &refused):
	case strings.HasPrefix(refused.Reason, "the module is not valid"):
		t.Invalid++
		return
	case !strings.HasPrefix(refused.Reason, "the engine cannot"): // it panicked
		t.Refused++
		return
	}
	if err == nil {
		a := attack{}
		p := a.process()
		p.Stdin = strings.NewReader("hello world\n")
		ctx, cancel := context.WithTimeout(ctx, mutantRun)
		err = ending{}.known(g.Run(ctx, p))
		cancel()
		err = errors.Join(err, g.Close(ctx))
	}
	if err != nil {
		t.Wrong = append(t.Wrong, fmt.Sprintf("mutant %d: %v", n, err))
		return
	}
	t.Ran++
}

// known returns an error that is none of those that processes end with.
func (ending) known(err error) error {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	switch {
	case err == nil, errors.As(err, &exit), errors.Is(err, context.DeadlineExceeded), errors.Is(err, runtimes.ErrMemory),
		errors.Is(err, runtimes.ErrOutput):
		return nil
	case errors.As(err, &trap) && !strings.Contains(trap.Reason, "runtime error") &&
		!strings.Contains(trap.Reason, "recovered"):
		return nil
	}
	return err
}

// corpus is what mutants are made from.
type corpus struct {
	commands [][]byte // that can run as processes
	others   [][]byte // that the engine is tested with
}

// readCorpus reads the modules of the samples, of this package and of the engine.
func readCorpus(dir string) (c corpus, err error) {
	c.commands = append(c.commands, runtimestest.Wasm())
	for _, s := range samples.All() {
		if s.Wasm != nil {
			c.commands = append(c.commands, s.Wasm)
		}
	}
	for _, a := range attacks(1) {
		if b := a.guest.build(); len(b) < 1<<16 {
			c.commands = append(c.commands, b)
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".wasm") {
			return err
		}
		b, err := os.ReadFile(path)
		c.others = append(c.others, b)
		if command, ok := asCommand(b); ok {
			c.commands = append(c.commands, command)
		}
		return err
	})
	if err == nil && len(c.others) < 7000 {
		err = fmt.Errorf("found only %d modules in %s", len(c.others), dir)
	}
	return c, err
}

// mutant returns mutant n: seven of eight are made from a command.
func (c *corpus) mutant(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	from := c.commands
	if n%8 == 7 {
		from = c.others
	}
	b := bytes.Clone(from[r.IntN(len(from))])
	if other := from[r.IntN(len(from))]; len(other) > len(b) { // large ones are more, and survive more often
		b = bytes.Clone(other)
	}
	for range 1 + max(0, r.IntN(6)-3) { // one, for the most part: what is very wrong is soon found out
		if len(b) < 9 {
			return b
		}
		switch k := r.IntN(16); {
		case k < 10:
			b = changeBytes(b, r)
		case k < 11:
			b = b[:9+r.IntN(len(b)-8)-1]
		case k < 12:
			b = splice(b, from[r.IntN(len(from))], r)
		case k < 14:
			b = inflate(b, r)
		default:
			b = shuffle(b, r)
		}
	}
	return b
}

// changeBytes changes, leaves out or puts in a few bytes.
func changeBytes(b []byte, r *rand.Rand) []byte {
	for range 1 + max(0, r.IntN(5)-3) {
		i := 8 + r.IntN(len(b)-8)
		switch r.IntN(6) {
		case 0:
			b[i] = byte(r.Uint32())
		case 1:
			b[i] ^= 1 << r.IntN(8)
		case 2:
			b[i]++
		case 3:
			b[i] = b[8+r.IntN(len(b)-8)]
		case 4:
			b[i] = 0xff
		default:
			b[i]--
		}
	}
	return b
}

// splice puts a piece of another module in the place of one.
func splice(b, other []byte, r *rand.Rand) []byte {
	if len(other) < 9 {
		return b
	}
	i, j := 8+r.IntN(len(b)-8), 8+r.IntN(len(other)-8)
	n := min(1+r.IntN(64), len(b)-i, len(other)-j)
	copy(b[i:i+n], other[j:j+n])
	return b
}

// parts are the sections of a module, as far as they can be told.
func parts(b []byte) (list [][]byte) {
	for i := 8; i < len(b); {
		size, n := 0, 0
		for shift := 0; i+1+n < len(b) && shift < 35; shift += 7 {
			c := b[i+1+n]
			n++
			size |= int(c&0x7f) << shift
			if c < 0x80 {
				break
			}
		}
		to := min(i+1+n+size, len(b))
		list = append(list, b[i:to])
		i = to
	}
	return list
}

// inflate makes a number of a section much larger, and its size right: where it is a count, that is a bomb.
func inflate(b []byte, r *rand.Rand) []byte {
	list := parts(b)
	if len(list) == 0 {
		return b
	}
	k := r.IntN(len(list))
	content := list[k][min(2, len(list[k])):]
	if len(content) == 0 {
		return b
	}
	at := 0
	if r.IntN(2) == 0 {
		at = r.IntN(len(content))
	}
	large := number(int(uint32(1)<<r.IntN(32) - uint32(r.IntN(2))))
	list[k] = []byte(section(list[k][0], string(content[:at])+large+string(content[min(at+1, len(content)):])))
	return join(b, list)
}

// shuffle swaps, doubles or leaves out sections.
func shuffle(b []byte, r *rand.Rand) []byte {
	list := parts(b)
	if len(list) == 0 {
		return b
	}
	i, j := r.IntN(len(list)), r.IntN(len(list))
	switch r.IntN(3) {
	case 0:
		list[i], list[j] = list[j], list[i]
	case 1:
		list = append(list[:i+1], append([][]byte{list[i]}, list[i+1:]...)...)
	default:
		list = append(list[:i], list[i+1:]...)
	}
	return join(b, list)
}

// join puts a module together again.
func join(b []byte, list [][]byte) []byte {
	return append(bytes.Clone(b[:8]), bytes.Join(list, nil)...)
}
