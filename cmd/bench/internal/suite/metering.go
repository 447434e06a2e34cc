package suite

import (
	"context"
	"path/filepath"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/metering"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// metering compares the forms of guests that compute, in one worker; the contestant of a cell is the form.
func (b *Bench) metering(ctx context.Context) error {
	for _, l := range guest.Computing() {
		if b.Quick && !l.Small {
			continue
		}
		b.Log("metering: " + l.Name)
		g, err := l.Build(b.Dir)
		if err != nil {
			b.Notes = append(b.Notes, "absent: "+err.Error())
			b.Log("absent: " + err.Error())
			continue
		}
		if err := b.forms(l.Name, g); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// forms takes the cells of one guest. The first run of each form compiles it, and does not count.
func (b *Bench) forms(name string, g *guest.Guest) error {
	w, err := b.start()
	if err != nil {
		return err
	}
	defer w.Close()
	var turns []*turn
	for _, form := range metering.Forms() {
		take := func() (measure.Sample, error) {
			r, err := w.Ask(worker.Request{Op: worker.OpMeter, Guest: g, Form: form, Cache: filepath.Join(b.Dir, "cache")})
			return r.Sample, err
		}
		c := b.add(Key{Metering, name, "", form})
		if _, err := take(); err != nil {
			c.Absent = err.Error()
			continue
		}
		turns = append(turns, &turn{cell: c, take: take, rounds: b.meteringTurns()})
	}
	alternate(turns)
	return nil
}

// meteringTurns is how many runs each form has; the slowest form takes seconds.
func (b *Bench) meteringTurns() int {
	if b.Quick {
		return 3
	}
	return 9
}
