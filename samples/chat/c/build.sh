#!/bin/sh
# build.sh [OUT [SOURCE]]: builds chat.c, or SOURCE, and all other *.c files beside it with the clang CC
# (default: Debian's clang 14) and wasi-libc.
set -eu
source=${2:-$(dirname "$0")/chat.c}
out=${1:-$(dirname "$0")/chat.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
CC=${CC:-clang-14}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$source")"
# Two steps: a link with -O also runs wasm-opt where there is one, and the bytes would depend on that.
for source in *.c; do
  "$CC" --target=wasm32-wasi -Os -Wall -Wextra -c "$source" -o "$tmp/${source%.c}.o"
done
"$CC" --target=wasm32-wasi -Wl,-s "$tmp"/*.o -o "$out"
