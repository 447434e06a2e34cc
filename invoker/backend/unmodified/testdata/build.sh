#!/bin/sh
# build.sh [OUT]: builds archive.wasm from archive.c with the clang CC (default: Debian's clang 14) and wasi-libc, into the
# folder OUT or else beside the source, and there notes the checksums of both in archive.sum. The committed file was made
# with Debian 12's clang 14.0.6 and its wasi-libc 0.0~git20220510, which samples/tools.sh installs.
set -eu
out=${1:-$(dirname "$0")}
out=$(cd "$out" && pwd)
CC=${CC:-clang-14}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$(dirname "$0")"
# Two steps: a link with -O also runs wasm-opt where there is one, and the bytes would depend on that.
"$CC" --target=wasm32-wasi -O2 -Wall -Wextra -c archive.c -o "$tmp/archive.o"
"$CC" --target=wasm32-wasi -Wl,-s "$tmp/archive.o" -o "$out/archive.wasm"
chmod 644 "$out/archive.wasm"
for f in archive.c "$out/archive.wasm"; do
	sha256sum < "$f" | sed "s/-/$(basename "$f")/"
done > "$out/archive.sum"
