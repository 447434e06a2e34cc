#!/bin/sh
# build.sh [OUT]: builds wordcount.rs with Debian's Rust 1.63 (by its full path: a rustup compiler that
# is first in PATH does not accept Debian's standard library).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/wordcount.wasm}")
cd "$here"
/usr/bin/rustc --edition 2021 --target wasm32-wasi -D warnings \
  -C opt-level=3 -C lto -C codegen-units=1 -C panic=abort -C strip=symbols wordcount.rs -o "$out"
