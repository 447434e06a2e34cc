// Package traces follows calls, jobs and requests of HTTP through functions, by the W3C's Trace Context.
//
// In go what observers see; out come spans, as OTLP over HTTP, to whatever collects them. The encoding is written here:
// OpenTelemetry's SDK and its exporter add 8 MB to the program, for a dozen fields of protobuf (see RATIONALE.md).
package traces

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/invoker/telemetry"
	"github.com/polyvoke/polyvoke/protocol"
)

// Kinds of spans, as OTLP numbers them.
const (
	kindInternal = 1
	kindServer   = 2
	kindProducer = 4
	kindConsumer = 5
)

// Span is a part of a trace that has ended.
type Span struct {
	Trace      protocol.Trace // its place, and whether it is kept
	Parent     [8]byte        // zero for none
	Name       string
	Kind       int
	Begin, End time.Time
	Attributes []Attribute
	Error      string // why it failed; empty for a success
}

// Attribute is a property of a span: a text, or a number if that is empty.
type Attribute struct {
	Key  string
	Text string
	Int  int64
}

// Tracer makes spans of what observers see. It is a stats.Tracer and a stats.Observer; Jobs and HTTP observe the rest.
// Its methods do not wait, and may be called from several goroutines.
type Tracer struct {
	below uint64 // a trace is kept if the lower bits of its id are
	put   func(*Span)
}

var (
	_ stats.Tracer     = (*Tracer)(nil)
	_ stats.Observer   = (*Tracer)(nil)
	_ jobs.Observer    = Jobs{}
	_ gateway.Observer = HTTP{}
)

// New returns a tracer that keeps that share of the traces that begin here, from 0 to 1, and of others those that
// whatever has begun them keeps. put gets each span that is kept, and must not wait.
func New(ratio float64, put func(*Span)) *Tracer {
	return &Tracer{uint64(min(1, max(0, ratio)) * (1 << 63)), put}
}

// child returns a place below another, or the first one of a new trace.
func (t *Tracer) child(parent protocol.Trace) (c protocol.Trace) {
	if c = parent; c.IsZero() {
		low := rand.Uint64()
		binary.BigEndian.PutUint64(c.ID[:8], rand.Uint64()|1) // never all zero
		binary.BigEndian.PutUint64(c.ID[8:], low)
		c.Sampled = low&math.MaxInt64 < t.below
	}
	binary.BigEndian.PutUint64(c.Span[:], newSpan())
	return c
}

// newSpan returns the id of a span, which is never zero.
func newSpan() uint64 { return rand.Uint64() | 1<<uint(rand.IntN(64)) }

// Trace implements stats.Tracer. A dry run is no part of a trace: nothing runs.
func (t *Tracer) Trace(c *stats.Call) protocol.Trace {
	if c.Request.DryRun {
		return protocol.Trace{}
	}
	return t.child(c.Parent)
}

// Begin implements stats.Observer.
func (t *Tracer) Begin(*stats.Call) {}

// End implements stats.Observer: the span of a call, with one for each part of its way if it has waited.
func (t *Tracer) End(c *stats.Call) {
	if !c.Trace.Sampled {
		return
	}
	s := &Span{Trace: c.Trace, Parent: c.Parent.Span, Name: c.Function.Name, Kind: kindServer, Begin: c.Received,
		End: c.Received.Add(c.Took), Error: c.Failure}
	r := c.Request
	trigger := telemetry.TriggerOf(r)
	if trigger != "http" && trigger != "other" {
		s.Kind = kindConsumer
	}
	s.text("faas.name", c.Function.Name)
	s.text("faas.version", c.Function.Version)
	s.text("faas.invocation_id", r.ID)
	s.text("faas.trigger", trigger)
	s.text("messaging.destination.name", clean(r.Subject))
	if r.Subject != "" {
		s.text("messaging.system", "nats")
	}
	s.text("polyvoke.start", c.Start)
	if c.Cold {
		s.text("faas.coldstart", "true")
	}
	s.number("polyvoke.exit", int64(c.Exit))
	s.number("polyvoke.fuel", int64(min(c.Fuel, math.MaxInt64)))
	s.number("polyvoke.memory", int64(min(c.Memory, math.MaxInt64)))
	if c.Reads > 0 || c.Writes > 0 {
		s.number("polyvoke.reads", c.Reads)
		s.number("polyvoke.writes", c.Writes)
	}
	s.number("polyvoke.request.size", c.In)
	s.number("polyvoke.reply.size", c.Out)
	s.failed(c.Code)
	t.put(s)
	if c.Queue+c.Ready > 0 {
		t.parts(c, s)
	}
}

// parts makes the spans of the parts of a call's way.
func (t *Tracer) parts(c *stats.Call, whole *Span) {
	at := c.Received
	for _, p := range []struct {
		name string
		took time.Duration
	}{{"queue", c.Queue}, {"start", c.Ready}, {"run", c.Run}} {
		if p.took > 0 {
			part := &Span{Trace: whole.Trace, Parent: whole.Trace.Span, Name: p.name, Kind: kindInternal, Begin: at,
				End: at.Add(p.took)}
			binary.BigEndian.PutUint64(part.Trace.Span[:], newSpan())
			t.put(part)
		}
		at = at.Add(p.took)
	}
}

// Jobs observes attempts of jobs.
type Jobs struct{ t *Tracer }

// Jobs returns what observes attempts of jobs: each is a span, and the call that it makes is below it.
func (t *Tracer) Jobs() Jobs { return Jobs{t} }

// Begin implements jobs.Observer.
func (j Jobs) Begin(a *jobs.Attempt) {
	a.Parent = a.Request.Header.Trace()
	a.Trace = j.t.child(a.Parent)
	a.Request.Header = a.Request.Header.WithTrace(a.Trace)
}

// End implements jobs.Observer.
func (j Jobs) End(a *jobs.Attempt) {
	if !a.Trace.Sampled {
		return
	}
	s := &Span{Trace: a.Trace, Parent: a.Parent.Span, Name: "job " + a.Function, Kind: kindConsumer, Begin: a.Began,
		End: a.Began.Add(a.Took), Error: a.Failure}
	s.text("faas.name", a.Function)
	s.text("faas.invocation_id", a.Request.ID)
	s.text("messaging.system", "nats")
	s.text("messaging.operation.type", "process")
	s.text("messaging.destination.name", protocol.QueueStream(a.Function))
	s.text("polyvoke.job.outcome", a.Outcome)
	s.number("polyvoke.job.attempt", int64(a.Number))
	s.failed(a.Code)
	j.t.put(s)
}

// Made gives a job that comes of an event, or of a schedule, its place in a trace, and makes a span of the moment.
func (t *Tracer) Made(function, id string, h protocol.Header) {
	parent := h.Trace()
	s := &Span{Trace: t.child(parent), Parent: parent.Span, Name: "trigger " + function, Kind: kindProducer}
	h.Set(protocol.HeaderTraceparent, s.Trace.String())
	if !s.Trace.Sampled {
		return
	}
	s.Begin = time.Now()
	s.End = s.Begin
	s.text("faas.name", function)
	s.text("faas.invocation_id", clean(id))
	s.text("messaging.system", "nats")
	s.text("messaging.operation.type", "publish")
	s.text("messaging.destination.name", protocol.QueueStream(function))
	for key, header := range map[string]string{"polyvoke.source.stream": protocol.HeaderSourceStream,
		"polyvoke.source.subject": protocol.HeaderSourceSubject, "polyvoke.source.sequence": protocol.HeaderSourceSequence,
		"polyvoke.source.time": protocol.HeaderSourceTime, "polyvoke.scheduled": protocol.HeaderScheduled} {
		s.text(key, clean(h.Get(header)))
	}
	t.put(s)
}

// Dead implements jobs.Observer.
func (j Jobs) Dead(string, string) {}

// HTTP observes requests of HTTP.
type HTTP struct{ t *Tracer }

// HTTP returns what observes requests of HTTP: each is a span, and the call that it makes is below it.
func (t *Tracer) HTTP() HTTP { return HTTP{t} }

// Begin implements gateway.Observer.
func (h HTTP) Begin(e *gateway.Exchange) {
	if v := e.Header.Values(protocol.HeaderTraceparent); len(v) == 1 {
		e.Parent = protocol.ParseTrace(v[0])
	}
	e.Trace = h.t.child(e.Parent)
	if e.Header != nil {
		e.Header.Set(protocol.HeaderTraceparent, e.Trace.String())
	}
}

// End implements gateway.Observer.
func (h HTTP) End(e *gateway.Exchange) {
	if !e.Trace.Sampled {
		return
	}
	s := &Span{Trace: e.Trace, Parent: e.Parent.Span, Name: clean(e.Method), Kind: kindServer, Begin: e.Received,
		End: e.Received.Add(e.Took)}
	if e.Route != "" {
		s.Name = e.Route
	}
	s.text("http.request.method", clean(e.Method))
	s.text("http.route", e.Route)
	s.text("url.path", clean(e.Path))
	s.text("client.address", clean(e.Client))
	s.text("user_agent.original", clean(e.Agent))
	s.text("faas.name", e.Function.Name)
	s.text("faas.invocation_id", clean(e.ID))
	s.number("http.response.status_code", int64(e.Status))
	s.number("http.request.body.size", e.In)
	s.number("http.response.body.size", e.Out)
	if e.Status >= 500 {
		s.Error = fmt.Sprintf("HTTP status %d", e.Status)
		s.failed(e.Status)
	}
	if e.Aborted {
		s.Error = "the answer was cut short"
		s.text("error.type", "aborted")
	}
	h.t.put(s)
}

// longest is how long a text of others may be in a span, in bytes.
const longest = 512

// clean bounds a text of others.
func clean(s string) string { return protocol.CleanValue(s, longest) }

// text adds an attribute, unless it is empty.
func (s *Span) text(key, value string) {
	if value != "" {
		s.Attributes = append(s.Attributes, Attribute{Key: key, Text: value})
	}
}

// number adds an attribute.
func (s *Span) number(key string, value int64) {
	s.Attributes = append(s.Attributes, Attribute{Key: key, Int: value})
}

// failed adds the kind of a failure; 0 is none.
func (s *Span) failed(code int) {
	if code != 0 {
		s.text("error.type", strconv.Itoa(code))
	}
}

// String names a span for people.
func (s *Span) String() string {
	return s.Name + " " + hex.EncodeToString(s.Trace.ID[:]) + "/" + hex.EncodeToString(s.Trace.Span[:])
}
