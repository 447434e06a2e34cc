#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.rs, or SOURCE, with RUSTC (default: Debian's Rust 1.63 by its full path: a rustup
# compiler that is first in PATH does not accept Debian's standard library) for RUST_TARGET. RUST_FLAGS are further flags.
set -eu
source=${2:-$(dirname "$0")/greet.rs}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$source")"
"${RUSTC:-/usr/bin/rustc}" --edition 2021 --target "${RUST_TARGET:-wasm32-wasi}" ${RUST_FLAGS:-} \
  -C opt-level=s -C lto -C codegen-units=1 -C panic=abort -C strip=symbols "$(basename "$source")" -o "$out"
