#!/bin/sh
# build.sh [OUT]: builds spy.rs with Debian's Rust 1.63 (by its full path: a rustup compiler that
# is first in PATH does not accept Debian's standard library).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/spy.wasm}")
cd "$here"
/usr/bin/rustc --edition 2021 --target wasm32-wasi -D warnings \
  -C opt-level=s -C lto -C codegen-units=1 -C panic=abort -C strip=symbols spy.rs -o "$out"
