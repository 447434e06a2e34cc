# The comparison of ways to run a function, in the module cmd/bench: its README says what it needs.
# To be included by the Makefile; BUILD is where things are built.

BENCH_FLAGS := -build $(abspath $(BUILD))/bench -tools $(samples_tools) -runtimes $(runtimes_dir)

# The interpreters of the suite compute. Without them, as in quick runs, its scripts are left out, and the report says so.
bench_scripts := javascript python lua ruby

.PHONY: bench-compare bench-quick bench-check pgo

# bench-compare measures everything and writes docs/benchmarks.md and its plot. It takes 20 minutes, or an hour if
# nothing is built yet.
bench-compare: languages-tools foreign-node $(bench_scripts:%=$(runtimes_dir)/%.runtime.zip)
	go -C cmd/bench run -pgo=auto . $(BENCH_FLAGS)

# bench-quick measures a little of everything, to see that all works; the report is in $(BUILD)/bench.
bench-quick: samples-tools foreign-node
	go -C cmd/bench run . $(BENCH_FLAGS) -quick

# pgo measures where polyvoke's processor time goes while it answers through NATS, and writes that down for `go build`, which optimizes by it
# (https://go.dev/doc/pgo). It takes 2 minutes. cmd/bench is built by the same profile, whatever it compares.
pgo: samples-tools foreign-node
	go -C cmd/bench run . $(BENCH_FLAGS) -suite nats -only polyvoke -profile ../polyvoke/default.pgo

# bench-check is the part of make check: the module's own checks, and a quick run of polyvoke beside what it
# is compared to first.
bench-check: samples-tools foreign-node
	go -C cmd/bench mod tidy -diff
	go -C cmd/bench vet ./...
	cd cmd/bench && go run $(STATICCHECK) ./...
	go -C cmd/bench test -race ./internal/measure ./internal/worker ./internal/pipeline ./internal/suite ./internal/guest ./internal/profile
	go -C cmd/bench test ./...
	go -C cmd/bench run . $(BENCH_FLAGS) -quick -only polyvoke
