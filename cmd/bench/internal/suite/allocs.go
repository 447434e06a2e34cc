package suite

import (
	"cmp"
	"context"
	"slices"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
)

// counted is how many calls are made to find out what one allocates.
const counted = 2000

// profiled is how a process is started so that every allocation is in its profile.
const profiled = "GODEBUG=memprofilerate=1"

// allocs finds out where one call allocates, in the sandbox alone and through NATS.
func (b *Bench) allocs(context.Context) error {
	b.Sites = map[string][]worker.Site{}
	for _, f := range [][2]string{{"polyvoke, fresh", "C echo"}, {resetC, "C echo"}, {checkpointGo, "Go echo"}} {
		b.keep("in process: "+f[0]+", "+f[1], func() ([]worker.Site, error) { return b.sitesInProcess(f[0], f[1]) })
	}
	p, err := b.startPipeline()
	if err != nil {
		return err
	}
	defer p.close()
	for _, s := range b.natsField()[:3] {
		b.keep("through NATS: "+s.contestant+", "+s.guest, func() ([]worker.Site, error) { return b.sitesThrough(p, s) })
	}
	return nil
}

// keep keeps what was found out, or says why nothing was.
func (b *Bench) keep(name string, find func() ([]worker.Site, error)) {
	b.Log("allocations " + name)
	sites, err := find()
	if err != nil {
		b.Notes = append(b.Notes, "allocations "+name+": "+err.Error())
		return
	}
	b.Sites[name] = sites
}

// sitesInProcess looks at calls within one worker.
func (b *Bench) sitesInProcess(name, load string) ([]worker.Site, error) {
	c, err := contestant.Find(name)
	if err != nil {
		return nil, err
	}
	g := b.named(load)
	if g == nil {
		return nil, errAbsent
	}
	w, err := b.open(c, g, profiled)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return difference(w, func() error {
		_, err := w.Ask(worker.Request{Op: worker.OpSlice, Slice: measure.Slice{Calls: counted, Callers: 1}})
		return err
	})
}

// sitesThrough looks at a function that answers calls through NATS.
func (b *Bench) sitesThrough(p *pipes, s *served) ([]worker.Site, error) {
	if err := b.serve(s, p.url, profiled); err != nil {
		return nil, err
	}
	defer s.worker.Close()
	body := []byte("0123456789abcdef")
	return difference(s.worker, func() error {
		_, err := p.client.Ask(worker.Request{Op: worker.OpLoad, URL: p.url, Subject: s.subject,
			Guest: &guest.Guest{Body: body, Want: body}, Slice: measure.Slice{Calls: counted, Callers: 1}})
		return err
	})
}

// difference returns what each place of a worker allocates in one call, the most first. Calls are made before,
// to warm up.
func difference(w *worker.Worker, calls func() error) ([]worker.Site, error) {
	if err := calls(); err != nil {
		return nil, err
	}
	before, err := w.Ask(worker.Request{Op: worker.OpAllocs})
	if err != nil {
		return nil, err
	}
	if err := calls(); err != nil {
		return nil, err
	}
	after, err := w.Ask(worker.Request{Op: worker.OpAllocs})
	return perCall(before.Sites, after.Sites), err
}

// perCall subtracts and divides. What is less than one object in a hundred calls does not count.
func perCall(before, after []worker.Site) (out []worker.Site) {
	old := map[string]worker.Site{}
	for _, s := range before {
		old[s.Where] = s
	}
	for _, s := range after {
		s.Objects = (s.Objects - old[s.Where].Objects) / counted
		s.Bytes = (s.Bytes - old[s.Where].Bytes) / counted
		if s.Objects >= 0.01 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b worker.Site) int {
		return cmp.Or(cmp.Compare(b.Objects, a.Objects), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Where, b.Where))
	})
	return out
}
