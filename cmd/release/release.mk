# What a version of polyvoke is published as, built by the module cmd/release.
# To be included by the Makefile; BUILD is where things are built.

release_dir := $(abspath $(BUILD))/release

# The platforms for which release-check builds once more, from nothing.
REPRODUCE ?= linux/amd64

.PHONY: release release-check

# release builds archives of the command for all PLATFORMS, an image, a bill of materials and checksums into $(BUILD)/release. The runtimes
# of scripts that `make runtimes` has built are part of it. VERSION=v1.2.3 is for a work tree without Git's tags.
release: embedded-runtimes
	go -C cmd/release run . -out $(release_dir) -runtimes $(runtimes_dir) -platforms "$(PLATFORMS)" -version "$(VERSION)"

# release-check tests what release has built, runs the image as a process, and checks that a copy of the tree in another folder gives the same
# bytes with an empty build cache.
release-check: release
	go -C cmd/release mod tidy -diff
	go -C cmd/release vet ./...
	cd cmd/release && go run $(STATICCHECK) ./...
	RELEASE=$(release_dir) go -C cmd/release test -count=1 ./...
	cmd/release/again.sh $(release_dir) "$(REPRODUCE)" "$(VERSION)"
