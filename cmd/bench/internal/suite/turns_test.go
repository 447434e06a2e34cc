package suite

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
)

// Slices come in rounds, each contestant once in each, and not always in the same order; whichever fails is out.
func TestAlternate(t *testing.T) {
	var order []string
	entry := func(name string, rounds, fails int) *turn {
		c := &Cell{Key: Key{Contestant: name}}
		return &turn{cell: c, rounds: rounds, take: func() (measure.Sample, error) {
			order = append(order, name)
			if fails--; fails == 0 {
				return measure.Sample{}, errors.New("failure")
			}
			return measure.Sample{Calls: 1}, nil
		}}
	}
	a, b, c := entry("a", 4, 0), entry("b", 4, 2), entry("c", 3, 0)
	alternate([]*turn{a, b, c})
	if got, want := strings.Join(order, ""), "abc"+"bca"+"ca"+"a"; got != want {
		t.Errorf("got the order %s, want %s", got, want)
	}
	if len(a.cell.Series) != 4 || len(b.cell.Series) != 0 || b.cell.Absent != "failure" || len(c.cell.Series) != 3 {
		t.Errorf("got %d, %d (%s) and %d slices", len(a.cell.Series), len(b.cell.Series), b.cell.Absent, len(c.cell.Series))
	}
}

func TestFind(t *testing.T) {
	var r Results
	k := Key{InProcess, "g", "1", "c"}
	r.add(k).Absent = "why"
	if r.Find(k) != nil {
		t.Error("a cell without a series was found")
	}
	r.Of(InProcess)[0].Series = measure.Series{{Calls: 1}}
	if r.Find(k) == nil || r.Find(Key{}) != nil || len(r.Of(Through)) != 0 {
		t.Error("the wrong cells were found")
	}
}

func TestUnknownSuite(t *testing.T) {
	err := (&Bench{}).Run(t.Context(), "no")
	if err == nil || !strings.Contains(err.Error(), strings.Join(Names(), ", ")) {
		t.Errorf("got the error %v", err)
	}
	if len(Names()) != len(slices.Compact(slices.Sorted(slices.Values(Names())))) {
		t.Error("two suites have one name")
	}
}
