#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.cpp, or SOURCE, and all other *.cpp files beside it with the clang CXX
# (default: Debian's clang 14), wasi-libc and libc++.
set -eu
source=${2:-$(dirname "$0")/greet.cpp}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
CXX=${CXX:-clang++-14}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$source")"
# Two steps: a link with -O also runs wasm-opt where there is one, and the bytes would depend on that.
for source in *.cpp; do
  "$CXX" --target=wasm32-wasi -std=c++17 -Os -fno-exceptions -fno-rtti -Wall -Wextra -c "$source" -o "$tmp/${source%.cpp}.o"
done
"$CXX" --target=wasm32-wasi -Wl,-s "$tmp"/*.o -o "$out"
