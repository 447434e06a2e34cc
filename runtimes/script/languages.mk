# All languages: the interpreters of scripts, the greeting in each language through NATS, and what each costs.
# To be included by the Makefile after samples/samples.mk; BUILD is where things are built. All of it works on Debian 12 as root.

languages_dir  := $(abspath $(BUILD))/languages
runtimes_dir   := $(abspath $(BUILD))/runtimes
runtimes_all   := $(patsubst runtimes/script/recipe/%/build.sh,%,$(wildcard runtimes/script/recipe/*/build.sh))
recipe_shared  := $(wildcard runtimes/script/recipe/*.sh runtimes/script/recipe/shared/*)
polyvoke       := $(abspath $(BUILD))/polyvoke

# A folder of samples/greet with a build.sh is compiled; any other is a script.
greet_all      := $(notdir $(patsubst %/,%,$(wildcard samples/greet/*/)))
greet_compiled := $(patsubst samples/greet/%/build.sh,%,$(wildcard samples/greet/*/build.sh))
greet_scripts  := $(filter-out $(greet_compiled),$(greet_all))

# Those whose tools install in minutes.
ci_compiled    := go c cpp rust zig as nim d
ci_scripts     := js ts lua micropython sql tcl awk jq mruby scheme
# Their interpreters are built two at a time, since most recipes keep one processor busy: those first that take longest.
ci_interpreters = mruby $(filter-out mruby,$(call interpreters,$(ci_scripts)))

# of names the interpreters of scripts by their folders.
interpreters    = $(patsubst ts,typescript,$(patsubst js,javascript,$(1)))

.PHONY: runtimes runtimes-check scripts-test languages languages-ci languages-test matrix targets languages-tools polyvoke-tool

# runtimes builds or collects the interpreters of all scripts, $(BUILD)/runtimes/NAME.runtime.zip.
runtimes: $(runtimes_all:%=$(runtimes_dir)/%.runtime.zip)

# What a released polyvoke has in it. All that is built after embedded-runtimes has it: git ignores the files.
embedded_names := javascript lua
embedded_dir   := cmd/internal/interpreters/embedded

.PHONY: embedded-runtimes no-embedded-runtimes
embedded-runtimes: $(embedded_names:%=$(runtimes_dir)/%.runtime.zip)
	@for name in $(embedded_names); do \
	  cmp -s $(runtimes_dir)/$$name.runtime.zip $(embedded_dir)/$$name.runtime.zip || cp $(runtimes_dir)/$$name.runtime.zip $(embedded_dir)/; \
	done

no-embedded-runtimes:
	rm -f $(embedded_dir)/*.runtime.zip

polyvoke-tool:
	@go build -o $(polyvoke) ./cmd/polyvoke

define runtime_rule
$(runtimes_dir)/$(1).runtime.zip: $(shell find runtimes/script/recipe/$(1) -type f) $(recipe_shared) | polyvoke-tool
	$(polyvoke) runtime build --into $(runtimes_dir) --tools $(samples_tools) $(1)
endef
$(foreach name,$(runtimes_all),$(eval $(call runtime_rule,$(name))))
# The recipe of TypeScript follows the one of JavaScript, in the same folder: they must not do so at the same time.
$(runtimes_dir)/typescript.runtime.zip: $(wildcard runtimes/script/recipe/javascript/*) | $(runtimes_dir)/javascript.runtime.zip

# runtimes-check builds two of them twice, the second time with other folders from the start, and compares.
runtimes-check: $(runtimes_dir)/lua.runtime.zip $(runtimes_dir)/javascript.runtime.zip
	@set -e; again=$$(mktemp -d); trap 'rm -rf "$$again"' EXIT; for name in lua javascript; do \
	  $(polyvoke) runtime build --into $$again --tools $$again/tools $$name; \
	  cmp $$again/$$name.runtime.zip $(runtimes_dir)/$$name.runtime.zip; \
	  echo "same: $$name.runtime.zip"; \
	done

# The modules of compiled languages, and beside each how many milliseconds its build took.
define greet_rule
$(languages_dir)/$(1).wasm: $(shell find samples/greet/$(1) -type f -not -name '*.wasm') | $(if $(filter $(1),$(ci_compiled)),samples-tools,languages-tools)
	@mkdir -p $(languages_dir)
	begin=$$$$(date +%s%N); $(samples_env) M2=$(samples_tools)/m2 $(if $(filter ocaml swift,$(1)),CACHE=$(samples_tools)) samples/greet/$(1)/build.sh $$@.new && \
	  echo $$$$((($$$$(date +%s%N) - begin) / 1000000)) >$(languages_dir)/$(1).ms && mv $$@.new $$@
endef
$(foreach name,$(greet_compiled),$(eval $(call greet_rule,$(name))))

# The modules of the samples that draw a random number and do not read their request, by the greeting's build.sh.
quote_source    = $(firstword $(wildcard samples/quote/$(1)/quote.* samples/quote/$(1)/main.go samples/quote/$(1)/src/Quote.*))
define quote_rule
$(languages_dir)/quote-$(1).wasm: $(shell find samples/quote/$(1) -type f) $(languages_dir)/$(1).wasm
	$(samples_env) M2=$(samples_tools)/m2 $(if $(filter ocaml swift,$(1)),CACHE=$(samples_tools)) samples/greet/$(1)/build.sh $$@.new $(call quote_source,$(1)) && mv $$@.new $$@
endef
$(foreach name,$(greet_compiled),$(eval $(call quote_rule,$(name))))

languages-tools: samples-tools
	@samples/tools.sh $(samples_tools) languages

# languages_needs says what must be built for the samples that are named.
languages_needs  = $(patsubst %,$(languages_dir)/%.wasm,$(filter $(greet_compiled),$(1))) \
                   $(patsubst %,$(languages_dir)/quote-%.wasm,$(filter $(greet_compiled),$(1))) \
                   $(patsubst %,$(runtimes_dir)/%.runtime.zip,$(call interpreters,$(filter $(greet_scripts),$(1))))
scripts_run      = INTERPRETERS="$(1)" COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -tags runtimes -count=1 -timeout 60m -run 'TestScripts$$' ./samples
languages_run    = LANGUAGES="$(1)" MODULES=$(languages_dir) COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) $(samples_env) go test -tags languages -count=1 -timeout 60m

# The samples on files of the back end.
granted_tests   := TestCounter|TestGuestbook|TestShop|TestThumbnailer|TestResizeProxy|TestTodo

# languages builds the greeting in every language and has each answer the same requests through NATS; and a program that draws a random number.
languages: $(call languages_needs,$(greet_all))
	$(call languages_run,$(greet_all)) -run 'TestLanguages$$|TestQuotes$$' ./samples
	COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -count=1 -timeout 20m -run '$(granted_tests)' ./samples
	RUNTIMES=$(runtimes_dir) SAMPLES_TOOLS=$(samples_tools) go test -tags runtimes -count=1 -timeout 60m -run 'TestScriptLanguages|TestLargeLanguages|TestTodoStory' ./cmd/polyvoke

# languages-ci is the same for those of which the tools install in minutes.
languages-ci: $(call languages_needs,$(ci_compiled))
	$(MAKE) -j2 -Otarget $(ci_interpreters:%=$(runtimes_dir)/%.runtime.zip)
	go vet -tags languages ./samples
	go vet -tags runtimes ./samples
	$(call scripts_run,$(call interpreters,$(ci_scripts)))
	COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -tags runtimes -count=1 -timeout 20m -run 'TestNode' ./samples
	$(call languages_run,$(ci_compiled) $(ci_scripts)) -run 'TestLanguages$$|TestQuotes$$' ./samples
	COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -count=1 -timeout 20m -run '$(granted_tests)' ./samples
	$(MAKE) binary-test

# binary-test is what a user with nothing but a released binary does, in an empty folder without a home and programs; and what the README and
# the pages show of scripts.
.PHONY: binary-test
binary-test: embedded-runtimes
	RUNTIMES=$(runtimes_dir) go test -tags runtimes -count=1 -timeout 20m -run 'TestBinaryAlone|TestBinaryWithout|TestTodoStory' ./cmd/polyvoke
	RUNTIMES=$(runtimes_dir) go test -count=1 -timeout 20m -run 'TestReadme$$|TestDocs$$/^(errors|getting-started|scripts)\.md$$' ./cmd/polyvoke

# todo-check has two people look at one list of things to do, in real browsers.
.PHONY: todo-check
todo-check: frontdoor-tools $(runtimes_dir)/javascript.runtime.zip
	COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -tags frontdoor -count=1 -timeout 10m -run 'TestTodoBrowser' ./samples

# python-test is a script in Python that needs packages of PyPI.
python_packages := $(abspath $(BUILD))/python-packages

$(python_packages)/.installed: runtimes/script/recipe/python/packages.txt
	rm -rf $(python_packages)
	python3 -m pip --version >/dev/null 2>&1 || { apt-get update && apt-get install -y --no-install-recommends python3-pip; }
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target $(python_packages) -r $<
	touch $@

.PHONY: python-test
python-test: $(python_packages)/.installed $(runtimes_dir)/python.runtime.zip
	RUNTIMES=$(runtimes_dir) PYTHON_PACKAGES=$(python_packages) go test -tags runtimes -count=1 -timeout 20m -run 'TestPythonPackages' ./cmd/polyvoke

# scripts-test tests what is particular to each interpreter: its errors, limits, modules, and how slow scripts start.
scripts-test: runtimes
	$(call scripts_run,$(runtimes_all))
	COMPILED=$(runtimes_dir)/compiled RUNTIMES=$(runtimes_dir) go test -tags runtimes -count=1 -timeout 20m -run 'TestNode' ./samples
	RUNTIMES=$(runtimes_dir) go test -count=1 -timeout 20m -run 'TestDocs$$' ./cmd/polyvoke
	$(MAKE) python-test

# matrix measures every language and writes docs/languages.md.
matrix: $(call languages_needs,$(greet_all))
	MATRIX=$(abspath docs/languages.md) $(call languages_run,$(greet_all)) -run 'TestMatrix$$' -v ./samples

# targets measures what calls of scripts and idle scripts cost, and says whether that is as little as it should be.
targets: $(call languages_needs,js lua micropython ruby python)
	$(call languages_run,js lua micropython ruby python) -run '^$$' -bench 'Script' -benchtime 1x ./samples
