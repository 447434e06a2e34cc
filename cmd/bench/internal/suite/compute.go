package suite

import (
	"context"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// computeBudget is about how long the slices of one cell may take.
const computeBudget = 12 * time.Second

// compute compares how fast programs compute on each engine, and on the machine itself. A call is a whole process with an
// instance of its own; what it replies is the same everywhere, or the cell has no figures.
func (b *Bench) compute(ctx context.Context) error {
	for _, l := range guest.Programs(b.Toolchain) {
		if b.Quick && !l.Small || !b.chosen(l) {
			continue
		}
		b.Log("building " + l.Name)
		g, err := l.Build(b.Dir)
		if err != nil {
			b.Notes = append(b.Notes, "absent: "+err.Error())
			b.Log("absent: " + err.Error())
			continue
		}
		b.program(l, g)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// program takes the cells of one program. The contestants' slices are taken in turns.
func (b *Bench) program(l guest.Load, g *guest.Guest) {
	var turns []*turn
	for _, c := range contestant.Computing() {
		cell := b.add(Key{Compute, l.Name, l.Language, c.Name})
		w, err := b.open(c, g)
		if err != nil {
			cell.Absent = err.Error()
			b.Log(fmt.Sprintf("  %s: absent: %s", c.Name, cell.Absent))
			continue
		}
		defer w.Close()
		if t := b.computing(cell, w); t != nil {
			turns = append(turns, t)
		}
	}
	alternate(turns)
	b.Log(fmt.Sprintf("%s: %s", l.Name, least(turns)))
}

// computing makes a turn of single calls, after one that warms up and says how many of them fit into the budget.
func (b *Bench) computing(c *Cell, w *worker.Worker) *turn {
	take := func() (measure.Sample, error) {
		r, err := w.Ask(worker.Request{Op: worker.OpSlice, Slice: measure.Slice{Calls: 1, Callers: 1}})
		return r.Sample, err
	}
	s, err := take()
	if err != nil {
		c.Absent = err.Error()
		b.Log(fmt.Sprintf("  %s: absent: %s", c.Contestant, c.Absent))
		return nil
	}
	if b.Quick {
		return &turn{cell: c, take: take, rounds: 1}
	}
	return &turn{cell: c, take: take, rounds: min(b.Turns, max(3, int(computeBudget/max(s.Wall, 1))))}
}

// least says what each took at least, in milliseconds, for the log.
func least(turns []*turn) (s string) {
	for _, t := range turns {
		s += fmt.Sprintf("%s %.1f ms; ", t.cell.Contestant, t.cell.Series.Least()/1000)
	}
	return s
}
