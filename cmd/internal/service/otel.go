package service

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/polyvoke/polyvoke/invoker/telemetry/traces"
	"github.com/polyvoke/polyvoke/protocol"
)

// CheckOTLP returns what is wrong with the URL of a collector. The error's code is 400.
func CheckOTLP(base string) error {
	_, err := traces.TracesURL(base)
	return err
}

// otel returns where spans of traces go, as a URL and OpenTelemetry's variables say
// (opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables).
func otel(base, version string, env func(string) string, log *slog.Logger) (*traces.Config, error) {
	endpoint, err := traces.TracesURL(base)
	if err != nil {
		return nil, err
	}
	spoken := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), env("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if spoken != "" && spoken != "http/protobuf" {
		log.Warn("traces go to the collector by http/protobuf, which it may not expect",
			"OTEL_EXPORTER_OTLP_PROTOCOL", protocol.CleanValue(spoken, 40))
	}
	name, resource := resourceOf(env)
	host, _ := os.Hostname() // "" is as good as it gets then
	resource = append(resource, traces.Attribute{Key: "host.name", Text: host},
		traces.Attribute{Key: "process.pid", Int: int64(os.Getpid())})
	headers := cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_HEADERS"), env("OTEL_EXPORTER_OTLP_HEADERS"))
	delay, _ := strconv.Atoi(env("OTEL_BSP_SCHEDULE_DELAY")) // milliseconds; 0 is the default
	return &traces.Config{Endpoint: endpoint, Batch: time.Duration(max(0, min(delay, 60_000))) * time.Millisecond, Service: name,
		Instance: uuid.NewString(), Version: version, Resource: resource, Header: headersOf(headers), Log: log}, nil
}

// mostPairs is how many pairs of a variable are read.
const mostPairs = 64

// pairs returns the pairs KEY=VALUE,KEY=VALUE of a variable, whose values are escaped as in URLs (W3C Baggage). What is
// no pair is left out.
func pairs(s string) (all [][2]string) {
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		key = strings.TrimSpace(key)
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if ok && key != "" && utf8.ValidString(key) && err == nil && value != "" && len(all) < mostPairs {
			all = append(all, [2]string{key, protocol.CleanValue(value, protocol.MaxErrorText)})
		}
	}
	return all
}

// resourceOf returns what OpenTelemetry's variables say of the service.
func resourceOf(env func(string) string) (name string, all []traces.Attribute) {
	for _, p := range pairs(env("OTEL_RESOURCE_ATTRIBUTES")) {
		if p[0] == "service.name" {
			name = p[1]
			continue
		}
		all = append(all, traces.Attribute{Key: p[0], Text: p[1]})
	}
	return cmp.Or(env("OTEL_SERVICE_NAME"), name), all
}

// headersOf returns the headers of a variable.
func headersOf(s string) http.Header {
	h := http.Header{}
	for _, p := range pairs(s) {
		h.Add(p[0], p[1])
	}
	return h
}
