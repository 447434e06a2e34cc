package subjects

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestRoutes compares what the tree finds with what comparing all functions finds, while functions come and go.
func TestRoutes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	subject := func() string {
		var tokens []string
		for range 1 + rng.IntN(4) {
			tokens = append(tokens, []string{"a", "b", "c", "*"}[rng.IntN(4)])
		}
		if rng.IntN(4) == 0 {
			tokens = append(tokens, ">")
		}
		return strings.Join(tokens, ".")
	}
	var r Routes
	there := map[string]*protocol.Function{}
	found := 0
	for step := range 3000 {
		f := &protocol.Function{Name: fmt.Sprint("f", rng.IntN(12)), Version: step}
		for range rng.IntN(3) {
			f.Triggers = append(f.Triggers, protocol.Trigger{Subject: subject(), Queue: fmt.Sprint("q", step)})
		}
		if rng.IntN(3) == 0 {
			r.Remove(f.Name)
			delete(there, f.Name)
		} else {
			r.Set(f)
			there[f.Name] = f
		}
		var want, got []string
		for name, g := range there {
			if name != f.Name && len(Overlaps(f, g)) > 0 {
				want = append(want, g.Ref().String())
			}
		}
		for _, g := range r.Overlapping(f) {
			got = append(got, g.Ref().String())
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("step %d: %v overlaps %v, want %v", step, f.Triggers, got, want)
		}
		found += len(got)
	}
	if found < 1000 {
		t.Errorf("only %d overlaps were found: the test compares nothing", found)
	}
	for name := range there {
		r.Remove(name)
	}
	if r.root.below != 0 || len(r.root.next) != 0 || len(r.manifest) != 0 {
		t.Errorf("the tree keeps %+v of functions that are gone", r.root)
	}
}
