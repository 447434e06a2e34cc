# Programs of others that try the front door: an authority that issues certificates, load, and a reader of the interface's description.
# To be included by the Makefile; BUILD is where things are built.

BUILD ?= build

PEBBLE       := github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.3
VEGETA       := github.com/tsenart/vegeta/v12@v12.13.0
SCHEMATHESIS := schemathesis==4.32.5

frontdoor_tools := $(abspath $(BUILD))/frontdoor

# Where the tests look, if they are run by make; alone they look in build.
export FRONTDOOR_TOOLS ?= $(frontdoor_tools)

.PHONY: frontdoor-tools frontdoor-check frontdoor-system

# frontdoor-check asks a polyvoke by HTTP with all of them. It takes two minutes once they are installed.
frontdoor-check: frontdoor-tools
	go test -tags frontdoor -count 1 -timeout 10m -run 'TestACME' ./cmd/internal/frontdoor
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
	@{ command -v wrk && command -v curl && python3 -c 'import ensurepip'; } >/dev/null 2>&1 || \
		{ apt-get update && apt-get install -y --no-install-recommends wrk curl python3 python3-venv; } || \
		{ echo "install wrk, curl, and Python 3 with venv, then run make frontdoor-tools" >&2; exit 1; }
