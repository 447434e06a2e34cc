#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.d, or SOURCE, with LDC (default: Debian's LDC 1.30), and links it with wasi-libc by the clang
# CC (default: Debian's clang 14).
set -eu
source=${2:-$(dirname "$0")/greet.d}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$source")"
"${LDC:-ldc2}" -mtriple=wasm32-unknown-wasi -betterC -Oz -release -c "$(basename "$source")" -of="$tmp/program.o"
"${CC:-clang-14}" --target=wasm32-wasi -Wl,-s "$tmp/program.o" -o "$out"
