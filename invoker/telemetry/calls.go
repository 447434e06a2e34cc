package telemetry

import (
	"encoding/hex"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// The labels of functions, as OpenTelemetry names them.
const (
	labelName    = "faas_name"
	labelTrigger = "faas_trigger"
)

// Why a function is called: the values of faas.trigger.
const (
	byOther = iota // a message on fn.NAME
	byHTTP
	byPubSub // a message of a trigger, or a job
	byTimer
	byData // a changed key or object
	triggerKinds
)

// triggerNames are the values of the label faas_trigger, by OpenTelemetry's conventions.
var triggerNames = [triggerKinds]string{"other", "http", "pubsub", "timer", "datasource"}

// TriggerOf returns why a function is called, in the words of OpenTelemetry's attribute faas.trigger.
func TriggerOf(r *protocol.Request) string { return triggerNames[triggerOf(r)] }

// triggerOf returns why a function is called.
func triggerOf(r *protocol.Request) int {
	switch {
	case r == nil:
		return byOther
	case !r.Trigger.IsZero():
		return byPubSub
	case len(r.Header) == 0:
		if r.Patient {
			return byPubSub // only jobs are
		}
		return byOther
	}
	if r.Patient {
		switch stream, _ := first(r.Header, protocol.HeaderSourceStream); {
		case has(r.Header, protocol.HeaderScheduled):
			return byTimer
		case strings.HasPrefix(stream, "KV_"), strings.HasPrefix(stream, "OBJ_"):
			return byData
		}
		return byPubSub
	}
	if has(r.Header, protocol.HeaderHTTP) {
		return byHTTP
	}
	return byOther
}

// first returns the first value of a header in the specification's case.
func first(h protocol.Header, name string) (string, bool) {
	if v := h[name]; len(v) > 0 {
		return v[0], true
	}
	return "", false
}

// has reports whether there is a header in the specification's case, which gateways and jobs use.
func has(h protocol.Header, name string) bool {
	_, ok := h[name]
	return ok
}

// calls are the figures of calls. Those of a function are looked for in a map that is never changed, so that a call
// neither waits nor allocates.
type calls struct {
	duration, queue, memory              *prometheus.HistogramVec
	invocations, errors, colds, timeouts *prometheus.CounterVec
	fuel, bytes, files                   *prometheus.CounterVec
	named                                []named // vectors with the label of the function; of jobs, too

	most int
	all  atomic.Pointer[map[string]*function]
	mu   sync.Mutex // of who changes all
}

// named is a vector with the label of the function.
type named interface {
	DeletePartialMatch(prometheus.Labels) int
}

// function has the figures of one function, so that none has to be looked for.
type function struct {
	label    string
	active   atomic.Int64 // calls in flight
	gone     atomic.Bool  // its figures are dropped when the last call has ended
	memory   prometheus.Observer
	queue    prometheus.Observer
	fuel     prometheus.Counter
	in, out  prometheus.Counter
	triggers [triggerKinds]atomic.Pointer[triggered]
}

// triggered has the figures of calls of a function that came in the same way.
type triggered struct {
	duration prometheus.Observer
	done     prometheus.Counter
}

// make registers the metrics.
func (c *calls) make(r *prometheus.Registry, most int) {
	c.most = most
	c.all.Store(new(map[string]*function{}))
	c.duration = histograms(r, "faas_invoke_duration_seconds",
		"Time from the receipt of a call to its answer.", durations, labelName, labelTrigger)
	c.queue = histograms(r, "polyvoke_queue_duration_seconds",
		"Time that a call has waited until it was let in.", waits, labelName)
	c.memory = histograms(r, "faas_mem_usage_bytes", "The most linear memory that the process of a call has had.",
		prometheus.ExponentialBuckets(1<<16, 4, 8), labelName)
	c.invocations = counters(r, "faas_invocations_total", "Calls that succeeded.", labelName, labelTrigger)
	c.errors = counters(r, "faas_errors_total", "Calls that failed, by the error's code.", labelName, labelTrigger, "code")
	c.colds = counters(r, "faas_coldstarts_total", "Calls whose version had to be loaded first.", labelName)
	c.timeouts = counters(r, "faas_timeouts_total", "Calls that did not end in time.", labelName)
	c.fuel = counters(r, "polyvoke_fuel_total", "Work of processes, in units that depend on the program alone.", labelName)
	c.bytes = counters(r, "polyvoke_body_bytes_total", "Bytes of requests (in) and replies (out).", labelName, "direction")
	c.files = counters(r, "polyvoke_files_total",
		"What calls have read and written outside of their processes, by what their functions are granted.", labelName, "op")
	r.MustRegister(inFlight{c})
	c.named = []named{c.duration, c.queue, c.memory, c.invocations, c.errors, c.colds, c.timeouts, c.fuel, c.bytes, c.files}
}

// of returns the figures of a function.
func (c *calls) of(name string) *function {
	if f := (*c.all.Load())[name]; f != nil {
		return f
	}
	return c.add(name)
}

// add makes the figures of a function, or returns those of all that are too many.
func (c *calls) add(name string) *function {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := *c.all.Load()
	if f := all[name]; f != nil {
		return f
	}
	if len(all) >= c.most && name != Other {
		if f := all[Other]; f != nil {
			return f
		}
		name = Other
	}
	f := &function{label: name, memory: c.memory.WithLabelValues(name),
		queue: c.queue.WithLabelValues(name), fuel: c.fuel.WithLabelValues(name),
		in: c.bytes.WithLabelValues(name, "in"), out: c.bytes.WithLabelValues(name, "out")}
	c.colds.WithLabelValues(name)
	c.timeouts.WithLabelValues(name) // 0 is known, so that a rate sees the first one
	all = maps.Clone(all)
	all[name] = f
	c.all.Store(&all)
	return f
}

// label returns the name under which a function counts.
func (c *calls) label(name string) string { return c.of(name).label }

// own returns the name under which a function counts, and Other for one that has no figures. It makes none.
func (c *calls) own(name string) string {
	if all := *c.all.Load(); all[name] == nil && len(all) >= c.most {
		return Other
	}
	return name
}

// forget drops what has been counted of a function, once its last call has ended.
func (c *calls) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := *c.all.Load()
	f := all[name]
	if f == nil || name == Other {
		return
	}
	if f.gone.Store(true); f.active.Load() > 0 {
		return
	}
	all = maps.Clone(all)
	delete(all, name)
	c.all.Store(&all)
	for _, v := range c.named {
		v.DeletePartialMatch(prometheus.Labels{labelName: name})
	}
}

// by returns the figures of calls that came in one way.
func (c *calls) by(f *function, kind int) *triggered {
	if t := f.triggers[kind].Load(); t != nil {
		return t
	}
	t := &triggered{c.duration.WithLabelValues(f.label, triggerNames[kind]),
		c.invocations.WithLabelValues(f.label, triggerNames[kind])}
	f.triggers[kind].Store(t)
	return t
}

// Begin implements stats.Observer.
func (m *Metrics) Begin(c *stats.Call) { m.calls.of(c.Function.Name).active.Add(1) }

// touched counts what a call has read and written by what its function is granted, if there is anything.
func (a *calls) touched(label string, c *stats.Call) {
	if c.Reads > 0 {
		a.files.WithLabelValues(label, "read").Add(float64(c.Reads))
	}
	if c.Writes > 0 {
		a.files.WithLabelValues(label, "write").Add(float64(c.Writes))
	}
}

// End implements stats.Observer. Dry runs, such as clients make when they deploy, do not count.
func (m *Metrics) End(c *stats.Call) {
	a := &m.calls
	f, kind := a.of(c.Function.Name), triggerOf(c.Request)
	if f.active.Add(-1) <= 0 && f.gone.Load() {
		defer a.forget(c.Function.Name)
	}
	if c.Request != nil && c.Request.DryRun {
		return
	}
	t, took := a.by(f, kind), c.Took.Seconds()
	if c.Trace.Sampled {
		t.duration.(prometheus.ExemplarObserver).ObserveWithExemplar(took, prometheus.Labels{
			"trace_id": hex.EncodeToString(c.Trace.ID[:]), "span_id": hex.EncodeToString(c.Trace.Span[:])})
	} else {
		t.duration.Observe(took)
	}
	f.queue.Observe(c.Queue.Seconds())
	f.fuel.Add(float64(c.Fuel))
	f.in.Add(float64(c.In))
	f.out.Add(float64(c.Out))
	if c.Memory > 0 {
		f.memory.Observe(float64(c.Memory))
	}
	a.touched(f.label, c)
	if c.Cold {
		a.colds.WithLabelValues(f.label).Inc()
	}
	if c.Code == 0 {
		t.done.Inc()
		return
	}
	a.errors.WithLabelValues(f.label, triggerNames[kind], strconv.Itoa(c.Code)).Inc()
	if c.Code == protocol.CodeTimeout {
		a.timeouts.WithLabelValues(f.label).Inc()
	}
}

// keep tells that a function is there, again perhaps.
func (c *calls) keep(name string) {
	if f := (*c.all.Load())[name]; f != nil {
		f.gone.Store(false)
	}
}

var callsInFlight = prometheus.NewDesc("polyvoke_calls_in_flight", "Calls that have been received and not answered.",
	[]string{labelName}, nil)

// inFlight are the calls in flight.
type inFlight struct{ c *calls }

// Describe implements prometheus.Collector.
func (i inFlight) Describe(ch chan<- *prometheus.Desc) { ch <- callsInFlight }

// Collect implements prometheus.Collector.
func (i inFlight) Collect(ch chan<- prometheus.Metric) {
	for name, f := range *i.c.all.Load() {
		n := float64(max(0, f.active.Load())) // a call may end under figures that were begun anew
		ch <- prometheus.MustNewConstMetric(callsInFlight, prometheus.GaugeValue, n, name)
	}
}
