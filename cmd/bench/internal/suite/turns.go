package suite

import (
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// turn is a contestant in a round: where its slices go and how one is taken.
type turn struct {
	cell   *Cell
	take   func() (measure.Sample, error)
	rounds int // how many it takes part in
}

// budget is about how long one cell may take.
func (b *Bench) budget() time.Duration {
	if b.Quick {
		return time.Second
	}
	return 12 * time.Second
}

// alternate takes the slices of all turns, one of each after the other, so that what else the machine does falls
// on all of them. A contestant that fails is out.
func alternate(turns []*turn) {
	rounds := 0
	for _, t := range turns {
		rounds = max(rounds, t.rounds)
	}
	for round := range rounds {
		for i := range turns {
			t := turns[(i+round)%len(turns)]
			if round >= t.rounds || t.cell.Absent != "" {
				continue
			}
			sample, err := t.take()
			if err != nil {
				t.cell.Series, t.cell.Absent = nil, err.Error()
				continue
			}
			t.cell.Series = append(t.cell.Series, sample)
		}
	}
}

// calls makes a turn of calls within a worker, with as many calls in a slice as fit, once that is known to go well.
// It returns nil, and says so in the cell, if it does not or would take too long. How many fit is not told by the
// first slice: what was idle while the other contestants were made ready may have to start again.
func (b *Bench) calls(c *Cell, w *worker.Worker, callers int, pause time.Duration) *turn {
	ask := func(n int) (measure.Sample, error) {
		r, err := w.Ask(worker.Request{Op: worker.OpSlice, Slice: measure.Slice{Calls: n, Callers: callers, Pause: pause}})
		return r.Sample, err
	}
	n := callers
	for warm := false; ; warm = true {
		s, err := ask(n)
		if err != nil {
			c.Absent = err.Error()
			return nil
		}
		if s.Wall > b.budget() {
			c.Absent = fmt.Sprintf("%d calls take %.0f s", n, s.Wall.Seconds())
			return nil
		}
		if !warm {
			continue
		}
		fit := max(callers, int(float64(n)*float64(b.Slice)/float64(s.Wall)))
		if s.Wall >= b.Slice/2 || fit <= n {
			rounds := int(float64(b.budget()) / (float64(s.Wall) * float64(fit) / float64(n)))
			return &turn{cell: c, take: func() (measure.Sample, error) { return ask(fit) }, rounds: min(max(rounds, 3), b.Turns)}
		}
		n = min(fit, 20*n)
	}
}
