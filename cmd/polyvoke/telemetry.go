package main

import (
	"cmp"
	"log/slog"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// telemetryOptions are what the flags of telemetry say.
type telemetryOptions struct {
	metrics, otlp string
	sample        float64
}

// addTo adds the flags. OpenTelemetry's variables are read by complete.
func (o *telemetryOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.metrics, "metrics", "",
		"HOST:PORT where Prometheus can read /metrics; without HOST only this machine can")
	f.StringVar(&o.otlp, "otlp", "",
		"URL of a collector of OpenTelemetry for traces, by OTLP over HTTP [OTEL_EXPORTER_OTLP_ENDPOINT]")
	f.Float64Var(&o.sample, "trace-sample", 1,
		"share of the traces that begin here and are kept, from 0 to 1 [OTEL_TRACES_SAMPLER_ARG]")
	_ = cmd.RegisterFlagCompletionFunc("metrics", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("otlp", cobra.NoFileCompletions)
	_ = cmd.RegisterFlagCompletionFunc("trace-sample", cobra.NoFileCompletions)
}

// complete takes what the flags do not say from OpenTelemetry's variables, and refuses what means nothing.
func (o *telemetryOptions) complete(cmd *cobra.Command, env func(string) string) error {
	if o.metrics != "" {
		if _, _, err := net.SplitHostPort(o.metrics); err != nil {
			return usageError(cmd, "--metrics %q: use HOST:PORT or :PORT", o.metrics)
		}
	}
	flags := cmd.Flags()
	if !flags.Changed("otlp") && env("OTEL_SDK_DISABLED") != "true" && env("OTEL_TRACES_EXPORTER") != "none" {
		o.otlp = cmp.Or(env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), env("OTEL_EXPORTER_OTLP_ENDPOINT"))
	}
	if o.otlp != "" {
		if err := service.CheckOTLP(o.otlp); err != nil {
			return usageError(cmd, "--otlp: %v", err)
		}
	}
	sampler := env("OTEL_TRACES_SAMPLER")
	if !flags.Changed("trace-sample") && o.otlp != "" {
		switch strings.TrimPrefix(sampler, "parentbased_") {
		case "always_off":
			o.sample = 0
		case "traceidratio":
			if arg := env("OTEL_TRACES_SAMPLER_ARG"); arg != "" {
				ratio, err := strconv.ParseFloat(arg, 64)
				if err != nil {
					return usageError(cmd, "OTEL_TRACES_SAMPLER_ARG %q is not a number from 0 to 1", arg)
				}
				o.sample = ratio
			}
		}
	}
	if !(o.sample >= 0 && o.sample <= 1) {
		return usageError(cmd, "--trace-sample %v must be from 0 to 1", o.sample)
	}
	return nil
}

// open begins to tell what a service does.
func (o *telemetryOptions) open(env func(string) string, log *slog.Logger, count bool) (*service.Telemetry, error) {
	return service.OpenTelemetry(service.TelemetryConfig{Count: count, Metrics: o.metrics, OTLP: o.otlp, Sample: o.sample,
		Version: version(), Env: env, Log: log})
}
