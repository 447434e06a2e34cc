#!/bin/sh
# build.sh [OUT]: builds greet.ts with the AssemblyScript compiler ASC (default: asc of the PATH), which
# is `npm install assemblyscript`; the samples pin a version of it in samples.mk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
cd "$here"
"${ASC:-asc}" greet.ts -O3 --runtime stub --exportStart _start --use abort= -o "$out"
