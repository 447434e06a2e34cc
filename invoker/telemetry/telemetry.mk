# Alerts and metrics by Prometheus' own tool: needs promtool (apt-get install prometheus).

# telemetry-check checks deploy/prometheus, and the names of all metrics.
.PHONY: telemetry-check
telemetry-check:
	go test -tags frontdoor -run 'TestRules|TestLint' ./invoker/telemetry/
