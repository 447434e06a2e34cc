#!/bin/sh
# build.sh [OUT]: builds scratch.c with Debian's clang 14 and wasi-libc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/scratch.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here"
# Two steps: a link with -O also runs wasm-opt where there is one, and the bytes would depend on that.
clang-14 --target=wasm32-wasi -Os -Wall -Wextra -c scratch.c -o "$tmp/scratch.o"
clang-14 --target=wasm32-wasi -Wl,-s "$tmp/scratch.o" -o "$out"
