#!/bin/sh
# Builds probe.wasm from probe.c, into the folder named by the first argument or else beside the
# source, and there notes the checksums of both in probe.sum. The committed file was made
# with Debian 12's clang 14.0.6 and its wasi-libc 0.0~git20220510:
#     apt-get install -y clang lld wasi-libc libclang-rt-14-dev-wasm32
set -eu
cd "$(dirname "$0")"
out=${1:-.}
clang --target=wasm32-wasi -O2 -Wall -Wl,-s -o "$out/probe.wasm" probe.c
for f in probe.c "$out/probe.wasm"; do
	sha256sum < "$f" | sed "s/-/$(basename "$f")/"
done > "$out/probe.sum"
