#!/bin/sh
# build.sh OUT TOOLS: builds the runtime "typescript" in OUT: the one of JavaScript, and a program for the sandbox that
# compiles TypeScript to JavaScript, with esbuild as a Go module. Needs Go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(realpath "$1")
TOOLS=$(realpath "$2")

sh "$here/../javascript/build.sh" "$OUT" "$TOOLS"

# A folder with a go.mod cannot be embedded in a program: the files have other names until they are used.
work=$TOOLS/typescript
rm -rf "$work"
mkdir -p "$work"
cp "$here/compile/go.mod.txt" "$work/go.mod"
cp "$here/compile/go.sum.txt" "$work/go.sum"
cp "$here/compile/compile.go" "$work/compile.go"
cd "$work"
GOOS=wasip1 GOARCH=wasm GOFLAGS=-mod=readonly GOWORK=off CGO_ENABLED=0 \
  go build -trimpath -buildvcs=false -ldflags='-s -w -buildid=' -o "$OUT/compile.wasm" compile.go

cp "$here/runtime.json" "$OUT/runtime.json"
