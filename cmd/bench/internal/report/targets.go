package report

import (
	"math"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/metering"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// target is what polyvoke is meant to reach.
type target struct {
	what    string
	limit   float64
	atLeast bool   // the limit is the least, not the most
	unit    string // behind the figures
	found   float64
}

// met reports whether the target was hit.
func (t target) met() bool {
	if t.atLeast {
		return t.found >= t.limit
	}
	return t.found <= t.limit
}

// The contestants that have targets.
const (
	reset      = "polyvoke, reset"
	prefork    = "polyvoke, prefork"
	checkpoint = "polyvoke, checkpoint"
	pooling    = "wasmtime, pooling"
)

// targets returns all targets with what was found; NaN if it was not measured.
func targets(r *suite.Results) []target {
	return append(append(processTargets(r), natsTargets(r)...), []target{
		{"two cores, C echo, reset: calls/s against one", 1.7, true, "x", speedup(r, reset, "C echo")},
		{"two cores, Go echo, checkpoint: calls/s against one", 1.7, true, "x", speedup(r, checkpoint, "Go echo")},
		{"metering with stack limit, geometric mean of eight loads: CPU against none", 1.10, false, "x",
			meanOverhead(r, metering.Bounded)},
		{"metering with stack limit, Ruby: CPU against none", 1.25, false, "x",
			overhead(r, "Ruby: calls, Hash, gsub, map", metering.Bounded)},
	}...)
}

// processTargets are those of calls within the process.
func processTargets(r *suite.Results) []target {
	cpu := func(guest, name, base string) float64 {
		return compare(r, suite.InProcess, "1", suite.Key{Load: guest, Contestant: name},
			suite.Key{Load: guest, Contestant: base})
	}
	wazero := " in process: CPU against " + contestant.Base
	wasmtime := " in process: CPU against " + pooling
	return []target{
		{"C echo, reset," + wazero, 0.06, false, "x", cpu("C echo", reset, contestant.Base)},
		{"Rust echo, reset," + wazero, 0.05, false, "x", cpu("Rust echo", reset, contestant.Base)},
		{"Go echo, checkpoint," + wazero, 0.01, false, "x", cpu("Go echo", checkpoint, contestant.Base)},
		{"QuickJS, checkpoint," + wazero, 0.01, false, "x", cpu("QuickJS", checkpoint, contestant.Base)},
		{"Ruby, checkpoint," + wazero, 0.01, false, "x", cpu("Ruby", checkpoint, contestant.Base)},
		{"Go echo, prefork, one call after another: p50 against " + contestant.Base, 0.05, false, "x", preforkP50(r, "1")},
		{"Go echo, prefork, paced: p50 against " + contestant.Base, 0.05, false, "x", preforkP50(r, suite.Paced)},
		{"C echo, reset," + wasmtime, 0.5, false, "x", cpu("C echo", reset, pooling)},
		{"Go echo, checkpoint," + wasmtime, 0.05, false, "x", cpu("Go echo", checkpoint, pooling)},
	}
}

// natsTargets are those of calls through NATS, for the function's process alone.
func natsTargets(r *suite.Results) []target {
	base := suite.Key{Load: "C echo", Contestant: contestant.Native}
	cpu := func(load, guest, name string) float64 {
		return compare(r, suite.Through, load, suite.Key{Load: guest, Contestant: name}, base)
	}
	native := ": CPU against native Go"
	return []target{
		{"C echo, reset, through NATS, 10,000/s" + native, 1.33, false, "x", cpu("10,000/s", "C echo", reset)},
		{"C echo, reset, through NATS, 30,000/s" + native, 1.33, false, "x", cpu("30,000/s", "C echo", reset)},
		{"C echo, reset, through NATS, 16 callers" + native, 1.4, false, "x", cpu("16 callers", "C echo", reset)},
		{"C echo, reset, through NATS, 128 callers: CPU added to native Go", 1.5, false, " us", added(r)},
		{"C echo, reset, through NATS, 64 KiB" + native, 1.25, false, "x", cpu("64 KiB, 16 callers", "C echo", reset)},
		{"Go echo, checkpoint, through NATS, 16 callers" + native, 3, false, "x", cpu("16 callers", "Go echo", checkpoint)},
	}
}

// compare returns the ratio of the processor time of two cells of a suite and a variant.
func compare(r *suite.Results, name, variant string, mine, base suite.Key) float64 {
	mine.Suite, mine.Variant, base.Suite, base.Variant = name, variant, name, variant
	a, b := r.Find(mine), r.Find(base)
	if a == nil || b == nil {
		return math.NaN()
	}
	return a.Series.Ratio(b.Series, measure.Sample.CPUPerCall)
}

// preforkP50 returns the ratio of median latencies of calls by one caller, without time between them or with it.
func preforkP50(r *suite.Results, variant string) float64 {
	k := suite.Key{Suite: suite.InProcess, Load: "Go echo", Variant: variant, Contestant: prefork}
	a := r.Find(k)
	k.Contestant = contestant.Base
	b := r.Find(k)
	if a == nil || b == nil {
		return math.NaN()
	}
	return a.Series.Latency(0.5) / b.Series.Latency(0.5)
}

// added returns what the invoker needs beyond the native subscriber with 128 callers, in microseconds a call.
func added(r *suite.Results) float64 {
	k := suite.Key{Suite: suite.Through, Load: "C echo", Variant: "128 callers", Contestant: reset}
	a := r.Find(k)
	k.Contestant = contestant.Native
	b := r.Find(k)
	if a == nil || b == nil {
		return math.NaN()
	}
	return a.Series.Added(b.Series)
}

// speedup returns how many times more calls a second two cores give.
func speedup(r *suite.Results, name, guest string) float64 {
	one := r.Find(suite.Key{Suite: suite.Scaling, Load: guest, Variant: "1", Contestant: name})
	two := r.Find(suite.Key{Suite: suite.Scaling, Load: guest, Variant: "2", Contestant: name})
	if one == nil || two == nil {
		return math.NaN()
	}
	return two.Series.Ratio(one.Series, measure.Sample.Rate)
}

// overhead returns how many times the processor time of a load is in a form.
func overhead(r *suite.Results, load, form string) float64 {
	return compare(r, suite.Metering, "", suite.Key{Load: load, Contestant: form},
		suite.Key{Load: load, Contestant: metering.Plain})
}

// meanOverhead returns the geometric mean over the loads without Ruby; NaN if one of the eight is missing.
func meanOverhead(r *suite.Results, form string) float64 {
	sum, n := 0.0, 0
	for _, load := range distinct(r.Of(suite.Metering), byLoad) {
		if x := overhead(r, load, form); !strings.HasPrefix(load, "Ruby") && !math.IsNaN(x) {
			sum += math.Log(x)
			n++
		}
	}
	if n < 8 {
		return math.NaN()
	}
	return math.Exp(sum / float64(n))
}

// targetTable shows all targets if one was measured.
func targetTable(r *suite.Results) string {
	t := &table{header: []string{"target", "limit", "found", ""}}
	measured := false
	for _, g := range targets(r) {
		verdict, sign := "missed", "<= "
		if g.atLeast {
			sign = ">= "
		}
		switch {
		case math.IsNaN(g.found):
			verdict = "not measured"
		case g.met():
			verdict = "hit"
		}
		measured = measured || !math.IsNaN(g.found)
		found := figure(g.found)
		if found != "-" {
			found += g.unit
		}
		t.add(g.what, sign+figure(g.limit)+g.unit, found, verdict)
	}
	if !measured {
		return ""
	}
	return "## Targets\n\n" + t.String()
}
