package suite

import (
	"context"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// allocs finds out where one call allocates, in the sandbox alone and in the whole invoker.
func (b *Bench) allocs(context.Context) error {
	b.Sites = map[string][]worker.Site{}
	for _, f := range [][2]string{{resetC, "C echo"}, {checkpointGo, "Go echo"}, {"polyvoke, fresh", "C echo"}} {
		b.Log("allocations: " + f[0] + ", " + f[1])
		sites, err := b.sites(f[0], f[1])
		if err != nil {
			b.Notes = append(b.Notes, "allocations of "+f[0]+": "+err.Error())
			continue
		}
		b.Sites[f[0]+", "+f[1]] = sites
	}
	return nil
}

// sites asks one worker that has every allocation profiled.
func (b *Bench) sites(name, guest string) ([]worker.Site, error) {
	c, err := contestant.Find(name)
	if err != nil {
		return nil, err
	}
	g := b.named(guest)
	if g == nil {
		return nil, nil
	}
	w, err := b.open(c, g, "GODEBUG=memprofilerate=1")
	if err != nil {
		return nil, err
	}
	defer w.Close()
	r, err := w.Ask(worker.Request{Op: worker.OpAllocs, Slice: measure.Slice{Calls: 1000, Callers: 1}})
	return r.Sites, err
}
