package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// Figures are what one function has done, as polyvoke itself counts it. Durations are nanoseconds.
type Figures struct {
	Function  string        `json:"function"`
	Language  string        `json:"language"`
	Start     string        `json:"start"` // start kind of its processes
	Calls     int           `json:"calls"`
	PerSecond float64       `json:"calls_per_second"` // of late while orders run, and of all the time in the end
	InFlight  int           `json:"in_flight"`        // calls that run or wait
	P50       time.Duration `json:"p50"`              // from receipt to reply
	P99       time.Duration `json:"p99"`
	Errors    int           `json:"errors"`
	LastError string        `json:"last_error,omitempty"`
	// Dropped is how many messages NATS dropped on the way to it, because more came than it could hand over. It is
	// known in the end.
	Dropped int `json:"dropped"`
}

// watcher asks the functions how they are.
type watcher struct {
	s     *connect.Session
	steps []samples.Step
	base  []Figures // when it began
	last  []Figures // when it asked last
	at    time.Time // of last
}

func newWatcher(ctx context.Context, s *connect.Session) (*watcher, error) {
	w := &watcher{s: s, steps: samples.Orders(), at: time.Now()}
	var err error
	w.base, err = w.ask(ctx)
	w.last = w.base
	return w, err
}

// watch gives show what the functions do, once a second until ctx ends.
func (w *watcher) watch(ctx context.Context, b *book, show func(Result)) {
	t := time.NewTicker(glance)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		now := time.Now()
		all, err := w.ask(ctx)
		if err != nil {
			continue // the end asks again, and says so
		}
		r := b.result()
		r.Functions = since(w.last, all, now.Sub(w.at))
		w.last, w.at = all, now
		show(r)
	}
}

// total returns what the functions have done in all the time in which that number of orders was sent.
func (w *watcher) total(ctx context.Context, sent int, elapsed time.Duration) ([]Figures, error) {
	all, err := w.ask(ctx)
	if err != nil {
		return nil, err
	}
	all = since(w.base, all, elapsed)
	for i := range all {
		all[i].Calls -= w.base[i].Calls
		all[i].Errors -= w.base[i].Errors
	}
	countDropped(all, sent)
	return all, nil
}

// countDropped compares what went to each function with what it has done.
func countDropped(all []Figures, sent int) {
	for i := range all {
		all[i].Dropped = max(0, sent-all[i].Calls)
		sent = all[i].Calls - all[i].Errors
	}
}

// since returns the figures with how many calls there were in a second, since those before.
func since(before, now []Figures, elapsed time.Duration) []Figures {
	out := append([]Figures(nil), now...)
	for i := range out {
		if elapsed > 0 {
			out[i].PerSecond = float64(now[i].Calls-before[i].Calls) / elapsed.Seconds()
		}
	}
	return out
}

// ask asks all functions.
func (w *watcher) ask(ctx context.Context) ([]Figures, error) {
	ctx, cancel := w.s.Within(ctx)
	defer cancel()
	all := make([]Figures, len(w.steps))
	for i, step := range w.steps {
		m, err := w.s.RequestWithContext(ctx, micro.APIPrefix+"."+micro.StatsVerb.String()+"."+step.Name, nil)
		if err != nil {
			return nil, w.s.RequestError("figures of "+step.Name, err)
		}
		if all[i], err = read(step, m.Data); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// read reads a function's answer (ADR-32): its calls are those of its trigger, the endpoint behind that of fn.NAME.
func read(step samples.Step, answer []byte) (Figures, error) {
	var all micro.Stats
	err := json.Unmarshal(answer, &all)
	if err == nil && len(all.Endpoints) != 2 {
		err = fmt.Errorf("%d endpoints, not two", len(all.Endpoints))
	}
	if err != nil {
		return Figures{}, fmt.Errorf("figures of %s: %w", step.Name, err)
	}
	e := all.Endpoints[1]
	var d protocol.Stats
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return Figures{}, fmt.Errorf("figures of %s: %w", step.Name, err)
	}
	return Figures{
		Function: step.Name, Language: step.Language, Start: d.Start, Calls: e.NumRequests, InFlight: d.InFlight + d.Waiting,
		P50: d.P50, P99: d.P99, Errors: e.NumErrors, LastError: e.LastError,
	}, nil
}
