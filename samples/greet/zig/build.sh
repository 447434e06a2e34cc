#!/bin/sh
# build.sh [OUT]: builds greet.zig with the Zig compiler ZIG (default: zig of the PATH), which is
# `pip install ziglang`; the samples pin a version of it in samples.mk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here"
"${ZIG:-zig}" build-exe greet.zig -target wasm32-wasi -O ReleaseSmall -fstrip --stack 262144 \
  --cache-dir "$tmp" --global-cache-dir "$tmp" -femit-bin="$out"
