// Package telemetry counts what an invoker does, for Prometheus.
//
// In go calls, attempts of jobs and requests of HTTP, as their observers see them; out comes a page of metrics. The
// names are those of OpenTelemetry's semantic conventions (github.com/open-telemetry/semantic-conventions, faas and
// http) where these have one, and begin with polyvoke_ elsewhere. Package traces follows single calls.
//
// # Bounds
//
// What others choose becomes a label only within bounds: names of functions up to Config.Functions, patterns of routes
// up to Config.Routes, and the rest together as "(other)". Paths, ids, clients and headers are no labels.
package telemetry

import (
	"cmp"
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// Other is the label of what is beyond a bound. No function, and no route, can have that name.
const Other = "(other)"

// unmatched is the route of requests that match none.
const unmatched = "(none)"

const (
	defaultFunctions = 500
	defaultRoutes    = 500
)

// Config says what is counted beside calls. Its zero value works.
type Config struct {
	// Functions is how many functions have figures of their own. 0 means 500.
	Functions int
	// Routes is how many routes, with method and status, have figures of their own. 0 means 500.
	Routes int
	// Version is polyvoke's own version.
	Version string
	// Served returns how many functions the invoker serves. Nil means that nothing is said of that.
	Served func() int
	// Connected reports whether the invoker is connected to NATS. Nil means that nothing is said of that.
	Connected func() bool
	// Queues returns the queues of functions, by name. It is asked when metrics are read, at most every five seconds, and
	// has a second to answer. Nil means that nothing is said of queues.
	Queues func(ctx context.Context) (map[string]protocol.QueueInfo, error)
	// Spans returns how many spans of traces have been exported, and how many were dropped. Nil means that there are none.
	Spans func() (exported, dropped uint64)
}

// Metrics are what has been counted. They observe calls, requests of HTTP and, as Jobs, attempts of jobs. All methods
// may be called from several goroutines, and only Handler's waits.
type Metrics struct {
	registry  *prometheus.Registry
	calls     calls
	http      requests
	jobs      Jobs
	sockets   Sockets
	abandoned *prometheus.CounterVec
}

var (
	_ stats.Observer = (*Metrics)(nil)
)

// durations are the bounds of histograms of time, in seconds: those of OpenTelemetry's conventions, and four for what is
// quicker than HTTP usually is.
var durations = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5,
	7.5, 10}

// waits are the bounds of histograms of how long something has waited, in seconds.
var waits = []float64{.001, .01, .1, .5, 1, 5, 10, 60, 300, 1800, 3600}

// New returns metrics that have counted nothing.
func New(c Config) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.calls.make(m.registry, cmp.Or(c.Functions, defaultFunctions))
	m.http.make(m.registry, cmp.Or(c.Routes, defaultRoutes))
	m.jobs.make(m.registry, &m.calls)
	m.sockets.make(m.registry)
	m.abandoned = counters(m.registry, "polyvoke_stream_aborts_total",
		"Streams that were cut short.", "reason")
	m.registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := gauges(m.registry, "polyvoke_build_info", "1, with polyvoke's version and Go's.", "version", "goversion")
	build.WithLabelValues(cmp.Or(c.Version, "unknown"), runtime.Version()).Set(1)
	m.ask(c)
	return m
}

// ask registers what is asked for when metrics are read.
func (m *Metrics) ask(c Config) {
	if c.Served != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "polyvoke_functions",
			Help: "Functions that the invoker knows."}, func() float64 { return float64(c.Served()) }))
	}
	if c.Connected != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "polyvoke_nats_connected",
			Help: "Whether the invoker is connected to NATS."}, func() float64 {
			if c.Connected() {
				return 1
			}
			return 0
		}))
	}
	if c.Spans != nil {
		m.registry.MustRegister(spans{c.Spans})
	}
	if c.Queues != nil {
		m.registry.MustRegister(&queues{ask: c.Queues, known: m.calls.own})
	}
}

// longestScrape is how long reading all metrics may take.
const longestScrape = 10 * time.Second

// Handler returns what shows the metrics to Prometheus: as text, or as OpenMetrics with the traces of some calls.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, EnableOpenMetrics: true,
		MaxRequestsInFlight: 4, Timeout: longestScrape, ErrorHandling: promhttp.ContinueOnError})
}

// Jobs returns what observes jobs.
func (m *Metrics) Jobs() *Jobs { return &m.jobs }

// Sockets returns what counts WebSockets.
func (m *Metrics) Sockets() *Sockets { return &m.sockets }

// Aborted counts a stream that was cut short. The reason must be one of a few words.
func (m *Metrics) Aborted(reason string) { m.abandoned.WithLabelValues(reason).Inc() }

// Apply tells of a function that is there.
func (m *Metrics) Apply(f *protocol.Function) { m.calls.keep(f.Name) }

// Remove tells of a function that is gone: what was counted of it is dropped, so that others have room.
func (m *Metrics) Remove(name string) { m.calls.forget(name) }

// Synced tells that all functions have been told of.
func (m *Metrics) Synced() {}

// Serve does nothing until ctx ends. So Metrics are a front like those that make calls, and learn of functions.
func (m *Metrics) Serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// counters registers counters.
func counters(r *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	r.MustRegister(v)
	return v
}

// gauges registers gauges.
func gauges(r *prometheus.Registry, name, help string, labels ...string) *prometheus.GaugeVec {
	v := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	r.MustRegister(v)
	return v
}

// histograms registers histograms.
func histograms(r *prometheus.Registry, name, help string, bounds []float64, labels ...string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: bounds}, labels)
	r.MustRegister(v)
	return v
}
