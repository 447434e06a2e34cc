package suite

import (
	"context"
	"fmt"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// scaling compares one processor with two: as many callers as there are processors for Go.
func (b *Bench) scaling(ctx context.Context) error {
	field := [][2]string{
		{contestant.Native, "Go JSON"}, {resetC, "C echo"}, {checkpointGo, "Go echo"}, {contestant.Base, "C echo"},
	}
	if b.Quick {
		field = field[:2]
	}
	for _, f := range field {
		if err := b.scale(f[0], f[1]); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// scale takes the two cells of one contestant.
func (b *Bench) scale(name, guest string) error {
	b.Log("scaling: " + name + ", " + guest)
	c, err := contestant.Find(name)
	if err != nil {
		return err
	}
	g := b.named(guest)
	if g == nil {
		return nil
	}
	var turns []*turn
	var workers []*worker.Worker
	for cores := 1; cores <= 2; cores++ {
		cell := b.add(Key{Scaling, guest, fmt.Sprint(cores), name})
		w, err := b.open(c, g, fmt.Sprintf("GOMAXPROCS=%d", cores))
		if err != nil {
			cell.Absent = err.Error()
			continue
		}
		workers = append(workers, w)
		if t := b.calls(cell, w, cores, 0); t != nil {
			turns = append(turns, t)
		}
	}
	alternate(turns)
	for _, w := range workers {
		_ = w.Close()
	}
	return nil
}
