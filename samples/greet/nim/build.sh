#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.nim, or SOURCE, with NIM (default: Debian's Nim 1.6), by way of C and the clang CC
# (default: Debian's clang 14).
set -eu
source=${2:-$(dirname "$0")/greet.nim}
out=${1:-$(dirname "$0")/greet.wasm}
case $out in /*) ;; *) out=$PWD/$out ;; esac
CC=${CC:-clang-14}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
here=$(cd "$(dirname "$0")" && pwd)
cd "$(dirname "$source")"
"${NIM:-nim}" c --hints:off --noMain:on --cpu:wasm32 --os:linux --cc:clang --clang.exe:"$CC" --clang.linkerexe:"$CC" \
  --gc:arc --exceptions:goto --threads:off -d:release -d:useMalloc -d:noSignalHandler --opt:size \
  --nimcache:"$tmp" \
  --passC:"--target=wasm32-wasi -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_MMAN -I$PWD -I$here" \
  --passL:"--target=wasm32-wasi -lwasi-emulated-signal -lwasi-emulated-mman -Wl,-s" \
  -o:"$out" "$(basename "$source")"
