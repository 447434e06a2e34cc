package report

import (
	"encoding/json"
	"math"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// Computed is the file of the figures of the suite that compares how fast engines compute, for programs.
const Computed = "compute.json"

// program is what was found out about one program. Times are the least processor time of a call in milliseconds.
type program struct {
	Name     string             `json:"name"`
	Language string             `json:"language"`
	Least    map[string]float64 `json:"least"`            // by contestant
	Absent   map[string]string  `json:"absent,omitempty"` // why there is none
}

// computed are the figures of all programs. A mean is a geometric one.
type computed struct {
	Programs []program                     `json:"programs"`
	Means    map[string]map[string]float64 `json:"means"` // by language, of polyvoke over a contestant
}

// over is how many times as long polyvoke takes as a contestant, or NaN if either has no figure.
func (p program) over(name string) float64 {
	ours, theirs := p.Least[contestant.Ours], p.Least[name]
	if ours == 0 || theirs == 0 {
		return math.NaN()
	}
	return ours / theirs
}

// compute collects the figures.
func compute(r *suite.Results) computed {
	all := r.Of(suite.Compute)
	c := computed{Means: map[string]map[string]float64{}}
	for _, name := range distinct(all, byLoad) {
		cells := choose(all, byLoad, name)
		p := program{name, cells[0].Variant, map[string]float64{}, map[string]string{}}
		for _, c := range cells {
			if len(c.Series) > 0 {
				p.Least[c.Contestant] = c.Series.Least() / 1000
			} else {
				p.Absent[c.Contestant] = c.Absent
			}
		}
		c.Programs = append(c.Programs, p)
	}
	for _, language := range distinct(all, byVariant) {
		c.Means[language] = map[string]float64{}
		for _, other := range []string{contestant.Ahead, contestant.Machine} {
			if mean := c.mean(language, other); !math.IsNaN(mean) {
				c.Means[language][other] = mean
			}
		}
	}
	return c
}

// mean is the geometric mean of what polyvoke takes over a contestant, of the programs in a language that have both;
// NaN if none has.
func (c computed) mean(language, other string) float64 {
	sum, n := 0.0, 0.0
	for _, p := range c.Programs {
		if x := p.over(other); p.Language == language && !math.IsNaN(x) {
			sum, n = sum+math.Log(x), n+1
		}
	}
	return math.Exp(sum / n) // 0/0 is none
}

// json returns the figures for programs, or nothing if there are none.
func (c computed) json() ([]byte, error) {
	if len(c.Programs) == 0 {
		return nil, nil
	}
	b, err := json.MarshalIndent(c, "", "  ")
	return append(b, '\n'), err
}

// table returns the figures for people.
func (c computed) table() string {
	if len(c.Programs) == 0 {
		return ""
	}
	names := contestant.Computing()
	t := &table{header: []string{""}}
	for _, n := range names {
		t.header = append(t.header, n.Name)
	}
	t.header = append(t.header, "polyvoke / wasmtime", "polyvoke / native")
	means := &table{header: []string{"geometric mean", "polyvoke / wasmtime", "polyvoke / native"}}
	for i, p := range c.Programs {
		row := []string{p.Name}
		for _, n := range names {
			if least, ok := p.Least[n.Name]; ok {
				row = append(row, figure(least))
			} else {
				row = append(row, t.absent(p.Absent[n.Name]))
			}
		}
		t.add(append(row, ratio(p.over(contestant.Ahead)), ratio(p.over(contestant.Machine)))...)
		if i+1 == len(c.Programs) || c.Programs[i+1].Language != p.Language {
			means.add(p.Language, ratio(c.mean(p.Language, contestant.Ahead)), ratio(c.mean(p.Language, contestant.Machine)))
		}
	}
	return "## Computing\n\nProcessor time of a process in milliseconds, the least of its slices: the whole call, from a new " +
		"instance to the reply, which is the same everywhere. Native is the same source compiled for the machine; of Java " +
		"and of scripts it is the virtual machine or the interpreter of this machine, with its start.\n\n" +
		t.String() + "\n\n" + means.String()
}
