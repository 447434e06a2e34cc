#!/bin/sh
# build.sh [OUT [TOOLS]]: builds this folder with JDK 17 and Maven, which keeps what it downloads in TOOLS/m2
# (default: where it always does). src/wasi, which every language of the JVM needs, is that of ../java.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/greet.wasm}")
tools=${2:+$(realpath -m "$2")}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -r "$here/pom.xml" "$here/src" "$tmp"
cp -r "$here/../java/src/wasi" "$tmp/src"
cd "$tmp"
mvn -q -B ${tools:+"-Dmaven.repo.local=$tools/m2"} -Dwasm="$tmp/greet.wasm" process-classes >log 2>&1 || {
  cat log >&2
  exit 1
}
mv greet.wasm "$out"
