//go:build languages

package samples_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// idleCopies is how many functions of a language are idle at a time when their memory is measured.
const idleCopies = 10

// A row of the matrix is what was measured of a language.
type row struct {
	language
	size   string        // of the module, or of the script and its interpreter
	build  string        // how long the tool chain took
	native time.Duration // how long translating the module or the interpreter to native code took
	start  runtimes.Start
	kinds  map[string]*contender // those that are possible
	idle   idle
}

// TestMatrix measures every language, and writes the file that MATRIX names.
func TestMatrix(t *testing.T) {
	file := os.Getenv("MATRIX")
	if file == "" {
		t.Fatal("no file to write to: run this by `make matrix`")
	}
	var rows []row
	for _, l := range allLanguages(t) {
		t.Run(l.folder, func(t *testing.T) { rows = append(rows, measure(t, l)) })
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	if t.Failed() {
		t.Fatalf("%s is not written: not every language could be measured", file)
	}
	if err := os.WriteFile(file, []byte(page(rows)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// measure measures one language, in a sandbox of its own.
func measure(t *testing.T, l language) row {
	t.Helper()
	r := newScripts(t, l, newModulesIn(t, t.TempDir())) // nothing is compiled yet
	w := row{language: l, kinds: map[string]*contender{}, build: "–"}
	begin := time.Now()
	chosen := compile(t, r, l, runtimes.StartAuto)
	w.native = time.Since(begin)
	w.start = chosen.program.Start()
	for _, kind := range []string{
		runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint,
	} {
		if c := compile(t, r, l, kind); c != nil {
			w.kinds[kind] = c
		}
	}
	alternate(t, w.kinds[runtimes.StartFresh], w.kinds[runtimes.StartReset],
		w.kinds[runtimes.StartPrefork], w.kinds[runtimes.StartCheckpoint])
	w.idle = idleFunctions(t, r, l, idleCopies, 0, func(int) []byte { return l.module })
	if l.runtime == "" {
		w.size = size(uint64(len(l.module)))
		if ms, err := os.ReadFile(filepath.Join(os.Getenv("MODULES"), l.folder+".ms")); err == nil {
			w.build = strings.TrimSpace(string(ms)) + " ms"
		}
		return w
	}
	module, files := l.interpreterSize(t)
	w.size = size(uint64(l.sourceSize(t))) + " + " + size(module)
	if files > 0 {
		w.size += " + " + size(files)
	}
	return w
}

// page is the whole file.
func page(rows []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Languages

The greeting of [samples](../samples/README.md) in %d languages: all give the same bytes for the same requests, which
`+"`make languages`"+` shows through NATS. This file is written by `+"`make matrix`"+`, on %s.

A script needs no compiler: its size is that of the source, of the interpreter, which all scripts of a language share,
and of the interpreter's own library. "Build" is from source to module, the first time, with what it downloads. "Native
code" is what follows when a module, or an interpreter for its first script, is deployed. The times of calls are
medians, in process, of calls in turns in one run; the start kind that is chosen without being asked for is set bold,
and [below](#why) is why. "CPU" is the processor time of its calls against that of calls with a fresh start. "Running"
is linear memory during a call; "idle" is what each of %d copies of the function adds to the process, as proportional
set size, after a call and %v later: a rough figure, and ? where it is lost in the noise. `+"`make targets`"+` measures
200 different scripts.

| language | made by | size | build | native code | fresh | reset | prefork | checkpoint | CPU | running | idle |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
`, len(rows), machine(), idleCopies, shedding)
	for _, w := range rows {
		fmt.Fprintln(&b, w.line())
	}
	b.WriteString("\n## Why\n\n")
	for _, w := range rows {
		fmt.Fprintf(&b, "- %s: **%s**: %s\n", w.name, w.start.Kind, w.start.Reason)
	}
	return b.String()
}

// line is a row of the table.
func (w row) line() string {
	cells := []string{w.name, strings.TrimSpace(w.tools + " " + w.version), w.size, w.build, brisk(w.native)}
	for _, kind := range []string{
		runtimes.StartFresh, runtimes.StartReset, runtimes.StartPrefork, runtimes.StartCheckpoint,
	} {
		cell := "–"
		if p50 := w.kinds[kind].p50(); p50 > 0 {
			cell = brisk(p50)
		}
		if kind == w.start.Kind {
			cell = "**" + cell + "**"
		}
		cells = append(cells, cell)
	}
	cpu, chosen := "–", w.kinds[w.start.Kind]
	if w.start.Kind != runtimes.StartFresh {
		cpu = fmt.Sprintf("%.3f", float64(chosen.cpuPerCall())/float64(w.kinds[runtimes.StartFresh].cpuPerCall()))
	}
	cells = append(cells, cpu, size(chosen.memory), difference(w.idle.after)+", "+difference(w.idle.later))
	return "| " + strings.Join(cells, " | ") + " |"
}

// difference shows how much larger one measured size is than another, if it is.
func difference(n int64) string {
	if n <= 0 {
		return "?"
	}
	return size(uint64(n))
}

// machine says what was measured on.
func machine() string {
	model := "an unknown processor"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(text), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimSpace(strings.TrimLeft(line, "\t :"))
		}
	}
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = strings.Join(strings.Fields(string(text))[:3], " ")
	}
	return fmt.Sprintf("%d processors of type %s, %s/%s, %s, load %s at the end", runtime.NumCPU(), model, runtime.GOOS,
		runtime.GOARCH, runtime.Version(), load)
}

// size shows bytes with at most three digits.
func size(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1000<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 10<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// brisk shows a duration with at most three digits.
func brisk(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return fmt.Sprintf("%.1f µs", float64(d)/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/1e3)
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
