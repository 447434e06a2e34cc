# make build  bin/polyvoke as it is released, with the runtimes of JavaScript and Lua in it, which it builds first
# make test   installs what is missing, then runs every test
# make check  what CI runs
# make release  what a version is published as, in build/release: archives for all PLATFORMS, a container image, a bill of materials, checksums
# make bench  the benchmarks, in the format that benchstat reads
# make steady the service at work, for 2,000,000 calls
# make chaos  three invokers at work while things happen to them and to their server, for CHAOS_TIME: see docs/cluster.md
# make soak   100,000 durable calls while invokers and their server are killed: see docs/jobs.md
# make increments  64 writers increment one key 1,000 times each, by jobs, while invokers and their server are killed
# make hostile  100,000 broken modules, and how late hostile calls end; an hour
# make bench-compare  measures polyvoke beside other ways to run a function
# make languages  the greeting in every language, through NATS; matrix and targets measure them: see runtimes/script/languages.mk
# make frontdoor-check, release-check, runtimes, runtimes-check, languages-ci, samples, samples-check, sql, sql-test, spies, spies-check, leak, foreign-tools, bench-quick, bench-check: see the files *.mk

SHELL       := bash
.SHELLFLAGS := -o pipefail -c

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOTESTSUM   := gotest.tools/gotestsum@v1.13.0
FUZZTIME    ?= 5s
BUILD       ?= build
STEADY_CALLS ?= 2000000
CHAOS_TIME  ?= 10m
LEDGER_JOBS ?= 100000
PLATFORMS   := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

# What CI has of a release: what its image is made of. `make release-check` has all.
check: PLATFORMS := linux/amd64 linux/arm64
# What is compiled beside it: with these, each file of ours is compiled for a platform that it is for.
CROSS       := darwin/arm64 windows/amd64

# What is measured and what users get is optimized by a profile, cmd/polyvoke/default.pgo; to compile everything twice for that would only make the
# checks longer. The test that runs the command as a user does builds it with the profile.
export GOFLAGS := $(GOFLAGS) -pgo=off

# What needs more than Go to be tested has a build tag, so that `go test ./...` passes in a fresh clone without anything else: programs of npm for
# Node, C compilers, SQLite. tags_test.go finds tags that are forgotten here.
TAGS := foreign toolchain sql

# What else is read, if not run by `make test`: frontdoor-check runs it.
ALL_TAGS := $(TAGS) frontdoor

# The engine's compiler runs without the race detector, under which a test that compiles modules takes twice the processor time: it is not ours,
# shares nothing with our code, and its own project tests it so. All else of the engine is watched: what runs modules, decodes and keeps them.
engine := github.com/tetratelabs/wazero/internal/engine/wazevo
RACE   := -race $(foreach p,backend/... frontend ssa,-gcflags=$(engine)/$(p)=-race=false)

# A program under the race detector otherwise sleeps for a second when it ends, lest it miss a race of its last moment, and the tests start
# a thousand programs.
export GORACE ?= atexit_sleep_ms=20

.PHONY: build test portable-check check format vet staticcheck tidy bench-once bench hostile steady chaos soak increments fuzz cross clean-tree embedded-runtimes

# What is in the binary besides its sources is built before it.
build: embedded-runtimes
	CGO_ENABLED=0 go build -pgo=auto -trimpath -o bin/ ./cmd/polyvoke

include cmd/internal/service/frontdoor.mk cmd/internal/console/console.mk invoker/telemetry/telemetry.mk
include samples/samples.mk runtimes/script/languages.mk runtimes/wasi/testdata/spies/spies.mk
include invoker/foreigntest/foreign.mk cmd/bench/bench.mk cmd/release/release.mk

# The packages whose tests take longest begin first, so that no processor waits for them in the end.
SLOW := ./runtimes/wasi ./runtimes/module/moduletest ./cmd/polyvoke ./runtimes/wasi/hostiletest ./samples ./runtimes/tiered ./invoker/registry

# One package more than there are processors: some tests wait most of the time for processes and their ends.
packages := $(shell echo $$(( $$(nproc) + 1 )))

# Every test runs under the race detector. moduletest and hostile run once more without, because they are then many times as thorough: of
# the engine's thousands of scripts, each compiled in several forms, and of what means harm, they otherwise take a share.
# Vet is a check of its own: to have it done for each way of compiling only takes time.
#
# On CI (CI=true), a test that fails runs once more by itself, up to three of them and never after a data race. One that passes then is flaky:
# it does not stop a change that has nothing to do with it, but it is listed at the end, and is to be mended.
test: foreign-tools samples-tools sql
	SQL_WASM=$(abspath $(BUILD))/samples/sql.wasm SQL_SHELL=$(abspath $(BUILD))/samples/sqlshell.wasm SAMPLES_TOOLS=$(samples_tools) go run $(GOTESTSUM) --format standard-quiet \
	  --rerun-fails=$(if $(CI),1,0) --rerun-fails-max-failures=3 --rerun-fails-abort-on-data-race --rerun-fails-report=$(BUILD)/flaky.txt \
	  --packages "$(SLOW) ./..." -- -p $(packages) $(RACE) -vet=off -tags "$(TAGS)" -timeout 40m
	go test -vet=off -timeout 40m ./runtimes/module/moduletest ./runtimes/wasi/hostiletest

# The build that uses nothing of the engine but its public interface, in a short form: see runtimes/wasi/native/README.md. What is not possible
# there the tests skip; go test -tags portable ./runtimes/wasi/... runs all of them.
portable-check:
	go vet -tags portable ./runtimes/wasi/... ./cmd/polyvoke
	go test -tags portable ./runtimes/wasi/native ./runtimes/wasi/fuel
	go test -tags portable -run '$(portable_tests)' ./runtimes/wasi

portable_tests := ^Test(Conformance|Start|Choice|VariesRefused|KindAfterEndings|FuelOfKinds|Leak|Refused|Rest|Reactor|Wizer)$$

check: format vet staticcheck tidy samples-check spies-check test portable-check languages-ci runtimes-check frontdoor-check bench-once bench-check fuzz release-check cross clean-tree
	@echo "make check: all is well"

format:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt -w these:"; echo "$$files"; exit 1; }

vet:
	go vet -tags "$(ALL_TAGS)" ./...

staticcheck:
	go run $(STATICCHECK) -tags "$(ALL_TAGS)" ./...

tidy:
	go mod tidy -diff
	go mod verify

# Each benchmark runs once, so that none rots, and with as many packages at a time as there are processors: the figures mean nothing.
bench-once:
	.ci/bench-once "$(TAGS)"

# One call of a C function in process and through NATS, beside a native Go echo; see invoker/bench_test.go. A hundred edits of a
# function in C and of one in Go under load, by polyvoke dev.
bench:
	go test -run '^$$' -bench 'BenchmarkInvoke|BenchmarkCall' -benchtime 2s -timeout 30m ./invoker
	go test -run '^$$' -bench . -timeout 30m ./runtimes/...
	go test -tags toolchain -run '^$$' -bench Dev -benchtime 100x ./cmd/internal/devloop

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

# 100,000 jobs of six functions, while invokers and the server are killed; then three servers, whose leader is killed: every accepted job must
# have exactly one outcome. Half an hour.
soak:
	LEDGER_JOBS=$(LEDGER_JOBS) LEDGER_KILLS=600 LEDGER_SERVER_KILLS=5 LEDGER_TIME=40m JOBS_CLUSTER_KILLS=10 \
	  go test -count 1 -timeout 2h -v -run 'TestLedger|TestJobsCluster' ./cmd/polyvoke
	LEDGER_MEDDLE=1 LEDGER_JOBS=20000 LEDGER_KILLS=100 LEDGER_SERVER_KILLS=2 LEDGER_TIME=20m \
	  go test -count 1 -timeout 1h -v -run TestLedger ./cmd/polyvoke

increments:
	INCREMENTS_EACH=1000 INCREMENTS_KILLS=600 INCREMENTS_SERVER_KILLS=2 INCREMENTS_TIME=40m \
	  go test -count 1 -timeout 1h -v -run TestIncrements ./cmd/polyvoke

# Each fuzzer runs for FUZZTIME.
fuzz:
	.ci/fuzz $(FUZZTIME)

# All packages, and the tests of what is not the command, are compiled for other platforms, and the command is linked. Without
# optimization that takes half the time.
cross:
	@set -e; for p in $(CROSS); do \
	  echo "build and vet $$p"; \
	  export CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/}; \
	  go build -gcflags='all=-N -l' ./...; \
	  go build -gcflags='all=-N -l' -o $(BUILD)/cross/$$p/ ./cmd/polyvoke; \
	  go vet -gcflags='all=-N -l' ./protocol ./runtimes/... ./invoker/...; \
	done

# Nothing above may leave a trace in the tree.
clean-tree:
	@changes=$$(git status --porcelain); [ -z "$$changes" ] || { echo "the tree has changed:"; echo "$$changes"; exit 1; }
