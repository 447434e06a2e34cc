#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.ts, or SOURCE, with the AssemblyScript compiler ASC (default: asc of the PATH),
# which is `npm install assemblyscript`; the samples pin a version of it in tools.sh.
set -eu
source=${2:-$(dirname "$0")/greet.ts}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$(dirname "$source")"
"${ASC:-asc}" "$(basename "$source")" -O3 --runtime stub --exportStart _start --use abort= -o "$out"
