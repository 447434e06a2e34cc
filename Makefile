# make test   installs what is missing, then runs every test
# make check  what CI runs
# make bench  the benchmarks, in the format that benchstat reads
# make bench-compare  measures polyvoke beside other ways to run a function
# make samples, samples-check, sql, sql-test, foreign-tools, bench-quick, bench-check: see samples.mk, foreign.mk and bench.mk

SHELL       := bash
.SHELLFLAGS := -o pipefail -c

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
BUILD       ?= build
PLATFORMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.PHONY: build test check format vet staticcheck tidy bench-once bench fuzz cross clean-tree

build:
	go build -trimpath -o bin/ ./cmd/polyvoke

include samples.mk foreign.mk bench.mk

# The packages in PLAIN compile large modules, or run the command as a process of its own. Under the race
# detector they take about ten times as long; what they use has race tests in its own package.
PLAIN := ./samples/... ./runtimes/module/moduletest ./cmd/polyvoke

test: foreign-tools sql
	go test -race -timeout 20m $$(go list ./... | grep -vE '/samples|/moduletest$$|/cmd/polyvoke$$')
	SQL_WASM=$(abspath $(BUILD))/samples/sql.wasm go test -tags sql -timeout 20m $(PLAIN)

check: format vet staticcheck tidy samples-check test bench-once bench-check fuzz cross clean-tree
	@echo "make check: all is well"

format:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt -w these:"; echo "$$files"; exit 1; }

vet:
	go vet ./...

staticcheck:
	go run $(STATICCHECK) ./...

tidy:
	go mod tidy -diff
	go mod verify

# Each benchmark runs once, so that none rots.
bench-once:
	go test -run '^$$' -bench . -benchtime 1x ./...

# One call of a C function in process and through NATS, beside a native Go echo; see invoker/bench_test.go.
bench:
	go test -run '^$$' -bench 'BenchmarkInvoke|BenchmarkCall' -benchtime 2s -timeout 30m ./invoker
	go test -run '^$$' -bench . -timeout 30m ./runtimes/...

# Each fuzzer runs for FUZZTIME.
fuzz:
	.ci/fuzz $(FUZZTIME)

cross:
	@set -e; for p in $(PLATFORMS); do \
	  echo "build $$p"; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null ./cmd/polyvoke; \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./protocol ./runtimes/... ./invoker/...; \
	done

# Nothing above may leave a trace in the tree.
clean-tree:
	@changes=$$(git status --porcelain); [ -z "$$changes" ] || { echo "the tree has changed:"; echo "$$changes"; exit 1; }
