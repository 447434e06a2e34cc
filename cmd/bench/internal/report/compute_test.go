package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

// Ratios are those of the least figures, means are geometric and leave out what has no partner.
func TestCompute(t *testing.T) {
	r := &suite.Results{}
	add := func(load, language, who string, ms float64) {
		c := cell(suite.Compute, load, language, who, ms*1000)
		if ms == 0 {
			c.Series, c.Absent = nil, "why"
		} else {
			worse := c.Series[0]
			worse.CPU *= 3
			c.Series = append(c.Series, worse)
		}
		r.Cells = append(r.Cells, c)
	}
	add("Go a", "Go", contestant.Machine, 10)
	add("Go a", "Go", contestant.Ahead, 20)
	add("Go a", "Go", contestant.Ours, 40)
	add("Go b", "Go", contestant.Ahead, 10)
	add("Go b", "Go", contestant.Ours, 80)
	add("C c", "C", contestant.Ahead, 0)
	add("C c", "C", contestant.Ours, 5)
	c := compute(r)
	if got := c.mean("Go", contestant.Ahead); math.Abs(got-4) > 1e-9 {
		t.Errorf("the mean of 2 and 8 is %v", got)
	}
	if got := c.mean("Go", contestant.Machine); math.Abs(got-4) > 1e-9 {
		t.Errorf("the mean of what has a native form is %v", got)
	}
	page := c.table()
	for _, want := range []string{"| Go a | 10.0 | 20.0 | 40.0 |", "| 2.00x | 4.00x |", "| Go | 4.00x | 4.00x |", "| C | - | - |",
		"[1] why."} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q in\n%s", want, page)
		}
	}
	b, err := c.json()
	var back computed
	if err == nil {
		err = json.Unmarshal(b, &back)
	}
	if err != nil || len(back.Programs) != 3 || back.Programs[2].Absent[contestant.Ahead] != "why" || len(back.Means["C"]) != 0 {
		t.Errorf("%s: error %v", b, err)
	}
	if b, err := compute(&suite.Results{}).json(); b != nil || err != nil || compute(&suite.Results{}).table() != "" {
		t.Errorf("of nothing: %s, %v", b, err)
	}
}
