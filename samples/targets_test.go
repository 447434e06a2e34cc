//go:build languages

package samples_test

import (
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// Targets of what scripts cost.
const (
	ratioMost   = 0.02      // of a call with a checkpoint to one with a start of its own
	idleMost    = 256 << 10 // bytes of an idle script
	idleScripts = 200       // of one interpreter
)

// quick is how long a call of a script may take.
var quick = map[string]time.Duration{"js": 300 * time.Microsecond, "lua": 300 * time.Microsecond,
	"micropython": 300 * time.Microsecond, "ruby": time.Millisecond, "python": time.Millisecond}

// BenchmarkScriptCall is a call of the greeting in process: with a checkpoint, and in turns with that restarted.
// What the script itself does, which is to judge JSON strictly, is in both.
func BenchmarkScriptCall(b *testing.B) {
	for _, l := range allLanguages(b) {
		if quick[l.folder] > 0 {
			b.Run(l.folder, func(b *testing.B) { benchScript(b, l, welcome) })
		}
	}
}

// echoes are scripts that send their request back, and do nothing else.
var echoes = map[string]string{
	"js":          `import * as std from "std"; std.out.puts(std.in.readAsString());`,
	"lua":         `io.write(io.read("a"))`,
	"micropython": "import sys\nsys.stdout.write(sys.stdin.read())\n",
	"ruby":        `$stdout.write($stdin.read)`,
	"python":      "import sys\nsys.stdout.write(sys.stdin.read())\n",
}

// BenchmarkScriptEcho is the same for a script that does next to nothing: what a call of a script costs besides the
// script.
func BenchmarkScriptEcho(b *testing.B) {
	for _, l := range allLanguages(b) {
		if text, ok := echoes[l.folder]; ok {
			b.Run(l.folder, func(b *testing.B) {
				l.module = l.pack(b, text)
				benchScript(b, l, hello)
			})
		}
	}
}

// benchScript measures the script of a language, which answers hello with want.
func benchScript(b *testing.B, l language, want string) {
	r, limit := newScripts(b, l, newModules(b)), quick[l.folder]
	for b.Loop() {
		fresh, checkpoint := compile(b, r, l, runtimes.StartFresh), compile(b, r, l, runtimes.StartCheckpoint)
		if checkpoint == nil {
			b.Fatal("MISSED: no checkpoint is possible")
		}
		fresh.want, checkpoint.want = want, want
		alternate(b, fresh, checkpoint)
		p50, ratio := checkpoint.p50(), float64(checkpoint.p50())/float64(fresh.p50())
		cpu := float64(checkpoint.cpuPerCall()) / float64(fresh.cpuPerCall())
		b.ReportMetric(float64(p50)/1e3, "p50-µs")
		b.ReportMetric(float64(fresh.p50())/1e3, "fresh-p50-µs")
		b.ReportMetric(ratio, "x-fresh")
		b.ReportMetric(cpu, "x-fresh-cpu")
		b.Logf("p50 %v, target %v: %s; %.4fx of a fresh start, %.4fx of its CPU, target %v: %s", p50, limit,
			verdict(p50 <= limit), ratio, cpu, ratioMost, verdict(ratio <= ratioMost))
	}
}

// BenchmarkScriptIdle is the memory of one of many scripts of an interpreter, which have been called once each.
func BenchmarkScriptIdle(b *testing.B) {
	comments := map[string]string{"js": "//", "lua": "--"}
	for _, l := range allLanguages(b) {
		comment, ok := comments[l.folder]
		if !ok {
			continue
		}
		b.Run(l.folder, func(b *testing.B) {
			r := newScripts(b, l, newModules(b))
			for b.Loop() {
				m := idleFunctions(b, r, l, idleScripts, ending, l.numbered(b, comment))
				b.ReportMetric(float64(m.after)/1024, "KiB-after-call")
				b.ReportMetric(float64(m.later)/1024, "KiB-idle")
				b.ReportMetric(float64(m.last)/1024, "KiB-ended")
				b.Logf("%d scripts: %d KiB each after a call, %d KiB when idle, target %d KiB: %s; %d KiB after %v", idleScripts,
					m.after>>10, m.later>>10, idleMost>>10, verdict(m.later <= idleMost), m.last>>10, shedding+ending)
			}
		})
	}
}

// verdict says what became of a target.
func verdict(ok bool) string {
	if ok {
		return "hit"
	}
	return "MISSED"
}
