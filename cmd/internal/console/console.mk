# The console in a real browser: needs Chromium (apt-get install chromium), and gets axe-core from npm.

AXE := build/axe/package/axe.min.js

$(AXE):
	mkdir -p build/axe
	cd build/axe && npm pack --silent axe-core@4.14.1 && tar xzf axe-core-4.14.1.tgz package/axe.min.js

# console-check tries all views, and writes pictures of them to build/console.
.PHONY: console-check
console-check: $(AXE)
	$(GO) test -tags frontdoor -run 'Browser|Script' ./cmd/internal/console/
