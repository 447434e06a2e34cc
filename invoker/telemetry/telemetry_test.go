package telemetry

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// scrape returns the page of metrics.
func scrape(t testing.TB, m *Metrics, accept string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// expect looks for lines in the page of metrics.
func expect(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, l := range lines {
		if !strings.Contains("\n"+page, "\n"+l+"\n") {
			t.Errorf("there is no line %s", l)
		}
	}
	if t.Failed() {
		for l := range strings.Lines(page) {
			if !strings.HasPrefix(l, "go_") && !strings.HasPrefix(l, "#") && !strings.Contains(l, "_bucket") {
				t.Log(strings.TrimSpace(l))
			}
		}
	}
}

// once makes a call be seen.
func once(m *Metrics, c stats.Call) {
	if c.Request == nil {
		c.Request = new(protocol.Request)
	}
	m.Begin(&stats.Call{Function: protocol.Ref{Name: c.Function.Name}, Request: c.Request})
	m.End(&c)
}

func TestCalls(t *testing.T) {
	m := New(Config{Version: "1.2.3", Served: func() int { return 7 }, Connected: func() bool { return true },
		Spans: func() (uint64, uint64) { return 5, 2 }})
	greet := protocol.Ref{Name: "greet", Version: "1"}
	once(m, stats.Call{Function: greet, Took: 2 * time.Millisecond, Fuel: 100, Memory: 1 << 20, In: 3, Out: 5, Cold: true,
		Reads: 4, Writes: 2})
	once(m, stats.Call{Function: greet, Took: time.Second, Code: 504})
	once(m, stats.Call{Function: greet, Request: &protocol.Request{Header: protocol.Header{"Fn-Http": {"files"}}}})
	m.Begin(&stats.Call{Function: protocol.Ref{Name: "slow"}})
	expect(t, scrape(t, m, ""),
		`faas_invocations_total{faas_name="greet",faas_trigger="other"} 1`,
		`faas_invocations_total{faas_name="greet",faas_trigger="http"} 1`,
		`faas_errors_total{code="504",faas_name="greet",faas_trigger="other"} 1`,
		`faas_timeouts_total{faas_name="greet"} 1`,
		`faas_coldstarts_total{faas_name="greet"} 1`,
		`faas_invoke_duration_seconds_bucket{faas_name="greet",faas_trigger="other",le="0.0025"} 1`,
		`faas_invoke_duration_seconds_count{faas_name="greet",faas_trigger="other"} 2`,
		`faas_mem_usage_bytes_sum{faas_name="greet"} 1.048576e+06`,
		`polyvoke_fuel_total{faas_name="greet"} 100`,
		`polyvoke_files_total{faas_name="greet",op="read"} 4`,
		`polyvoke_files_total{faas_name="greet",op="write"} 2`,
		`polyvoke_body_bytes_total{direction="in",faas_name="greet"} 3`,
		`polyvoke_calls_in_flight{faas_name="greet"} 0`,
		`polyvoke_calls_in_flight{faas_name="slow"} 1`,
		`polyvoke_functions 7`,
		`polyvoke_nats_connected 1`,
		`polyvoke_spans_total{result="dropped"} 2`,
	)
	if page := scrape(t, m, ""); !strings.Contains(page, `polyvoke_build_info{goversion="go`) ||
		!strings.Contains(page, "\ngo_goroutines ") || !strings.Contains(page, "\nprocess_start_time_seconds ") {
		t.Error("there is nothing about the process")
	}
}

// TestTrigger says why a function is called, in OpenTelemetry's words.
func TestTrigger(t *testing.T) {
	key := protocol.TriggerKey{Subject: "orders.*", Queue: "q"}
	for want, all := range map[string][]*protocol.Request{
		"other": {nil, {}, {Header: protocol.Header{"a": {"b"}}},
			{Header: protocol.Header{protocol.HeaderScheduled: {"now"}}}}, // anybody can say so
		"http":   {{Header: protocol.Header{protocol.HeaderHTTP: {"cgi"}}}},
		"pubsub": {{Trigger: key}, {Patient: true}, {Patient: true, Header: protocol.Header{"a": {"b"}}}},
		"timer":  {{Patient: true, Header: protocol.Header{protocol.HeaderScheduled: {"now"}}}},
		"datasource": {{Patient: true, Header: protocol.Header{protocol.HeaderSourceStream: {"KV_users"}}},
			{Patient: true, Header: protocol.Header{protocol.HeaderSourceStream: {"OBJ_files"}}}},
	} {
		for i, r := range all {
			if got := TriggerOf(r); got != want {
				t.Errorf("%s %d is %s", want, i, got)
			}
		}
	}
}

// TestBounds has more functions, routes and methods than there is room for.
func TestBounds(t *testing.T) {
	m := New(Config{Functions: 3, Routes: 4})
	for i := range 10 {
		once(m, stats.Call{Function: protocol.Ref{Name: fmt.Sprint("f", i)}})
		m.Jobs().Dead(fmt.Sprint("f", i), protocol.ReasonAge)
	}
	for i := range 10 {
		e := gateway.Exchange{Method: fmt.Sprint("M", i), Route: fmt.Sprint("/r", i), Path: "/secret", Status: i * 100}
		m.HTTP().Begin(&e)
		m.HTTP().End(&e)
	}
	m.HTTP().Begin(&gateway.Exchange{})
	page := scrape(t, m, "")
	expect(t, page, `faas_invocations_total{faas_name="f2",faas_trigger="other"} 1`,
		`faas_invocations_total{faas_name="(other)",faas_trigger="other"} 7`,
		`polyvoke_jobs_dead_total{faas_name="(other)",reason="max_age"} 7`,
		`http_server_request_duration_seconds_count{method="OTHER",route="/r3",status="300"} 1`,
		`http_server_request_duration_seconds_count{method="OTHER",route="(other)",status="0"} 4`,
		`http_server_active_requests 1`)
	if strings.Contains(page, `"f3"`) || strings.Contains(page, "secret") || strings.Contains(page, `"/r5"`) {
		t.Error("what others choose is a label")
	}
}

// TestForget removes functions, one of them while it is called.
func TestForget(t *testing.T) {
	m := New(Config{Functions: 2})
	once(m, stats.Call{Function: protocol.Ref{Name: "gone"}})
	m.Jobs().End(&jobs.Attempt{Function: "gone", Outcome: jobs.OutcomeDone})
	busy := &stats.Call{Function: protocol.Ref{Name: "busy"}, Request: new(protocol.Request)}
	m.Begin(busy)
	m.Remove("gone")
	m.Remove("busy")
	m.Remove("never")
	expect(t, scrape(t, m, ""), `polyvoke_calls_in_flight{faas_name="busy"} 1`)
	m.End(busy)
	if page := scrape(t, m, ""); strings.Contains(page, `"gone"`) || strings.Contains(page, `"busy"`) {
		t.Error("figures are left")
	}
	m.Begin(busy)
	m.Remove("busy")
	m.Apply(&protocol.Function{Name: "busy"}) // it is there again
	m.End(busy)
	once(m, stats.Call{Function: protocol.Ref{Name: "new"}})
	expect(t, scrape(t, m, ""), `faas_invocations_total{faas_name="busy",faas_trigger="other"} 1`,
		`faas_invocations_total{faas_name="new",faas_trigger="other"} 1`)
}

func TestJobs(t *testing.T) {
	m := New(Config{})
	now := time.Now()
	for _, a := range []*jobs.Attempt{
		{Function: "f", Number: 1, Due: now.Add(-2 * time.Second), Outcome: jobs.OutcomeRetry},
		{Function: "f", Number: 2, Due: now.Add(-time.Hour), Outcome: jobs.OutcomeDead},
		{Function: "f", Number: 1, Due: now, Outcome: jobs.OutcomeDone, Request: &protocol.Request{Header: protocol.Header{
			protocol.HeaderScheduled: {now.Add(-50 * time.Second).Format(time.RFC3339)}}}},
		{Function: "f", Number: 1, Due: now, Outcome: jobs.OutcomeDone, Request: &protocol.Request{Header: protocol.Header{
			protocol.HeaderSourceTime: {"yesterday"}}}},
	} {
		a.Began = now
		if a.Request == nil {
			a.Request = new(protocol.Request)
		}
		m.Jobs().Begin(a)
		m.Jobs().End(a)
	}
	m.Jobs().Dead("f", protocol.ReasonAttempts)
	expect(t, scrape(t, m, ""),
		`polyvoke_job_attempts_total{faas_name="f",outcome="retry"} 1`,
		`polyvoke_job_attempts_total{faas_name="f",outcome="done"} 2`,
		`polyvoke_jobs_dead_total{faas_name="f",reason="attempts"} 1`,
		`polyvoke_job_delay_seconds_bucket{faas_name="f",source="call",le="1"} 1`,
		`polyvoke_job_delay_seconds_bucket{faas_name="f",source="call",le="5"} 2`,
		`polyvoke_job_delay_seconds_bucket{faas_name="f",source="schedule",le="60"} 1`)
}

// TestQueues asks for queues when metrics are read, not more often than need be, and lives without an answer.
func TestQueues(t *testing.T) {
	asked := 0
	var fails error
	m := New(Config{Functions: 1, Queues: func(ctx context.Context) (map[string]protocol.QueueInfo, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("there is no bound")
		}
		asked++
		return map[string]protocol.QueueInfo{"a": {Queued: 5, Dead: 1}, "b": {Queued: 1}, "c": {Queued: 2}}, fails
	}})
	once(m, stats.Call{Function: protocol.Ref{Name: "a"}})
	for range 3 {
		expect(t, scrape(t, m, ""), `polyvoke_job_queue_jobs{faas_name="a",state="queued"} 5`,
			`polyvoke_job_queue_jobs{faas_name="a",state="dead"} 1`,
			`polyvoke_job_queue_jobs{faas_name="(other)",state="queued"} 3`)
	}
	if asked != 1 {
		t.Errorf("queues were asked for %d times", asked)
	}
	m = New(Config{Queues: func(context.Context) (map[string]protocol.QueueInfo, error) { return nil, errors.New("away") }})
	expect(t, scrape(t, m, ""), "polyvoke_websocket_connections 0")
}

func TestSocketsAndStreams(t *testing.T) {
	m := New(Config{})
	s := m.Sockets()
	s.Opened()
	s.Opened()
	s.Closed()
	s.Received()
	s.Sent()
	s.Sent()
	s.Dropped()
	s.Rejected()
	m.HTTP().End(&gateway.Exchange{Method: "GET", Aborted: true, Cut: gateway.CutIdle})
	expect(t, scrape(t, m, ""), "polyvoke_websocket_connections 1", `polyvoke_websocket_messages_total{direction="in"} 1`,
		`polyvoke_websocket_messages_total{direction="out"} 2`, "polyvoke_websocket_dropped_total 1",
		"polyvoke_websocket_rejected_total 1", `polyvoke_stream_aborts_total{reason="idle"} 1`)
}

// TestExemplars finds the trace of a call beside its duration.
func TestExemplars(t *testing.T) {
	m := New(Config{})
	once(m, stats.Call{Function: protocol.Ref{Name: "f"}, Took: time.Second,
		Trace: protocol.ParseTrace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")})
	if page := scrape(t, m, "application/openmetrics-text; version=1.0.0"); !strings.Contains(page,
		`# {span_id="00f067aa0ba902b7",trace_id="4bf92f3577b34da6a3ce929d0e0e4736"} 1.0`) &&
		!strings.Contains(page, `trace_id="4bf92f3577b34da6a3ce929d0e0e4736"`) {
		t.Error("there is no exemplar")
	}
}

// TestHammerMetrics has functions called, removed and read at a time.
func TestHammerMetrics(t *testing.T) {
	m := New(Config{Functions: 8, Routes: 8})
	var all sync.WaitGroup
	const each = 2000
	for g := range 8 {
		all.Go(func() {
			for i := range each {
				once(m, stats.Call{Function: protocol.Ref{Name: "kept"}, Code: i % 2 * 500})
				name := fmt.Sprint("f", (i+g)%16)
				once(m, stats.Call{Function: protocol.Ref{Name: name}})
				e := &gateway.Exchange{Method: "GET", Route: name, Status: 200}
				m.HTTP().Begin(e)
				m.HTTP().End(e)
				switch i % 200 {
				case 0:
					m.Remove(name)
				case 100:
					scrape(t, m, "")
				}
			}
		})
	}
	all.Wait()
	expect(t, scrape(t, m, ""), `polyvoke_calls_in_flight{faas_name="kept"} 0`, "http_server_active_requests 0",
		fmt.Sprintf(`faas_invocations_total{faas_name="kept",faas_trigger="other"} %d`, 8*each/2),
		fmt.Sprintf(`faas_errors_total{code="500",faas_name="kept",faas_trigger="other"} %d`, 8*each/2))
}

// TestCost sees to it that an observed call allocates nothing.
func TestCost(t *testing.T) {
	m := New(Config{})
	begin, end := observed()
	m.Begin(begin)
	m.End(end)
	if n := testing.AllocsPerRun(1000, func() { m.Begin(begin); m.End(end) }); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
	e := &gateway.Exchange{Method: "GET", Route: "/x", Status: 200, Took: time.Millisecond}
	if n := testing.AllocsPerRun(1000, func() { m.HTTP().Begin(e); m.HTTP().End(e) }); n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}

// observed returns a usual call, as it begins and ends.
func observed() (begin, end *stats.Call) {
	r := new(protocol.Request)
	return &stats.Call{Function: protocol.Ref{Name: "greet"}, Request: r},
		&stats.Call{Function: protocol.Ref{Name: "greet", Version: "1"}, Request: r, Took: 40 * time.Microsecond,
			Fuel: math.MaxUint32, Memory: 1 << 20, In: 10, Out: 20}
}

func BenchmarkCall(b *testing.B) {
	for _, functions := range []int{1, 400} {
		b.Run(fmt.Sprintf("functions=%d", functions), func(b *testing.B) {
			m := New(Config{})
			for i := range functions {
				once(m, stats.Call{Function: protocol.Ref{Name: fmt.Sprint("f", i)}})
			}
			begin, end := observed()
			b.ReportAllocs()
			for b.Loop() {
				m.Begin(begin)
				m.End(end)
			}
		})
	}
}

func BenchmarkHTTP(b *testing.B) {
	m := New(Config{})
	e := &gateway.Exchange{Method: "GET", Route: "GET /orders/{id}", Status: 200, Took: time.Millisecond}
	b.ReportAllocs()
	for b.Loop() {
		m.HTTP().Begin(e)
		m.HTTP().End(e)
	}
}
