#!/bin/sh
# build.sh [OUT]: builds greet.d with Debian's LDC 1.30 and links it with wasi-libc by Debian's clang 14.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here"
ldc2 -mtriple=wasm32-unknown-wasi -betterC -Oz -release -c greet.d -of="$tmp/greet.o"
clang-14 --target=wasm32-wasi -Wl,-s "$tmp/greet.o" -o "$out"
