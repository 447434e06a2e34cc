package client

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// Instance is a function on one invoker, as it describes itself for discovery (ADR-32).
type Instance struct {
	Name    string
	ID      string    // of the function on this invoker, until that ends
	Started time.Time // by the invoker's clock
	// Stats are the figures of all its subjects together; the durations are those of the slowest.
	Stats protocol.Stats
	// Time is how long all calls together have taken.
	Time time.Duration
}

// Instances returns all functions on all invokers, by name. It leaves out an answer that comes more than a third of a
// second after the one before, and those of services that are no functions. The error's code is 503 if nobody answers.
func (c *Client) Instances(ctx context.Context) ([]Instance, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	ctx, cancel := c.Within(ctx)
	defer cancel()
	subject := micro.APIPrefix + "." + micro.StatsVerb.String()
	ctx, permitted := c.Permitted(ctx, subject)
	var all []Instance
	err := c.gather(ctx, subject, func(m *nats.Msg) {
		if i, ok := parseInstance(m.Data); ok {
			all = append(all, i)
		}
	})
	if err = permitted(err); err != nil {
		return nil, c.RequestError("ask for figures", err)
	}
	slices.SortFunc(all, func(a, b Instance) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// parseInstance reads an answer, which anybody may have sent. ok is false if it is not that of a function.
func parseInstance(b []byte) (i Instance, ok bool) {
	var s micro.Stats
	if json.Unmarshal(b, &s) != nil || s.Type != micro.StatsResponseType || s.Metadata["abi"] == "" ||
		protocol.CheckName(s.Name) != nil || !isToken(s.ID) {
		return i, false
	}
	i = Instance{Name: s.Name, ID: s.ID, Started: s.Started}
	for n, e := range s.Endpoints {
		var f protocol.Stats
		if e == nil || json.Unmarshal(e.Data, &f) != nil {
			continue
		}
		sum := &i.Stats
		if n == 0 { // all say the same of the function itself
			*sum = f
			sum.Requests, sum.Errors, sum.Cold, sum.P50, sum.P99, sum.Memory = 0, 0, 0, 0, 0, 0
			sum.InFlight, sum.Waiting = max(0, f.InFlight), max(0, f.Waiting)
		}
		sum.Requests += max(0, f.Requests)
		sum.Errors += max(0, f.Errors)
		sum.Cold += max(0, f.Cold)
		sum.P50, sum.P99, sum.Memory = max(sum.P50, f.P50), max(sum.P99, f.P99), max(sum.Memory, f.Memory)
		i.Time += max(0, e.ProcessingTime)
	}
	return i, true
}

// Load is what a function does now, on all invokers.
type Load struct {
	Function string        `json:"function"`
	Version  int           `json:"version"`
	Invokers int           `json:"invokers"` // that have it
	Rate     float64       `json:"calls_per_second"`
	Failures float64       `json:"errors_per_second"`
	Mean     time.Duration `json:"mean"` // of the calls that the rate counts; 0 without any
	P50      time.Duration `json:"p50"`  // since the start of each invoker; of the slowest
	P99      time.Duration `json:"p99"`  // the same
	Running  int           `json:"running"`
	Waiting  int           `json:"waiting"`
	Memory   uint64        `json:"memory"`   // the most that a process has had, in bytes
	Start    string        `json:"start"`    // start kind
	Requests int64         `json:"requests"` // since the start of each invoker that is there now
	Errors   int64         `json:"errors"`   // the same
}

// Meter makes rates of what instances have counted. Figures begin anew with each invoker, so it compares instance by
// instance. The zero value is ready to use, by one goroutine at a time.
type Meter struct {
	seen map[string]counted
	last time.Time
}

// counted is what an instance had counted at some time.
type counted struct {
	at               time.Time
	requests, errors int64
	time             time.Duration
}

// Add takes what instances have counted at a time, and returns what functions have done since the time before, by
// name. The first time all rates are 0.
func (m *Meter) Add(all []Instance, at time.Time) []Load {
	seen := make(map[string]counted, len(all))
	loads := map[string]*Load{}
	times := map[string]*counted{}
	for _, i := range all {
		key := i.Name + "." + i.ID
		now := counted{at, i.Stats.Requests, i.Stats.Errors, i.Time}
		before, ok := m.seen[key]
		switch {
		case ok && now.requests >= before.requests:
		case ok, i.Started.After(m.last): // it has begun since
			before = counted{at: m.last}
		default: // nobody knows how much of it is old
			before = now
		}
		seen[key] = now
		l := loads[i.Name]
		if l == nil {
			l = &Load{Function: i.Name}
			loads[i.Name], times[i.Name] = l, new(counted)
		}
		l.add(&i)
		if passed := at.Sub(before.at).Seconds(); passed > 0 && !m.last.IsZero() {
			l.Rate += float64(now.requests-before.requests) / passed
			l.Failures += float64(max(0, now.errors-before.errors)) / passed
			times[i.Name].time += max(0, now.time-before.time)
			times[i.Name].requests += now.requests - before.requests
		}
	}
	for key, old := range m.seen { // an answer may be lost
		if _, ok := seen[key]; !ok && at.Sub(old.at) < time.Minute {
			seen[key] = old
		}
	}
	m.seen, m.last = seen, at
	out := make([]Load, 0, len(loads))
	for name, l := range loads {
		if n := times[name].requests; n > 0 {
			l.Mean = times[name].time / time.Duration(n)
		}
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b Load) int { return cmp.Compare(a.Function, b.Function) })
	return out
}

// add adds an instance.
func (l *Load) add(i *Instance) {
	s := &i.Stats
	if s.Version >= l.Version {
		l.Version, l.Start = s.Version, s.Start
	}
	l.Invokers++
	l.P50, l.P99, l.Memory = max(l.P50, s.P50), max(l.P99, s.P99), max(l.Memory, s.Memory)
	l.Running += s.InFlight
	l.Waiting += s.Waiting
	l.Requests += s.Requests
	l.Errors += s.Errors
}
