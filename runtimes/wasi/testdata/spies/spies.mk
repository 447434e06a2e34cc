# The spies that try to carry secrets from call to call: `make spies` rebuilds the committed modules,
# `make spies-check` tells whether they are what the sources give, `make leak` sends each of them LEAK_CALLS times
# into each start kind, under the race detector. They need the C and Rust of samples/samples.mk.
# runtimes/wasi/testdata/spies/README.md says more.

LEAK_CALLS ?= 10000

spies_dir  := runtimes/wasi/testdata/spies
spies_wasm := c/spy.wasm rust/spy.wasm

.PHONY: spies spies-check leak

# spies rebuilds the committed modules in place.
spies: samples-tools
	@set -e; for wasm in $(spies_wasm); do \
	  echo "$(spies_dir)/$$wasm"; \
	  $(spies_dir)/$${wasm%/*}/build.sh $(spies_dir)/$$wasm; \
	done

# spies-check builds them elsewhere and compares byte for byte.
spies-check: samples-tools
	@set -e; for wasm in $(spies_wasm); do \
	  mkdir -p $(BUILD)/spies/$${wasm%/*}; \
	  $(spies_dir)/$${wasm%/*}/build.sh $(abspath $(BUILD))/spies/$$wasm; \
	  cmp $(BUILD)/spies/$$wasm $(spies_dir)/$$wasm || { echo "$(spies_dir)/$$wasm is not what its source gives: run make spies" >&2; exit 1; }; \
	  echo "same: $(spies_dir)/$$wasm"; \
	done

leak:
	LEAK_CALLS=$(LEAK_CALLS) go test -race -count 1 -timeout 2h -v -run 'TestLeak|TestSpies' ./runtimes/wasi
