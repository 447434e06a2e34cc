package report

import (
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/metering"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

func TestFigure(t *testing.T) {
	for want, x := range map[string]float64{
		"-": math.NaN(), "0": 0, "0.0012": 0.00123, "0.05": 0.05, "1.23": 1.234, "12.3": 12.34, "123": 123.4, "1,235": 1234.6,
		"12,345,678": 12345678,
	} {
		if got := figure(x); got != want {
			t.Errorf("%v: got %q, want %q", x, got, want)
		}
	}
	if got := figure(math.Inf(1)) + figure(0.00001); got != "-0" {
		t.Errorf("infinity and next to nothing: got %q", got)
	}
}

func TestTable(t *testing.T) {
	tab := &table{header: []string{"", "n"}}
	tab.add("a|b", "1")
	tab.add("c", tab.absent("why\nso"))
	tab.add("d", tab.absent("else"))
	tab.add("e", tab.absent("why\nso"))
	tab.add("f", tab.absent(""))
	want := "|  | n |\n|---|---:|\n| a\\|b | 1 |\n| c | - [1] |\n| d | - [2] |\n| e | - [1] |\n| f | - |\n\n" +
		"[1] why so.<br>\n[2] else."
	if got := tab.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := (&table{header: []string{"x"}}).String(); got != "" {
		t.Errorf("an empty table is %q", got)
	}
}

// cell returns a cell with a processor time of some microseconds a call.
func cell(name, load, variant, who string, micros float64) *suite.Cell {
	d := time.Duration(micros * float64(time.Microsecond))
	return &suite.Cell{Key: suite.Key{Suite: name, Load: load, Variant: variant, Contestant: who},
		Series: measure.Series{{Calls: 1, CPU: d, Wall: d, Latencies: []time.Duration{d}}}}
}

// some is a run in which something of everything was measured.
func some() *suite.Results {
	absent := cell(suite.InProcess, "C echo", "1", "a < b & c", 1)
	absent.Series, absent.Absent = nil, "not possible"
	r := &suite.Results{Notes: []string{"absent: Ruby"},
		Sites: map[string][]worker.Site{"x": {{Where: "f (g.go:1)", Objects: 1, Bytes: 8}}}}
	r.Cells = []*suite.Cell{
		cell(suite.InProcess, "C echo", "1", contestant.Base, 100), cell(suite.InProcess, "C echo", "1", reset, 5), absent,
		cell(suite.InProcess, "C echo", suite.Paced, contestant.Base, 40),
		cell(suite.InProcess, "C echo", suite.Paced, reset, 20),
		cell(suite.Through, "C echo", "10,000/s", contestant.Native, 10),
		cell(suite.Through, "C echo", "10,000/s", reset, 14),
		cell(suite.Scaling, "C echo", "1", reset, 20), cell(suite.Scaling, "C echo", "2", reset, 10),
	}
	for _, load := range []string{"a", "b", "c", "d", "e", "f", "g", "Ruin", "Ruby: calls, Hash, gsub, map"} {
		r.Cells = append(r.Cells, cell(suite.Metering, load, "", metering.Plain, 100),
			cell(suite.Metering, load, "", metering.Bounded, 108))
	}
	return r
}

func TestTargets(t *testing.T) {
	found := map[string]target{}
	for _, g := range targets(some()) {
		found[g.what] = g
	}
	for _, c := range []struct {
		what  string
		found float64
		met   bool
	}{
		{"C echo, reset, in process: CPU against wazero, fresh", 0.05, true},
		{"C echo, reset, through NATS, 10,000/s: CPU against native Go", 1.4, false},
		{"two cores, C echo, reset: calls/s against one", 2, true},
		{"metering with stack limit, geometric mean of eight loads: CPU against none", 1.08, true},
		{"metering with stack limit, Ruby: CPU against none", 1.08, true},
	} {
		if g, ok := found[c.what]; !ok || math.Abs(g.found-c.found) > 1e-9 || g.met() != c.met {
			t.Errorf("%s: got %+v", c.what, g)
		}
	}
	if g := found["Ruby, checkpoint, in process: CPU against wazero, fresh"]; !math.IsNaN(g.found) {
		t.Errorf("what was not measured: got %+v", g)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := Write(dir, Data{Results: some(), Machine: Machine{CPU: "Model", Cores: 2, Go: "go1"}}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, Page))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Model, 2 cores", "| missed |", "| hit |", "| not measured |", "not possible.",
		"(" + Chart + ")", "absent: Ruby", "f (g.go:1)", "| 20.0 | 0.50x | 20.0 |", "## In process", "## Through NATS",
		"## Two cores", "## Metering"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(string(page), "NaN") {
		t.Errorf("NaN is on the page:\n%s", page)
	}
	file, err := os.Open(filepath.Join(dir, Chart))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for dec := xml.NewDecoder(file); ; {
		if _, err := dec.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// Without results there is a page all the same, and no plot.
func TestWriteNothing(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, Data{Results: &suite.Results{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, Chart)); !os.IsNotExist(err) {
		t.Errorf("there is a plot: %v", err)
	}
}

func TestPosition(t *testing.T) {
	for us, want := range map[float64]float64{0.001: nameWidth, 0.01: nameWidth, 100: nameWidth + barWidth/2,
		1e6: nameWidth + barWidth, 1e9: nameWidth + barWidth} {
		if got := position(us); math.Abs(got-want) > 1e-6 {
			t.Errorf("%v: got %v, want %v", us, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	if got := field("a : 1\nmodel name\t: Fast: very\nmodel name: slow\n", "model name", "none"); got != "Fast: very" {
		t.Errorf("got %q", got)
	}
	if got := field("", "model name", "none"); got != "none" {
		t.Errorf("got %q", got)
	}
	if m := ThisMachine(); m.Cores < 1 || m.Go == "" || len(m.Date) != 10 {
		t.Errorf("got %+v", m)
	}
}
