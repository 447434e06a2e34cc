package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/metering"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// distinct returns a part of the keys of cells, each once, in order.
func distinct(cells []*suite.Cell, part func(suite.Key) string) (out []string) {
	for _, c := range cells {
		if p := part(c.Key); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// The parts of keys by which tables are made.
func byLoad(k suite.Key) string       { return k.Load }
func byVariant(k suite.Key) string    { return k.Variant }
func byContestant(k suite.Key) string { return k.Contestant }

// choose returns the cells whose part has a value.
func choose(cells []*suite.Cell, part func(suite.Key) string, value string) (out []*suite.Cell) {
	for _, c := range cells {
		if part(c.Key) == value {
			out = append(out, c)
		}
	}
	return out
}

// processTables has a table for each guest, of calls within the process.
func processTables(r *suite.Results) string {
	all := r.Of(suite.InProcess)
	if len(all) == 0 {
		return ""
	}
	parts := []string{"## In process\n\nCPU and latencies of one call in microseconds; \"x\" is CPU, of a paced caller " +
		"p50, against " + contestant.Base + ", objects and bytes are what Go allocates. A paced caller waits for " +
		suite.Pause.String() + " before each call, so that what is started ahead has been."}
	for _, guest := range distinct(all, byLoad) {
		parts = append(parts, "### "+guest+"\n\n"+processTable(choose(all, byLoad, guest)).String())
	}
	return strings.Join(parts, "\n\n")
}

// processTable is the table of one guest.
func processTable(cells []*suite.Cell) *table {
	t := &table{header: []string{"", "objects", "bytes"}}
	variants := distinct(cells, byVariant)
	for _, v := range variants {
		switch v {
		case "1":
			t.header = append(t.header, "1 caller: CPU", "x", "p50", "p99")
		case suite.Paced:
			t.header = append(t.header, "paced: p50", "x", "p99")
		default:
			t.header = append(t.header, v+" callers: CPU", "x", "p50", "p99")
		}
	}
	for _, name := range distinct(cells, byContestant) {
		mine := choose(cells, byContestant, name)
		row := []string{name, "-", "-"}
		if first := mine[0].Series; len(first) > 0 && first.Bytes() > 0 {
			row[1], row[2] = figure(first.Allocs()), figure(first.Bytes())
		}
		for _, v := range variants {
			row = append(row, processCells(t, cells, choose(mine, byVariant, v))...)
		}
		t.add(row...)
	}
	return t
}

// processCells are the figures of one contestant with one number of callers. The processor time of a paced
// caller is mostly that of waiting, and not shown.
func processCells(t *table, all, mine []*suite.Cell) []string {
	if len(mine) == 0 {
		return []string{"-", "-", "-", "-"}
	}
	c := mine[0]
	paced := c.Variant == suite.Paced
	if len(c.Series) == 0 {
		row := []string{t.absent(c.Absent), "-", "-", "-"}
		if paced {
			row = row[:3]
		}
		return row
	}
	p50, p99 := c.Series.Latency(0.5), c.Series.Latency(0.99)
	base := choose(choose(all, byVariant, c.Variant), byContestant, contestant.Base)[0].Series
	if paced {
		return []string{figure(p50), ratio(p50 / base.Latency(0.5)), figure(p99)}
	}
	return []string{figure(c.Series.CPU()), ratio(c.Series.Ratio(base, measure.Sample.CPUPerCall)), figure(p50),
		figure(p99)}
}

// natsTables has a table for each load through NATS.
func natsTables(r *suite.Results) string {
	all := r.Of(suite.Through)
	if len(all) == 0 {
		return ""
	}
	parts := []string{"## Through NATS\n\nServer, client and each function are processes of their own, over TCP on " +
		"loopback. CPU is that of the function's process alone, in microseconds a call; \"x\" is that against the native " +
		"Go subscriber in the same run, \"added\" what is beyond it. polyvoke is its whole invoker; the others are plain " +
		"queue subscribers; all have the garbage collector set as polyvoke serve sets it (GOGC=400). At fixed rates calls " +
		"come at random times."}
	for _, load := range distinct(all, byVariant) {
		t := &table{header: []string{load, "CPU", "x", "added", "p50", "p99", "calls/s"}}
		cells := choose(all, byVariant, load)
		for _, c := range cells {
			name := c.Contestant + ", " + c.Load
			if len(c.Series) == 0 {
				t.add(name, t.absent(c.Absent), "-", "-", "-", "-", "-")
				continue
			}
			row := []string{name, figure(c.Series.CPU()), "-", "-"}
			native := suite.Key{Suite: suite.Through, Load: "C echo", Variant: load, Contestant: contestant.Native}
			if base := r.Find(native); base != nil {
				row[2] = ratio(c.Series.Ratio(base.Series, measure.Sample.CPUPerCall))
				row[3] = fmt.Sprintf("%.2f", c.Series.Added(base.Series))
			}
			t.add(append(row, figure(c.Series.Latency(0.5)), figure(c.Series.Latency(0.99)), figure(c.Series.Rate()))...)
		}
		parts = append(parts, t.String())
	}
	return strings.Join(parts, "\n\n")
}

// scalingTable compares one processor with two.
func scalingTable(r *suite.Results) string {
	all := r.Of(suite.Scaling)
	t := &table{header: []string{"", "1 core, calls/s", "2 cores, calls/s", "x"}}
	for _, guest := range distinct(all, byLoad) {
		for _, name := range distinct(choose(all, byLoad, guest), byContestant) {
			row := []string{name + ", " + guest}
			for _, c := range choose(choose(all, byLoad, guest), byContestant, name) {
				if len(c.Series) == 0 {
					row = append(row, t.absent(c.Absent))
				} else {
					row = append(row, figure(c.Series.Rate()))
				}
			}
			t.add(append(row, ratio(speedup(r, name, guest)))...)
		}
	}
	if len(t.rows) == 0 {
		return ""
	}
	return "## Two cores\n\nGOMAXPROCS and as many callers. The native function shows what the machine's second core " +
		"gave at that time.\n\n" + t.String()
}

// meteringTable compares the forms of guests that compute.
func meteringTable(r *suite.Results) string {
	all := r.Of(suite.Metering)
	t := &table{header: append([]string{"", "CPU, ms"}, metering.Forms()[1:]...)}
	for _, load := range distinct(all, byLoad) {
		row := []string{load}
		for _, c := range choose(all, byLoad, load) {
			switch {
			case len(c.Series) == 0:
				row = append(row, t.absent(c.Absent))
			case c.Contestant == metering.Plain:
				row = append(row, figure(c.Series.CPU()/1000))
			default:
				row = append(row, ratio(overhead(r, load, c.Contestant)))
			}
		}
		t.add(row...)
	}
	if len(t.rows) == 0 {
		return ""
	}
	mean := []string{"geometric mean without Ruby", "-"}
	for _, form := range metering.Forms()[1:] {
		mean = append(mean, ratio(meanOverhead(r, form)))
	}
	t.add(mean...)
	return "## Metering\n\nProcessor time against the same module without metering, on the same engine.\n\n" + t.String()
}

// allocTables names each place that allocates in a call.
func allocTables(r *suite.Results) string {
	if len(r.Sites) == 0 {
		return ""
	}
	parts := []string{"## Allocations of a call\n\nEach place that allocates, in order of objects: in process the " +
		"sandbox alone, through NATS everything in the function's process."}
	for _, name := range slices.Sorted(maps.Keys(r.Sites)) {
		t := &table{header: []string{name, "objects", "bytes"}}
		objects, bytes := 0.0, 0.0
		for _, s := range r.Sites[name] {
			t.add("`"+s.Where+"`", figure(s.Objects), figure(s.Bytes))
			objects, bytes = objects+s.Objects, bytes+s.Bytes
		}
		t.add("all", figure(objects), figure(bytes))
		parts = append(parts, t.String())
	}
	return strings.Join(parts, "\n\n")
}

// contestants says what each contestant is.
func contestants() string {
	s := "## Contestants\n"
	for _, c := range contestant.All() {
		s += fmt.Sprintf("\n- **%s**: %s.", c.Name, c.About)
	}
	return s
}
