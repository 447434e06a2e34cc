#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.zig, or SOURCE, with the Zig compiler ZIG (default: zig of the PATH), which is
# `pip install ziglang`; the samples pin a version of it in tools.sh. CACHE keeps what builds share (default: nothing).
set -eu
source=${2:-$(dirname "$0")/greet.zig}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$source")"
"${ZIG:-zig}" build-exe "$(basename "$source")" -target wasm32-wasi -O ReleaseSmall -fstrip --stack 262144 \
  --cache-dir "$tmp" --global-cache-dir "${CACHE:-$tmp}" -femit-bin="$out"
