# The sample functions: `make samples` rebuilds the committed modules, `make samples-check` tells whether
# they are what the sources give. All of it works on Debian 12 as root; the Go samples need no more than
# Go and are not built here. samples/README.md says more.

BUILD ?= build

samples_dir   := $(abspath $(BUILD))/samples
samples_tools := $(abspath $(BUILD))/tools
samples_wasm  := greet/c/greet.wasm greet/cpp/greet.wasm greet/rust/greet.wasm greet/as/greet.wasm \
                 greet/zig/greet.wasm greet/nim/greet.wasm wordcount/rust/wordcount.wasm chat/c/chat.wasm chat/rust/chat.wasm \
                 orders/validate/validate.wasm orders/price/price.wasm orders/tax/tax.wasm orders/pack/pack.wasm orders/receipt/receipt.wasm

# Those whose language has its build.sh with the greeting: FOLDER/LANGUAGE/FOLDER.wasm of FOLDER/LANGUAGE/FOLDER.*.
samples_shared := counter/c/counter.wasm counter/cpp/counter.wasm counter/rust/counter.wasm counter/zig/counter.wasm counter/nim/counter.wasm shop/rust/shop.wasm guestbook/c/guestbook.wasm guestbook/cpp/guestbook.wasm guestbook/rust/guestbook.wasm guestbook/zig/guestbook.wasm guestbook/nim/guestbook.wasm
samples_source  = $$(ls samples/$${wasm%.wasm}.[!w]*)

# The scripts find these two by their variables, all else by its name.
samples_env := ASC=$(samples_tools)/assemblyscript/node_modules/.bin/asc ZIG=$(samples_tools)/zig/bin/zig RUST_FLAGS='-D warnings'

.PHONY: samples samples-tools samples-check sql sql-test

# samples rebuilds the committed modules in place.
samples: samples-tools
	@set -e; for wasm in $(samples_wasm); do \
	  echo "samples/$$wasm"; \
	  $(samples_env) samples/$${wasm%/*}/build.sh samples/$$wasm; \
	done; for wasm in $(samples_shared); do \
	  echo "samples/$$wasm"; lang=$${wasm%/*}; \
	  $(samples_env) samples/greet/$${lang#*/}/build.sh samples/$$wasm $(samples_source); \
	done

# samples-tools installs the compilers that are missing.
samples-tools:
	@samples/tools.sh $(samples_tools)

# samples-check builds them elsewhere and compares byte for byte.
samples-check: samples-tools
	@set -e; for wasm in $(samples_wasm) $(samples_shared); do \
	  mkdir -p $(samples_dir)/$${wasm%/*}; \
	  case " $(samples_shared) " in \
	  *" $$wasm "*) lang=$${wasm%/*}; $(samples_env) samples/greet/$${lang#*/}/build.sh $(samples_dir)/$$wasm $(samples_source) ;; \
	  *) $(samples_env) samples/$${wasm%/*}/build.sh $(samples_dir)/$$wasm ;; \
	  esac; \
	  cmp $(samples_dir)/$$wasm samples/$$wasm || { echo "samples/$$wasm is not what its source gives: run make samples" >&2; exit 1; }; \
	  echo "same: samples/$$wasm"; \
	done

# sql builds SQLite as a function, $(BUILD)/samples/sql.wasm, from Debian's source package.
sql: $(samples_dir)/sql.wasm $(samples_dir)/sqlshell.wasm

$(samples_dir)/sql.wasm: $(wildcard samples/sql/c/*) | samples-tools
	@mkdir -p $(samples_dir)
	samples/sql/c/source.sh $(samples_tools)/sqlite
	samples/sql/c/build.sh $@ $(samples_tools)/sqlite

# The shell works on files, by which the grants of sql are tested.
$(samples_dir)/sqlshell.wasm: $(wildcard invoker/backend/sql/testdata/*) $(samples_dir)/sql.wasm
	invoker/backend/sql/testdata/build.sh $@ $(samples_tools)/sqlite

# sql-test is the test of both, which plain `go test` leaves out.
sql-test: sql
	SQL_WASM=$(samples_dir)/sql.wasm SQL_SHELL=$(samples_dir)/sqlshell.wasm go test -tags sql -run TestSQL -count=1 ./samples ./invoker/backend/sql
