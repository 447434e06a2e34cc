#!/bin/sh
# build.sh [OUT]: builds greet.nim with Debian's Nim 1.6, by way of C and Debian's clang 14.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$here"
nim c --hints:off --noMain:on --cpu:wasm32 --os:linux --cc:clang --clang.exe:clang-14 --clang.linkerexe:clang-14 \
  --gc:arc --exceptions:goto --threads:off -d:release -d:useMalloc -d:noSignalHandler --opt:size \
  --nimcache:"$tmp" \
  --passC:"--target=wasm32-wasi -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_MMAN -I$here" \
  --passL:"--target=wasm32-wasi -lwasi-emulated-signal -lwasi-emulated-mman -Wl,-s" \
  -o:"$out" greet.nim
