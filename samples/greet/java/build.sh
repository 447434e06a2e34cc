#!/bin/sh
# build.sh [OUT [SOURCE]]: builds this folder, or the one above that of SOURCE, which has the main class, with a JDK and the
# Maven MVN (default: mvn of the PATH), which keeps what it downloads in M2 (default: where it always does).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=${2:-$here/src/Greet.java}
out=$(realpath -m "${1:-$here/greet.wasm}")
root=$(cd "$(dirname "$source")/.." && pwd)
main=$(basename "$source" .java)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp -r "$root/src" "$tmp"
if [ -f "$root/pom.xml" ]; then cp "$root/pom.xml" "$tmp"; else cp "$here/pom.xml" "$tmp"; fi # one of its own goes first
if [ ! -d "$tmp/src/wasi" ]; then cp -r "$here/src/wasi" "$tmp/src"; fi
cd "$tmp"
"${MVN:-mvn}" -q -B ${M2:+"-Dmaven.repo.local=$M2"} -Dmain="$main" -Dwasm="$tmp/made.wasm" process-classes >log 2>&1 || {
  cat log >&2
  exit 1
}
mv made.wasm "$out"
