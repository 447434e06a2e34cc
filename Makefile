# make build  bin/polyvoke as it is released, with the runtimes of JavaScript and Lua in it, which it builds first
# make test   installs what is missing, then runs every test
# make check  what CI runs
# make bench  the benchmarks, in the format that benchstat reads
# make steady the service at work, for 2,000,000 calls
# make chaos  three invokers at work while things happen to them and to their server, for CHAOS_TIME: see docs/cluster.md
# make hostile  100,000 broken modules, and how late hostile calls end; an hour
# make bench-compare  measures polyvoke beside other ways to run a function
# make languages  the greeting in every language, through NATS; matrix and targets measure them: see languages.mk
# make runtimes, runtimes-check, languages-ci, samples, samples-check, sql, sql-test, spies, spies-check, leak, foreign-tools, bench-quick, bench-check: see the files *.mk

SHELL       := bash
.SHELLFLAGS := -o pipefail -c

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 10s
BUILD       ?= build
STEADY_CALLS ?= 2000000
CHAOS_TIME  ?= 10m
PLATFORMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# What is measured and what users get is optimized by a profile, cmd/polyvoke/default.pgo; to compile everything twice for that would only make the
# checks longer. The test that runs the command as a user does builds it with the profile.
export GOFLAGS := $(GOFLAGS) -pgo=off

.PHONY: build test check format vet staticcheck tidy bench-once bench hostile steady chaos fuzz cross clean-tree

build: embedded-runtimes
	go build -pgo=auto -trimpath -o bin/ ./cmd/polyvoke

include samples.mk languages.mk spies.mk foreign.mk bench.mk

# Every test runs under the race detector. moduletest and hostile run once more without, because they are then many times as thorough: of
# the engine's thousands of scripts, each compiled in several forms, and of what means harm, they otherwise take a share.
test: foreign-tools samples-tools sql
	SQL_WASM=$(abspath $(BUILD))/samples/sql.wasm SAMPLES_TOOLS=$(samples_tools) go test -race -tags sql -timeout 20m ./...
	go test -timeout 20m ./runtimes/module/moduletest ./runtimes/wasi/hostiletest

check: format vet staticcheck tidy samples-check spies-check test languages-ci runtimes-check bench-once bench-check fuzz cross clean-tree
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

# One call of a C function in process and through NATS, beside a native Go echo; see invoker/bench_test.go. A hundred edits of a
# function in C and of one in Go under load, by polyvoke dev.
bench:
	go test -run '^$$' -bench 'BenchmarkInvoke|BenchmarkCall' -benchtime 2s -timeout 30m ./invoker
	go test -run '^$$' -bench . -timeout 30m ./runtimes/...
	go test -run '^$$' -bench Dev -benchtime 100x ./cmd/internal/devloop

# All of what means harm: 100,000 modules that are broken somewhere, and how late calls end that do not end by themselves.
hostile:
	go test -run TestMutants -v -timeout 60m ./runtimes/wasi/hostiletest -mutants 100000
	go test -run '^$$' -bench Hostile -benchtime 3x -timeout 120m ./runtimes/wasi/hostiletest -all

# Every call must end as it should, and the process must hold no more in the end than after three tenths.
steady:
	STEADY_CALLS=$(STEADY_CALLS) go test -count 1 -timeout 3h -v -run TestSteady ./invoker/loadtest

# All must be well again within 5 s of the end of each fault.
chaos:
	CHAOS_TIME=$(CHAOS_TIME) CHAOS_RECOVERY=$(or $(CHAOS_RECOVERY),5s) go test -count 1 -timeout 3h -v -run 'TestChaos$$' ./cmd/polyvoke

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
