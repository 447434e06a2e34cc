# The foreign clients of invoker/foreigntest: npm packages, and Node to run them.
# To be included by the Makefile; BUILD is where things are built.

BUILD ?= build
FOREIGN_MODULES := $(BUILD)/foreign/node_modules

# Where the tests look, if they are run by make; alone they look in build.
export POLYVOKE_FOREIGN ?= $(abspath $(FOREIGN_MODULES))

.PHONY: foreign-tools foreign-node

# foreign-tools installs what is missing. Nothing is done if all is there.
foreign-tools: foreign-node $(FOREIGN_MODULES)/.installed

# The stamp is newer than package.json when what that asks for is installed.
$(FOREIGN_MODULES)/.installed: invoker/foreigntest/package.json | foreign-node
	rm -rf $(FOREIGN_MODULES)
	mkdir -p $(BUILD)/foreign
	cp $< $(BUILD)/foreign/package.json
	cd $(BUILD)/foreign && npm install --no-package-lock --ignore-scripts --no-audit --no-fund
	touch $@

foreign-node:
	@command -v node >/dev/null && command -v npm >/dev/null || \
		{ apt-get update && apt-get install -y --no-install-recommends nodejs npm; } || \
		{ echo "install Node 18 or later, and npm, then run make foreign-tools" >&2; exit 1; }
