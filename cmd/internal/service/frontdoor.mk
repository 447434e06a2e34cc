# Programs of others that try the front door: an authority that issues certificates, load, a reader of the interface's description, a browser,
# and Prometheus' own checks. To be included by the Makefile; BUILD is where things are built.

BUILD ?= build

PEBBLE       := github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3
VEGETA       := github.com/tsenart/vegeta/v12@v12.13.0
SCHEMATHESIS := schemathesis==4.32.5

frontdoor_tools := $(abspath $(BUILD))/frontdoor

# What Debian has of it, each with the command that shows whether it is there.
frontdoor_debian := chromium:chromium curl:curl npm:npm prometheus:promtool python3:python3 wrk:wrk

# Where the tests look, if they are run by make; alone they look in build.
export FRONTDOOR_TOOLS ?= $(frontdoor_tools)

.PHONY: frontdoor-tools frontdoor-check frontdoor-system acme-check door-check

# frontdoor-check runs all tests that need such programs. It takes three minutes once they are installed.
frontdoor-check: acme-check telemetry-check console-check door-check todo-check

# acme-check has certificates issued.
acme-check: frontdoor-tools
	go test -tags frontdoor -count 1 -timeout 10m -run 'TestACME' ./cmd/internal/frontdoor

# door-check asks a polyvoke by HTTP.
door-check: frontdoor-tools
	go test -tags frontdoor -count 1 -timeout 10m -run 'TestFrontDoorTools' ./cmd/polyvoke

# frontdoor-tools installs what is missing.
frontdoor-tools: frontdoor-system $(frontdoor_tools)/.go $(frontdoor_tools)/.python

$(frontdoor_tools)/.go: cmd/internal/service/frontdoor.mk
	mkdir -p $(@D)
	GOFLAGS= GOBIN=$(@D) go install $(PEBBLE)
	GOFLAGS= GOBIN=$(@D) go install $(VEGETA)
	touch $@

$(frontdoor_tools)/.python: cmd/internal/service/frontdoor.mk | frontdoor-system
	rm -rf $(@D)/python
	python3 -m venv $(@D)/python
	$(@D)/python/bin/pip install --quiet --disable-pip-version-check $(SCHEMATHESIS)
	touch $@

frontdoor-system:
	@missing=; \
	for p in $(frontdoor_debian); do command -v $${p#*:} >/dev/null || missing="$$missing $${p%:*}"; done; \
	python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; } || \
		{ echo "make frontdoor-check needs these packages of Debian, or what they are called elsewhere:$$missing" >&2; exit 1; }
