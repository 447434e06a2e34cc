#!/bin/sh
# build.sh [OUT]: builds this folder with your own Go, 1.22 or later.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/thumbnail.wasm}")
cd "$here"
GOOS=wasip1 GOARCH=wasm go build -trimpath -buildvcs=false -ldflags='-s -w' -o "$out" .
