// Package figures asks all invokers again and again what their functions have counted, and adds it up.
//
// In go answers of $SRV.STATS, one for each function of an invoker; out come sums that do not begin again when an
// invoker does, and how they have grown. It asks often while somebody watches, and seldom otherwise.
package figures

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// Step is the time between two points of a history.
	Step = 5 * time.Second
	// Points is how many points a history has at most: ten minutes.
	Points = 120

	often    = time.Second      // between two questions while somebody watches
	seldom   = 10 * time.Second // and while nobody does
	away     = 25 * time.Second // after which an invoker that says nothing counts as gone
	maxKnown = 20_000           // functions of invokers that are known; strangers can answer, too
	maxLong  = 256 << 10        // bytes of an answer
)

// Figures are those of one function, on all invokers together.
type Figures struct {
	protocol.Stats           // requests and errors since the first answer of each invoker that is or was there
	Since          time.Time // when the first of the invokers that are there began to serve it
	Invokers       int       // that are there
	LastError      string    // CODE:TEXT; empty for none
	Rate, Failing  float64   // requests and errors a second, in the last seconds
	History        []Point   // the oldest first
}

// Point is what was known at a time.
type Point struct {
	At               time.Time
	Requests, Errors int64 // that have been seen to come since the first question
}

// Poller asks. Set its fields before Serve. Its methods may be called from several goroutines.
type Poller struct {
	Conn *nats.Conn   // must not be nil
	Log  *slog.Logger // must not be nil

	watchers atomic.Int64
	wake     chan struct{}
	once     sync.Once

	mu       sync.Mutex
	sources  map[source]*seen
	sums     map[string]*sum
	stepped  time.Time
	answered time.Time // when there was an answer last
}

// source is a function on one invoker.
type source struct{ name, id string }

// seen is what a source has said.
type seen struct {
	stats     protocol.Stats
	last      string // error
	began, at time.Time
}

// sum is what is known of a function besides.
type sum struct {
	gone    protocol.Stats // requests, errors and cold starts of sources that are gone
	grown   protocol.Stats // requests and errors that have been seen to come
	history []Point
	recent  []Point // of the last questions, for rates
	at      time.Time
}

// init makes what the zero value lacks.
func (p *Poller) init() {
	p.once.Do(func() {
		p.wake = make(chan struct{}, 1)
		p.sources, p.sums = map[source]*seen{}, map[string]*sum{}
	})
}

// Watch has the poller ask often until the returned function is called.
func (p *Poller) Watch() (end func()) {
	p.init()
	if p.watchers.Add(1) == 1 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return sync.OnceFunc(func() { p.watchers.Add(-1) })
}

// Serve asks until ctx ends. The error says that NATS takes no subscription.
func (p *Poller) Serve(ctx context.Context) error {
	p.init()
	inbox := p.Conn.NewInbox()
	answers := make(chan *nats.Msg, 4096)
	sub, err := p.Conn.ChanSubscribe(inbox, answers)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-answers:
			p.take(m, time.Now())
		case <-p.wake:
			timer.Reset(0)
		case <-timer.C:
			p.step(time.Now())
			if err := p.Conn.PublishRequest(micro.APIPrefix+"."+micro.StatsVerb.String(), inbox, nil); err != nil {
				p.Log.Debug("figures not asked for", "err", err)
			}
			timer.Reset(p.pause())
		}
	}
}

// pause returns how long to wait until the next question: the more functions, the longer.
func (p *Poller) pause() time.Duration {
	if p.watchers.Load() == 0 {
		return seldom
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(often, time.Duration(len(p.sources))*time.Millisecond)
}

// take takes an answer. What is none of a function of polyvoke is left out.
func (p *Poller) take(m *nats.Msg, now time.Time) {
	if len(m.Data) > maxLong {
		return
	}
	var s micro.Stats
	if json.Unmarshal(m.Data, &s) != nil || s.Metadata["abi"] == "" || protocol.CheckName(s.Name) != nil ||
		s.ID == "" || len(s.ID) > 100 {
		return
	}
	is := &seen{began: s.Started, at: now}
	for i, e := range s.Endpoints {
		var one protocol.Stats
		if e == nil || json.Unmarshal(e.Data, &one) != nil {
			return
		}
		if e.LastError != "" {
			is.last = e.LastError
		}
		if i == 0 {
			is.stats = one
			continue
		}
		is.stats.Requests += one.Requests
		is.stats.Errors += one.Errors
		is.stats.Cold += one.Cold
		is.stats.P50, is.stats.P99 = max(is.stats.P50, one.P50), max(is.stats.P99, one.P99)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = now
	key := source{s.Name, s.ID}
	if p.sources[key] == nil && len(p.sources) >= maxKnown {
		return
	}
	was := p.sources[key]
	if was != nil && (!was.began.Equal(is.began) || was.stats.Requests > is.stats.Requests) {
		p.sum(s.Name).leave(was) // it has begun again
		was = nil
	}
	p.sum(s.Name).grow(was, is)
	p.sources[key] = is
}

// leave keeps what a source that is gone has counted.
func (s *sum) leave(is *seen) {
	s.gone.Requests += is.stats.Requests
	s.gone.Errors += is.stats.Errors
	s.gone.Cold += is.stats.Cold
}

// grow adds what has come between two answers of a source. What one counted before it was first seen is no growth,
// unless it has only just begun.
func (s *sum) grow(was, is *seen) {
	s.at = is.at
	from := protocol.Stats{}
	switch {
	case was != nil:
		from = was.stats
	case is.at.Sub(is.began) > Step:
		from = is.stats
	}
	s.grown.Requests += max(0, is.stats.Requests-from.Requests)
	s.grown.Errors += max(0, is.stats.Errors-from.Errors)
}

// sum returns what is known of a function besides its sources. p.mu is held.
func (p *Poller) sum(name string) *sum {
	s := p.sums[name]
	if s == nil {
		s = &sum{}
		p.sums[name] = s
	}
	return s
}

// step ends a round: sources that are gone are added to what they leave behind, and each function gets its points.
func (p *Poller) step(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, is := range p.sources {
		if now.Sub(is.at) > away {
			p.sum(key.name).leave(is)
			delete(p.sources, key)
		}
	}
	long := now.Sub(p.stepped) >= Step-often/4
	if long {
		p.stepped = now
	}
	totals := p.totals()
	for name, s := range p.sums {
		t := totals[name]
		if t == nil && now.Sub(s.at) > Step*Points {
			delete(p.sums, name)
			continue
		}
		point := Point{At: now, Requests: s.grown.Requests, Errors: s.grown.Errors}
		s.recent = appendPoint(s.recent, point, 4)
		if long {
			s.history = appendPoint(s.history, point, Points)
		}
	}
}

// appendPoint appends a point, and drops the first ones if there are too many.
func appendPoint(all []Point, one Point, most int) []Point {
	if len(all) >= most {
		all = append(all[:0], all[len(all)-most+1:]...)
	}
	return append(all, one)
}

// totals adds up the sources that are there, by function. p.mu is held.
func (p *Poller) totals() map[string]*Figures {
	all := map[string]*Figures{}
	for key, is := range p.sources {
		t := all[key.name]
		if t == nil {
			t = &Figures{Since: is.began}
			all[key.name] = t
		}
		t.Invokers++
		if is.began.Before(t.Since) {
			t.Since = is.began
		}
		t.LastError = cmp.Or(t.LastError, is.last)
		t.add(is.stats)
	}
	return all
}

// add adds the figures of one invoker. Durations are those of the slowest, and what is said of the version is of the
// invoker that has the newest.
func (f *Figures) add(s protocol.Stats) {
	if s.Version > f.Version || f.Start == "" {
		f.Digest, f.Language, f.Version, f.Start, f.StartReason = s.Digest, s.Language, s.Version, s.Start, s.StartReason
	}
	f.Requests += s.Requests
	f.Errors += s.Errors
	f.Cold += s.Cold
	f.InFlight += s.InFlight
	f.Waiting += s.Waiting
	f.P50, f.P99 = max(f.P50, s.P50), max(f.P99, s.P99)
}

// All returns the figures of all functions that have answered, by name, and when there was an answer last.
func (p *Poller) All() (map[string]Figures, time.Time) {
	p.init()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := map[string]Figures{}
	for name, t := range p.totals() {
		s := p.sum(name)
		t.Requests, t.Errors, t.Cold = t.Requests+s.gone.Requests, t.Errors+s.gone.Errors, t.Cold+s.gone.Cold
		t.History = slices.Clone(s.history)
		t.Rate, t.Failing = rates(s.recent)
		all[name] = *t
	}
	return all, p.answered
}

// rates returns how many requests and errors a second there were from the first to the last point.
func rates(points []Point) (requests, errors float64) {
	if len(points) < 2 {
		return 0, 0
	}
	first, last := points[0], points[len(points)-1]
	took := last.At.Sub(first.At).Seconds()
	if took <= 0 {
		return 0, 0
	}
	return max(0, float64(last.Requests-first.Requests)/took), max(0, float64(last.Errors-first.Errors)/took)
}
