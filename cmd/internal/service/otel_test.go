package service

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/telemetry/traces"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestOTel reads OpenTelemetry's variables, bad ones too.
func TestOTel(t *testing.T) {
	env := map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20x, bad ,=y,x-bad=a%zz,x-line=a%0d%0aInjected: 1",
		"OTEL_RESOURCE_ATTRIBUTES": "service.name=other,team=a%2Cb", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
	var logged strings.Builder
	c, err := otel("http://127.0.0.1:1", "1.2.3", func(n string) string { return env[n] },
		slog.New(slog.NewTextHandler(&logged, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if c.Service != "other" || c.Endpoint != "http://127.0.0.1:1/v1/traces" || c.Batch != 0 ||
		!slices.Contains(c.Resource, traces.Attribute{Key: "team", Text: "a,b"}) {
		t.Errorf("%+v", c)
	}
	if want := (http.Header{"Authorization": {"Bearer x"}, "X-Line": {"a  Injected: 1"}}); len(c.Header) != 2 ||
		c.Header.Get("Authorization") != "Bearer x" || c.Header.Get("X-Line") != want.Get("X-Line") {
		t.Errorf("the headers are %v", c.Header)
	}
	if !strings.Contains(logged.String(), "http/protobuf") {
		t.Error("nobody is told that it does not speak gRPC")
	}
	if _, err := otel("collector:4317", "", func(string) string { return "" }, slog.New(slog.DiscardHandler)); protocol.CodeOf(err) != 400 {
		t.Errorf("a URL that is none: %v", err)
	}
}

// TestTelemetryOff sees to it that nothing is there when nobody is told.
func TestTelemetryOff(t *testing.T) {
	got, err := OpenTelemetry(TelemetryConfig{Log: slog.New(slog.DiscardHandler)})
	if got != nil || err != nil {
		t.Fatalf("%v, %v", got, err)
	}
	if got.Handler() != nil || got.HTTP() != nil || got.Sockets() != nil || got.jobs() != nil || got.fronts() != nil ||
		got.made() != nil || got.Metrics() != nil {
		t.Error("something is observed")
	}
	got.observe(nil, nil, nil)
	got.Close()
}

// TestTelemetryAddress has addresses that cannot be.
func TestTelemetryAddress(t *testing.T) {
	first, err := OpenTelemetry(TelemetryConfig{Metrics: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.Handler() == nil {
		t.Error("there are no metrics")
	}
	for _, address := range []string{"nonsense", "127.0.0.1:99999", "203.0.113.1:1"} {
		if _, err := OpenTelemetry(TelemetryConfig{Metrics: address, Log: slog.New(slog.DiscardHandler)}); err == nil ||
			!strings.Contains(err.Error(), "--metrics") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
