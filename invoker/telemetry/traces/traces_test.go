package traces

import (
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

const patience = time.Minute

// receiver is a collector that decodes what it gets with OpenTelemetry's own code.
type receiver struct {
	*httptest.Server
	requests chan *collector.TracesData

	mu      sync.Mutex
	answers []func(http.ResponseWriter) // for the next requests; then 200
	header  http.Header                 // of the last one
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{requests: make(chan *collector.TracesData, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		// ExportTraceServiceRequest and TracesData have the same fields.
		data := new(collector.TracesData)
		if err == nil {
			err = proto.Unmarshal(body, data)
		}
		if err != nil || q.Method != http.MethodPost || q.URL.Path != "/v1/traces" ||
			q.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s %v: %v", q.Method, q.URL, q.Header, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.header = q.Header
		if len(r.answers) > 0 {
			answer := r.answers[0]
			r.answers = r.answers[1:]
			answer(w)
			return
		}
		r.requests <- data
	}))
	t.Cleanup(r.Close)
	return r
}

// next returns the spans of the next request that was taken.
func (r *receiver) next(t *testing.T) []*collector.Span {
	t.Helper()
	select {
	case d := <-r.requests:
		return d.ResourceSpans[0].ScopeSpans[0].Spans
	case <-time.After(patience):
		t.Fatal("no request came")
		return nil
	}
}

// exporter starts an exporter to the receiver, which ends with the test or with what is returned.
func (r *receiver) exporter(t *testing.T, change func(*Config)) (e *Exporter, end func()) {
	endpoint, err := TracesURL(r.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Endpoint: endpoint, Batch: time.Millisecond, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&c)
	}
	e = NewExporter(c)
	return e, run(t, e)
}

func run(t *testing.T, e *Exporter) (end func()) {
	ctx, cancel := contextOf(t)
	done := make(chan struct{})
	go func() { defer close(done); e.Run(ctx) }()
	end = func() { cancel(); <-done }
	t.Cleanup(end)
	return end
}

func attributes(s *collector.Span) map[string]any {
	all := map[string]any{}
	for _, a := range s.Attributes {
		if text := a.Value.GetStringValue(); text != "" {
			all[a.Key] = text
		} else {
			all[a.Key] = a.Value.GetIntValue()
		}
	}
	return all
}

const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// TestCallSpan sends a call to a collector, with all that can be hostile in it.
func TestCallSpan(t *testing.T) {
	r := newReceiver(t)
	e, end := r.exporter(t, func(c *Config) {
		c.Service, c.Version, c.Instance = "shop", "1.2.3", "7"
		c.Header = http.Header{"Authorization": {"Bearer x"}}
	})
	tracer := New(0, e.Put)
	began := time.Now()
	c := &stats.Call{Function: protocol.Ref{Name: "greet", Version: "3"}, Received: began, Took: 40 * time.Millisecond,
		Request: &protocol.Request{ID: "an-id", Subject: "fn.greet.\xff\r\n" + strings.Repeat("x", 1000)},
		Code:    504, Failure: "504:too late", Exit: -1, Start: "fresh", Cold: true, Fuel: 1 << 63, Memory: 65536,
		Queue: 10 * time.Millisecond, Ready: 20 * time.Millisecond, Run: 10 * time.Millisecond,
		Parent: protocol.ParseTrace(parent)}
	c.Trace = tracer.Trace(c)
	tracer.Begin(c)
	tracer.End(c)
	end()
	d := <-r.requests
	resource := map[string]string{}
	for _, a := range d.ResourceSpans[0].Resource.Attributes {
		resource[a.Key] = a.Value.GetStringValue()
	}
	if resource["service.name"] != "shop" || resource["service.version"] != "1.2.3" || resource["service.instance.id"] != "7" {
		t.Errorf("the resource is %v", resource)
	}
	if r.header.Get("Authorization") != "Bearer x" {
		t.Errorf("headers %v", r.header)
	}
	spans := d.ResourceSpans[0].ScopeSpans[0].Spans
	if len(spans) != 4 {
		t.Fatalf("%d spans: %v", len(spans), spans)
	}
	s := spans[0]
	if hex.EncodeToString(s.TraceId) != parent[3:35] || hex.EncodeToString(s.ParentSpanId) != parent[36:52] ||
		hex.EncodeToString(s.SpanId) == parent[36:52] || s.Name != "greet" || s.Kind != collector.Span_SPAN_KIND_SERVER ||
		s.StartTimeUnixNano != uint64(began.UnixNano()) || s.EndTimeUnixNano-s.StartTimeUnixNano != 40e6 ||
		s.Status.GetCode() != collector.Status_STATUS_CODE_ERROR || s.Status.Message != "504:too late" {
		t.Errorf("the span is %v", s)
	}
	a := attributes(s)
	for key, want := range map[string]any{"faas.name": "greet", "faas.version": "3", "faas.invocation_id": "an-id",
		"faas.trigger": "other", "faas.coldstart": "true", "polyvoke.start": "fresh", "polyvoke.exit": int64(-1),
		"error.type": "504", "messaging.system": "nats"} {
		if a[key] != want {
			t.Errorf("%s is %v, want %v", key, a[key], want)
		}
	}
	if text, _ := a["messaging.destination.name"].(string); len(text) > longest+10 || strings.ContainsAny(text, "\r\n") {
		t.Errorf("the subject is %q", text)
	}
	at := s.StartTimeUnixNano
	for i, name := range []string{"queue", "start", "run"} {
		p := spans[i+1]
		if p.Name != name || hex.EncodeToString(p.ParentSpanId) != hex.EncodeToString(s.SpanId) || p.StartTimeUnixNano != at {
			t.Errorf("part %d is %v", i, p)
		}
		at = p.EndTimeUnixNano
	}
	if exported, dropped := e.Counts(); exported != 4 || dropped != 0 {
		t.Errorf("%d were exported, %d dropped", exported, dropped)
	}
}

// TestJobAndHTTPSpans looks at who is below whom.
func TestJobAndHTTPSpans(t *testing.T) {
	var got []*Span
	tracer := New(1, func(s *Span) { got = append(got, s) })

	e := &gateway.Exchange{Method: "GET", Path: "/orders/7", Route: "GET /orders/{id}", Received: time.Now(),
		Header: http.Header{"Traceparent": {parent}}, Status: 503, Took: time.Second}
	tracer.HTTP().Begin(e)
	if e.Header.Get("Traceparent") == parent || !strings.HasPrefix(e.Header.Get("Traceparent"), parent[:36]) {
		t.Errorf("the function gets %v", e.Header)
	}
	tracer.HTTP().End(e)
	if s := got[0]; s.Name != "GET /orders/{id}" || s.Parent != protocol.ParseTrace(parent).Span || s.Error == "" {
		t.Errorf("the span is %+v", s)
	}

	before := protocol.Header{"traceparent": {parent}, "a": {"b"}}
	a := &jobs.Attempt{Function: "work", Request: &protocol.Request{ID: "j", Header: before}, Number: 2, Began: time.Now()}
	tracer.Jobs().Begin(a)
	if before.Get("traceparent") != parent {
		t.Error("the headers that others have were changed")
	}
	a.Outcome = jobs.OutcomeRetry
	tracer.Jobs().End(a)
	c := &stats.Call{Request: a.Request, Parent: a.Request.Header.Trace()}
	c.Trace = tracer.Trace(c)
	tracer.End(c)
	if job, call := got[1], got[2]; job.Name != "job work" || job.Parent != protocol.ParseTrace(parent).Span ||
		call.Parent != job.Trace.Span || call.Trace.ID != job.Trace.ID {
		t.Errorf("the job is %+v, its call %+v", job, call)
	}
}

// TestSampling counts how many traces are kept.
func TestSampling(t *testing.T) {
	kept := 0
	for _, row := range []struct{ ratio, least, most float64 }{{0, 0, 0}, {1, 1, 1}, {0.25, 0.2, 0.3}, {-1, 0, 0}, {7, 1, 1}} {
		tracer := New(row.ratio, func(*Span) { kept++ })
		const calls = 10_000
		kept = 0
		for range calls {
			c := &stats.Call{Request: &protocol.Request{}}
			c.Trace = tracer.Trace(c)
			if c.Trace.IsZero() || c.Trace.Span == [8]byte{} {
				t.Fatal("a place without an id")
			}
			tracer.End(c)
		}
		if share := float64(kept) / calls; share < row.least || share > row.most {
			t.Errorf("with ratio %v, %v were kept", row.ratio, share)
		}
	}
	not := protocol.ParseTrace(strings.TrimSuffix(parent, "1") + "0")
	if New(1, nil).child(not).Sampled || !New(0, nil).child(protocol.ParseTrace(parent)).Sampled {
		t.Error("whoever has begun a trace decides")
	}
}

// BenchmarkCall is what a call pays that is kept, and one that is not: its place, its headers and its span.
func BenchmarkCall(b *testing.B) {
	for name, ratio := range map[string]float64{"kept": 1, "not kept": 0} {
		b.Run(name, func(b *testing.B) {
			e := NewExporter(Config{})
			tracer := New(ratio, func(s *Span) {
				e.Put(s)
				<-e.queue
			})
			r := &protocol.Request{ID: "an-id", Subject: "fn.greet"}
			b.ReportAllocs()
			for b.Loop() {
				c := stats.Call{Function: protocol.Ref{Name: "greet", Version: "1"}, Request: r, Received: time.Now()}
				c.Trace = tracer.Trace(&c)
				_ = r.Header.WithTrace(c.Trace)
				tracer.End(&c)
			}
		})
	}
}

// BenchmarkEncode is what a span costs when it is written.
func BenchmarkEncode(b *testing.B) {
	var s *Span
	New(1, func(one *Span) { s = one }).End(&stats.Call{Function: protocol.Ref{Name: "greet", Version: "1"},
		Request: &protocol.Request{ID: "an-id", Subject: "fn.greet"}, Received: time.Now(),
		Trace: protocol.ParseTrace(parent)})
	b.ReportAllocs()
	for b.Loop() {
		encode(nil, "polyvoke", "1", []*Span{s})
	}
}
