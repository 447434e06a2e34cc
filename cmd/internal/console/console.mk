# The console in a real browser: needs Chromium, and gets axe-core from npm.
# To be included by the Makefile after cmd/internal/service/frontdoor.mk, which installs what is missing.

AXE_CORE := axe-core@4.14.1

axe := $(BUILD)/axe/package/axe.min.js

$(axe): cmd/internal/console/console.mk | frontdoor-system
	rm -rf $(BUILD)/axe
	mkdir -p $(BUILD)/axe
	cd $(BUILD)/axe && npm pack --silent $(AXE_CORE) && tar xzmf axe-core-*.tgz package/axe.min.js

# console-check tries all views, and writes pictures of them to build/console.
.PHONY: console-check
console-check: $(axe)
	go test -tags frontdoor -count 1 -timeout 10m -run 'Browser|Script' ./cmd/internal/console
