#!/bin/sh
# build.sh [OUT]: builds greet.c with Debian's clang 14 and wasi-libc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
cd "$here"
clang-14 --target=wasm32-wasi -Os -Wall -Wextra -Wl,-s greet.c -o "$out"
