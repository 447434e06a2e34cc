package traces_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/telemetry"
	"github.com/polyvoke/polyvoke/invoker/telemetry/traces"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestGateway follows a request of HTTP through a real gateway into a real process, and counts it.
func TestGateway(t *testing.T) {
	var mu sync.Mutex
	spans := map[string]*traces.Span{}
	tracer := traces.New(1, func(s *traces.Span) {
		mu.Lock()
		defer mu.Unlock()
		spans[s.Name] = s
	})
	m := telemetry.New(telemetry.Config{})
	s := invokertest.Start(t, func(c *invokertest.Config) { c.Invokers = -1 })
	v := s.StartInvoker(func(v *invoker.Invoker) {
		v.Tracer = tracer
		v.Observers = append(v.Observers, tracer, m)
	})
	fn := s.Deploy("probe", runtimestest.Wasm(), func(f *protocol.Function) {
		f.Args = []string{"cat", "/request/headers/traceparent"}
		f.HTTP = []protocol.HTTPRoute{{Route: "GET /orders/{id}", Auth: protocol.AuthNone}}
	})
	g := gateway.New(gateway.Config{Caller: v.Invoker,
		Observers: []gateway.Observer{tracer.HTTP(), m.HTTP()}})
	g.Apply(&fn)
	g.Synced()
	front := httptest.NewServer(g)
	defer front.Close()

	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	get := func(path string) (*http.Response, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	answer, body := get("/orders/7")
	lost, _ := get("/nowhere")
	front.Close() // what has been answered has ended
	mu.Lock()
	defer mu.Unlock()
	request, call := spans["GET /orders/{id}"], spans["probe"]
	if request == nil || call == nil {
		t.Fatalf("%s %s: there are %v", answer.Status, body, spans)
	}
	if call.Parent != request.Trace.Span || request.Trace.String()[3:35] != trace || body != call.Trace.String() ||
		answer.Header.Get("traceparent") != request.Trace.String() {
		t.Errorf("the request is %v, its call %v; the process saw %q, the answer has %v", request, call, body, answer.Header)
	}
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`http_server_request_duration_seconds_count{method="GET",route="GET /orders/{id}",status="200"} 1`,
		`http_server_request_duration_seconds_count{method="GET",route="(none)",status="404"} 1`,
		`faas_invocations_total{faas_name="probe",faas_trigger="http"} 1`, `http_server_active_requests 0`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("there is no %s; %s", line, lost.Status)
		}
	}
}
