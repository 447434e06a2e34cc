package suite

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// Paced is the variant in which one caller waits between its calls.
const Paced = "1, paced"

// Pause is how long it waits: many times as long as the start of a Go program ahead of its request, 0.3 ms. The
// longer it is, the more it is measured how long a machine takes to wake up: with 20 ms a native function takes a
// hundred times as long as one call after another.
const Pause = 5 * time.Millisecond

// inProcess compares calls within a process: all contestants, all guests, several numbers of callers.
func (b *Bench) inProcess(ctx context.Context) error {
	for _, r := range b.recipes() {
		if g := b.guest(r); g != nil {
			b.field(ctx, g)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// entrant is a contestant with its worker.
type entrant struct {
	contestant.Contestant
	worker *worker.Worker // nil if it cannot do this guest
	absent string         // why
}

// enter starts the workers of all contestants for a guest.
func (b *Bench) enter(g *guest.Guest) (all []entrant) {
	for _, c := range b.contestants() {
		b.Log(g.Name + ": " + c.Name)
		w, err := b.open(c, g)
		e := entrant{Contestant: c, worker: w}
		if err != nil {
			e.absent = err.Error()
			b.Log("  absent: " + e.absent)
		}
		all = append(all, e)
	}
	return all
}

// field compares all contestants on one guest.
func (b *Bench) field(ctx context.Context, g *guest.Guest) {
	all := b.enter(g)
	defer func() {
		for _, e := range all {
			if e.worker != nil {
				_ = e.worker.Close()
			}
		}
	}()
	for _, callers := range b.callers(g) {
		if ctx.Err() == nil {
			b.round(g, strconv.Itoa(callers), all, callers, 0)
		}
	}
	if !b.Quick && g.Name != "Ruby" {
		b.round(g, Paced, all, 1, Pause)
	}
}

// callers returns how many callers there are at a time. A hundred Rubies would not fit into the memory of a small
// machine.
func (b *Bench) callers(g *guest.Guest) []int {
	switch {
	case b.Quick:
		return []int{1, 16}
	case g.Name == "Ruby":
		return []int{1}
	}
	return []int{1, 16, 128}
}

// round takes the cells of one guest and one number of callers.
func (b *Bench) round(g *guest.Guest, variant string, all []entrant, callers int, pause time.Duration) {
	b.Log(fmt.Sprintf("%s: callers %s", g.Name, variant))
	var turns []*turn
	for _, e := range all {
		c := b.add(Key{InProcess, g.Name, variant, e.Name})
		switch {
		case e.absent != "":
			c.Absent = e.absent
		case e.One && (callers > 1 || pause > 0):
			c.Absent = "it serves one caller at a time"
		default:
			if t := b.calls(c, e.worker, callers, pause); t != nil {
				turns = append(turns, t)
			}
		}
	}
	alternate(turns)
}
