package telemetry

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/polyvoke/polyvoke/invoker/gateway"
)

// requests are the figures of requests of HTTP.
type requests struct {
	duration *prometheus.HistogramVec
	active   prometheus.Gauge
	aborted  prometheus.Counter
	in, out  prometheus.Counter

	most int
	all  atomic.Pointer[map[answered]prometheus.Observer]
	mu   sync.Mutex // of who changes all
}

// answered is what requests have in common that count together.
type answered struct {
	method, route string
	status        int
}

// make registers the metrics.
func (r *requests) make(reg *prometheus.Registry, most int) {
	r.most = most
	r.all.Store(new(map[answered]prometheus.Observer{}))
	r.duration = histograms(reg, "http_server_request_duration_seconds",
		"Time from the headers of a request to the last byte of its answer. The route is a pattern.", durations,
		"method", "route", "status")
	r.active = prometheus.NewGauge(prometheus.GaugeOpts{Name: "http_server_active_requests",
		Help: "Requests that have not been answered yet."})
	r.aborted = prometheus.NewCounter(prometheus.CounterOpts{Name: "polyvoke_http_aborted_total",
		Help: "Answers that were cut short."})
	size := counters(reg, "polyvoke_http_body_bytes_total", "Bytes of the bodies of requests (in) and answers (out).",
		"direction")
	r.in, r.out = size.WithLabelValues("in"), size.WithLabelValues("out")
	reg.MustRegister(r.active, r.aborted)
}

// of returns the figures of requests like one.
func (r *requests) of(k answered) prometheus.Observer {
	if o := (*r.all.Load())[k]; o != nil {
		return o
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := *r.all.Load()
	if o := all[k]; o != nil {
		return o
	}
	if len(all) >= r.most {
		k.route = Other
		return r.duration.WithLabelValues(k.method, k.route, strconv.Itoa(k.status))
	}
	o := r.duration.WithLabelValues(k.method, k.route, strconv.Itoa(k.status))
	all = maps.Clone(all)
	all[k] = o
	r.all.Store(&all)
	return o
}

// methods are those of HTTP (RFC 9110, section 9; RFC 5789). Others share a label.
var methods = map[string]bool{"GET": true, "HEAD": true, "POST": true, "PUT": true, "DELETE": true, "CONNECT": true,
	"OPTIONS": true, "TRACE": true, "PATCH": true}

// HTTP observes requests of HTTP.
type HTTP struct{ m *Metrics }

var _ gateway.Observer = HTTP{}

// HTTP returns what observes requests of HTTP.
func (m *Metrics) HTTP() HTTP { return HTTP{m} }

// Begin implements gateway.Observer.
func (h HTTP) Begin(*gateway.Exchange) { h.m.http.active.Inc() }

// End implements gateway.Observer.
func (h HTTP) End(e *gateway.Exchange) {
	r := &h.m.http
	r.active.Dec()
	k := answered{e.Method, e.Route, e.Status}
	if !methods[k.method] {
		k.method = "OTHER"
	}
	if k.route == "" {
		k.route = unmatched
	}
	if k.status < 100 || k.status > 599 {
		k.status = 0 // the connection was gone before
	}
	r.of(k).Observe(e.Took.Seconds())
	r.in.Add(float64(max(0, e.In)))
	r.out.Add(float64(max(0, e.Out)))
	if e.Aborted {
		r.aborted.Inc()
		if e.Cut != "" {
			h.m.Aborted(e.Cut)
		}
	}
}
