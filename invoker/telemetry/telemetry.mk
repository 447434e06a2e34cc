# Alerts and metrics by Prometheus' own tool, promtool.
# To be included by the Makefile after cmd/internal/service/frontdoor.mk, which installs what is missing.

# telemetry-check checks deploy/prometheus, and the names of all metrics.
.PHONY: telemetry-check
telemetry-check: frontdoor-system
	go test -tags frontdoor -count 1 -run 'TestRules|TestLint' ./invoker/telemetry
