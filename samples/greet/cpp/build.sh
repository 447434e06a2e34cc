#!/bin/sh
# build.sh [OUT]: builds greet.cpp with Debian's clang 14, wasi-libc and libc++.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
cd "$here"
clang++-14 --target=wasm32-wasi -std=c++17 -Os -fno-exceptions -fno-rtti -Wall -Wextra -Wl,-s greet.cpp -o "$out"
