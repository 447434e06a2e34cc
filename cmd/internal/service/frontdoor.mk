# Programs of others that try the front door: an authority that issues certificates, load, a reader of the interface's description, a browser,
# and Prometheus' own checks. To be included by the Makefile; BUILD is where things are built.

BUILD ?= build

PEBBLE       := github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3
VEGETA       := github.com/tsenart/vegeta/v12@v12.13.0
SCHEMATHESIS := schemathesis==4.32.5

frontdoor_tools := $(abspath $(BUILD))/frontdoor

# What Debian has of it, and what shows that it is there.
frontdoor_debian := chromium curl npm prometheus python3 python3-venv wrk
frontdoor_there  := command -v chromium && command -v curl && command -v npm && command -v promtool && command -v wrk && \
                    python3 -c 'import ensurepip'

# Where the tests look, if they are run by make; alone they look in build.
export FRONTDOOR_TOOLS ?= $(frontdoor_tools)

.PHONY: frontdoor-tools frontdoor-check frontdoor-system acme-check door-check

# frontdoor-check runs all tests that need such programs. It takes three minutes once they are installed.
frontdoor-check: acme-check telemetry-check console-check door-check

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
	@{ $(frontdoor_there); } >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $(frontdoor_debian); } || \
		{ echo "make frontdoor-check needs Chromium, curl, npm, promtool (of Prometheus), wrk, and Python 3 with venv:" >&2; \
		echo "install them (on Debian, as root: apt-get install $(frontdoor_debian)), then run it again" >&2; exit 1; }
