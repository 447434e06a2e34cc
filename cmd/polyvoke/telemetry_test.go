package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// watched is a polyvoke serve whose telemetry a test reads.
type watched struct {
	*testing.T
	nc      *nats.Conn
	client  *client.Client
	metrics string // URL

	mu    sync.Mutex
	spans map[string][]*otlp.Span // by name
}

// startWatched starts polyvoke serve in this process, with a collector of traces beside it.
func startWatched(t *testing.T, flags ...string) *watched {
	w := &watched{T: t, spans: map[string][]*otlp.Span{}}
	collector := httptest.NewServer(http.HandlerFunc(w.collect))
	t.Cleanup(collector.Close)
	out, in := io.Pipe()
	logged, log := io.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	env := func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL, "OTEL_SERVICE_NAME": "tested", "OTEL_BSP_SCHEDULE_DELAY": "10",
			"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}[name]
	}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--store", t.TempDir(), "--cache", t.TempDir(),
		"--metrics", ":0", "--log-format", "json"}, flags...)
	go func() {
		done <- run(ctx, args, strings.NewReader(""), in, log, env)
		_ = in.Close()
		_ = log.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-done; code != 0 && code != 130 {
			t.Errorf("serve ended with %d", code)
		}
	})
	where := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(logged); lines.Scan(); {
			var line struct{ Msg, Metrics string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "metrics are shown" {
				where <- line.Metrics
			}
		}
	}()
	first, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	url := regexp.MustCompile(`nats://\S+`).FindString(first)
	w.metrics = <-where
	if w.nc, err = nats.Connect(url, nats.Timeout(patience)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nc.Close)
	w.client = &client.Client{Conn: w.nc}
	return w
}

// collect is a collector's handler.
func (w *watched) collect(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	data := new(otlp.TracesData)
	if err == nil {
		err = proto.Unmarshal(body, data)
	}
	if err != nil {
		w.Errorf("the collector cannot read %d bytes: %v", len(body), err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, of := range data.ResourceSpans {
		if text := of.Resource.String(); !strings.Contains(text, "tested") || !strings.Contains(text, "deployment.environment") {
			w.Errorf("the resource is %s", text)
		}
		for _, s := range of.ScopeSpans[0].Spans {
			w.spans[s.Name] = append(w.spans[s.Name], s)
		}
	}
}

// await returns the spans of a name, when there are that many.
func (w *watched) await(name string, n int) []*otlp.Span {
	w.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(10 * time.Millisecond) {
		w.mu.Lock()
		all := w.spans[name]
		w.mu.Unlock()
		if len(all) >= n {
			return all
		}
	}
	w.Fatalf("there are no %d spans %s", n, name)
	return nil
}

// deploy deploys the probe under a name.
func (w *watched) deploy(f protocol.Function) {
	w.Helper()
	if _, err := w.client.Deploy(w.Context(), f, runtimestest.Wasm()); err != nil {
		w.Fatal(err)
	}
}

const (
	testTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	testParent = "00-" + testTrace + "-00f067aa0ba902b7-01"
)

// TestTelemetry follows messages through functions and jobs to a real collector's decoder, and reads the metrics.
func TestTelemetry(t *testing.T) {
	w := startWatched(t)
	const pause = protocol.Duration(time.Millisecond)
	w.deploy(protocol.Function{Name: "one", Triggers: []protocol.Trigger{{Subject: "in.*", To: "mid"}},
		Job: &protocol.Job{Attempts: 2, Backoff: protocol.Backoff{First: pause, Most: pause}}})
	w.deploy(protocol.Function{Name: "two", Triggers: []protocol.Trigger{{Subject: "mid", To: "out"}},
		Args: []string{"cat", "/request/headers/traceparent"}})
	out, err := w.nc.SubscribeSync("out")
	if err == nil {
		err = w.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	header := nats.Header{"traceparent": {testParent}, "tracestate": {"vendor=1"}, protocol.HeaderID: {"an-id"}}

	reply, err := w.nc.RequestMsg(&nats.Msg{Subject: "in.echo", Header: header, Data: []byte("x")}, patience)
	if err != nil {
		t.Fatal(err)
	}
	passed, err := out.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	one, two := w.await("one", 1)[0], w.await("two", 1)[0]
	place := func(s *otlp.Span) string {
		return "00-" + hex.EncodeToString(s.TraceId) + "-" + hex.EncodeToString(s.SpanId) + "-01"
	}
	if place(one)[3:35] != testTrace || hex.EncodeToString(one.ParentSpanId) != testParent[36:52] ||
		!bytes.Equal(two.ParentSpanId, one.SpanId) || reply.Header.Get("traceparent") != place(one) {
		t.Errorf("one is %v, two %v, the reply %v", one, two, reply.Header)
	}
	if string(passed.Data) != place(two) || passed.Header.Get("traceparent") != place(two) ||
		passed.Header.Get("tracestate") != "vendor=1" {
		t.Errorf("two is %s, saw %s, and passed %v on", place(two), passed.Data, passed.Header)
	}
	if text := one.String(); !strings.Contains(text, `"an-id"`) || !strings.Contains(text, `"in.echo"`) {
		t.Errorf("the span has no id or subject: %s", text)
	}

	job := &nats.Msg{Subject: "job.one.exit.75", Header: nats.Header{"traceparent": {testParent}}}
	if _, err := w.nc.RequestMsg(job, patience); err != nil {
		t.Fatal(err)
	}
	attempts := w.await("job one", 2)
	if attempts[1].TraceId == nil || !bytes.Equal(attempts[0].TraceId, one.TraceId) ||
		hex.EncodeToString(attempts[1].ParentSpanId) != testParent[36:52] {
		t.Errorf("the attempts are %v", attempts)
	}
	if calls := w.await("one", 3); !bytes.Equal(calls[1].ParentSpanId, attempts[0].SpanId) {
		t.Errorf("the call of the attempt is %v", calls[1])
	}
	w.events(one.TraceId)
	plain, err := w.nc.Request("fn.one", []byte("x"), patience)
	if err != nil || len(plain.Header) > 0 {
		t.Errorf("a call without a trace gets %v, %v", plain.Header, err)
	}
	w.read()
}

// events has an event of a stream and a schedule make jobs.
func (w *watched) events(trace []byte) {
	w.Helper()
	js, err := jetstream.New(w.nc)
	if err == nil {
		_, err = js.CreateStream(w.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders"}})
	}
	if err != nil {
		w.Fatal(err)
	}
	w.deploy(protocol.Function{Name: "three", Triggers: []protocol.Trigger{{Stream: "ORDERS"}}})
	w.deploy(protocol.Function{Name: "four", Triggers: []protocol.Trigger{{Schedule: "@every 1s"}}})
	event := &nats.Msg{Subject: "orders", Header: nats.Header{"Traceparent": {testParent}}, Data: []byte("x")}
	if _, err := js.PublishMsg(w.Context(), event); err != nil {
		w.Fatal(err)
	}
	for _, name := range []string{"three", "four"} {
		trigger, job, call := w.await("trigger "+name, 1)[0], w.await("job "+name, 1)[0], w.await(name, 1)[0]
		if name == "three" && (!bytes.Equal(trigger.TraceId, trace) ||
			hex.EncodeToString(trigger.ParentSpanId) != testParent[36:52]) || name == "four" && trigger.ParentSpanId != nil {
			w.Errorf("the trigger is %v", trigger)
		}
		if !bytes.Equal(job.ParentSpanId, trigger.SpanId) || !bytes.Equal(call.ParentSpanId, job.SpanId) {
			w.Errorf("the job is %v, its call %v", job, call)
		}
	}
}

// read looks for what the calls above have counted.
func (w *watched) read() {
	w.Helper()
	var page []byte
	for begin := time.Now(); time.Since(begin) < patience && !bytes.Contains(page, []byte("polyvoke_jobs_dead_total{")); {
		answer, err := http.Get(w.metrics)
		if err != nil {
			w.Fatal(err)
		}
		page, err = io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK {
			w.Fatalf("%s: %v", answer.Status, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, want := range []string{
		`faas_invocations_total{faas_name="one",faas_trigger="pubsub"} 1`,
		`faas_invocations_total{faas_name="one",faas_trigger="other"} 1`,
		`faas_errors_total{code="503",faas_name="one",faas_trigger="pubsub"} 2`,
		`polyvoke_job_attempts_total{faas_name="one",outcome="retry"} 1`,
		`polyvoke_jobs_dead_total{faas_name="one",reason="attempts"} 1`,
		`polyvoke_functions 4`, `polyvoke_nats_connected 1`, `polyvoke_spans_total{result="dropped"} 0`,
		`polyvoke_job_queue_jobs{faas_name="one",state="queued"} 0`,
	} {
		if !strings.Contains("\n"+string(page), "\n"+want+"\n") {
			w.Errorf("there is no %s", want)
		}
	}
	if w.Failed() {
		for l := range strings.Lines(string(page)) {
			if !strings.Contains(l, "_bucket") && (strings.HasPrefix(l, "faas") || strings.HasPrefix(l, "polyvoke")) {
				w.Log(strings.TrimSpace(l))
			}
		}
	}
}
