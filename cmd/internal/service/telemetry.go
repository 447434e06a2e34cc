package service

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/gateway/websocket"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/telemetry"
	"github.com/polyvoke/polyvoke/invoker/telemetry/traces"
	"github.com/polyvoke/polyvoke/protocol"
)

// TelemetryConfig says what is told about a service, and whom.
type TelemetryConfig struct {
	Count   bool                // count for Handler, also without Metrics
	Metrics string              // HOST:PORT where Prometheus finds /metrics; without HOST 127.0.0.1; empty: nowhere
	OTLP    string              // URL of the collector that gets traces; empty: nobody does
	Sample  float64             // share of the traces that begin here and are kept, from 0 to 1
	Version string              // polyvoke's own
	Env     func(string) string // reads a variable of OpenTelemetry's, as os.Getenv does; must not be nil with OTLP
	Log     *slog.Logger        // must not be nil
}

// Telemetry tells what a service does: how much, for Prometheus, and in what order, as traces. A nil one tells nothing,
// and costs nothing. Its methods may be called from several goroutines.
type Telemetry struct {
	metrics  *telemetry.Metrics // nil: nothing is counted
	tracer   *traces.Tracer     // nil: nothing is traced
	exporter *traces.Exporter
	served   atomic.Pointer[served]
	end      []func()
}

// served is what is asked for when metrics are read.
type served struct {
	invoker   *invoker.Invoker // nil: functions are served elsewhere
	connected func() bool
	queues    control.Queues // nil: whoever serves the functions is asked about them
	mu        sync.Mutex
	names     map[string]bool // of functions
}

// functions returns how many functions are known.
func (s *served) functions() int {
	if s.invoker != nil {
		return s.invoker.Functions()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names)
}

// OpenTelemetry begins to tell. It returns nil if there is nobody to tell. Close ends it, after the service.
func OpenTelemetry(c TelemetryConfig) (*Telemetry, error) {
	t := &Telemetry{}
	if c.OTLP != "" {
		to, err := otel(c.OTLP, c.Version, c.Env, c.Log)
		if err != nil {
			return nil, err
		}
		t.exporter = traces.NewExporter(*to)
		t.tracer = traces.New(c.Sample, t.exporter.Put)
	}
	if c.Count || c.Metrics != "" {
		t.metrics = telemetry.New(t.config(c.Version))
	}
	if t.metrics == nil && t.tracer == nil {
		return nil, nil
	}
	if c.Metrics != "" {
		if err := t.listen(c.Metrics, c.Log); err != nil {
			return nil, err
		}
	}
	if t.exporter != nil {
		t.goUntilEnd(t.exporter.Run)
	}
	return t, nil
}

// config returns what is asked for when metrics are read. Before there is a service that is nothing.
func (t *Telemetry) config(version string) telemetry.Config {
	c := telemetry.Config{Version: version,
		Served: func() int {
			if s := t.served.Load(); s != nil {
				return s.functions()
			}
			return 0
		},
		Connected: func() bool { s := t.served.Load(); return s != nil && s.connected() },
		Queues: func(ctx context.Context) (map[string]protocol.QueueInfo, error) {
			if s := t.served.Load(); s != nil {
				return s.ask(ctx)
			}
			return nil, nil
		},
	}
	if t.exporter != nil {
		c.Spans = t.exporter.Counts
	}
	return c
}

// ask returns the queues of all functions.
func (s *served) ask(ctx context.Context) (map[string]protocol.QueueInfo, error) {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.names))
	s.mu.Unlock()
	if s.queues == nil || len(names) == 0 || !s.connected() {
		return nil, nil
	}
	return s.queues.Queues(ctx, names)
}

// goUntilEnd runs something until Close, which waits for it.
func (t *Telemetry) goUntilEnd(run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	t.end = append(t.end, func() { cancel(); <-done })
}

// listen shows metrics on an address of their own.
func (t *Telemetry) listen(address string, log *slog.Logger) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		address = net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return protocol.Errorf(protocol.CodeUnavailable, "", "--metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.metrics.Handler())
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not shown any more", "metrics", address, "err", err)
		}
	}()
	t.end = append(t.end, func() { _ = s.Close(); <-served })
	log.Info("metrics are shown", "metrics", "http://"+l.Addr().String()+"/metrics")
	return nil
}

// Handler returns what shows the metrics; nil if nothing is counted.
func (t *Telemetry) Handler() http.Handler {
	if t == nil || t.metrics == nil {
		return nil
	}
	return t.metrics.Handler()
}

// Metrics returns what has been counted, for parts that have more to count; nil if nothing is.
func (t *Telemetry) Metrics() *telemetry.Metrics {
	if t == nil {
		return nil
	}
	return t.metrics
}

// HTTP returns what observes requests of a gateway. Traces come first: they say where the rest belongs.
func (t *Telemetry) HTTP() (all []gateway.Observer) {
	if t == nil {
		return nil
	}
	if t.tracer != nil {
		all = append(all, t.tracer.HTTP())
	}
	if t.metrics != nil {
		all = append(all, t.metrics.HTTP())
	}
	return all
}

// Sockets returns what observes WebSockets; nil if nothing does.
func (t *Telemetry) Sockets() websocket.Observer {
	if t == nil || t.metrics == nil {
		return nil
	}
	return t.metrics.Sockets()
}

// Close ends it. What has been observed by then is still told.
func (t *Telemetry) Close() {
	if t == nil {
		return
	}
	for _, end := range slices.Backward(t.end) {
		end()
	}
	t.end = nil
}

// observe has the calls of an invoker seen. It is called before the invoker serves.
func (t *Telemetry) observe(v *invoker.Invoker, connected func() bool, queues control.Queues) {
	if t == nil {
		return
	}
	if t.tracer != nil {
		v.Tracer = t.tracer
		v.Observers = append(v.Observers, t.tracer)
	}
	if t.metrics != nil {
		v.Observers = append(v.Observers, t.metrics)
	}
	t.served.Store(&served{invoker: v, connected: connected, queues: queues, names: map[string]bool{}})
}

// follow has it known which functions there are, where none are served. It is called before the gateway serves.
func (t *Telemetry) follow(connected func() bool) {
	if t != nil {
		t.served.Store(&served{connected: connected, names: map[string]bool{}})
	}
}

// jobs returns what observes jobs; nil if nothing does.
func (t *Telemetry) jobs() jobs.Observer {
	switch {
	case t == nil:
		return nil
	case t.metrics == nil:
		return t.tracer.Jobs()
	case t.tracer == nil:
		return t.metrics.Jobs()
	}
	return both{t.tracer.Jobs(), t.metrics.Jobs()}
}

// made returns what gives jobs of triggers their places in traces; nil if nothing does.
func (t *Telemetry) made() func(function, id string, h protocol.Header) {
	if t == nil || t.tracer == nil {
		return nil
	}
	return t.tracer.Made
}

// both observe jobs.
type both [2]jobs.Observer

// Begin implements jobs.Observer.
func (b both) Begin(a *jobs.Attempt) { b[0].Begin(a); b[1].Begin(a) }

// End implements jobs.Observer.
func (b both) End(a *jobs.Attempt) { b[0].End(a); b[1].End(a) }

// Dead implements jobs.Observer.
func (b both) Dead(function, reason string) { b[0].Dead(function, reason); b[1].Dead(function, reason) }

// fronts returns the part that hears of functions.
func (t *Telemetry) fronts() []front {
	if t == nil || t.metrics == nil {
		return nil
	}
	return []front{hears{t.metrics, t.served.Load()}}
}

// hears hears of functions for metrics.
type hears struct {
	*telemetry.Metrics
	s *served
}

// Apply implements front.
func (h hears) Apply(f *protocol.Function) {
	h.Metrics.Apply(f)
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	h.s.names[f.Name] = true
}

// Remove implements front.
func (h hears) Remove(name string) {
	h.Metrics.Remove(name)
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	delete(h.s.names, name)
}
