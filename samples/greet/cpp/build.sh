#!/bin/sh
# build.sh [OUT]: builds greet.cpp with Debian's clang 14, wasi-libc and libc++.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here"
# Two steps: a link with -O also runs wasm-opt where there is one, and the bytes would depend on that.
clang++-14 --target=wasm32-wasi -std=c++17 -Os -fno-exceptions -fno-rtti -Wall -Wextra -c greet.cpp -o "$tmp/greet.o"
clang++-14 --target=wasm32-wasi -Wl,-s "$tmp/greet.o" -o "$out"
