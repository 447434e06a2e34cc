#!/bin/sh
# build.sh OUT TOOLS: builds the bundle of MicroPython in OUT; sources and compilers are kept in TOOLS.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"

clang22
apt make python3
debian_source trixie micropython=1.25.0+ds-1
build=$TOOLS/build/micropython
rm -rf "$build"
mkdir -p "$build/py"
cp "$here"/* "$here/../shared/host.c" "$here/../shared/host.h" "$build"
cd "$build"
# MicroPython asks how much memory there is, and we say it by trying to get what is needed. make finds this copy first.
sed 's/size_t avail = gc_get_max_new_split();/size_t avail = heap_room(needed);/' "$DIR/py/gc.c" >py/gc.c
grep -q 'heap_room(needed)' py/gc.c
SOURCE_DATE_EPOCH=1744675200 make -s -j2 TOP="$DIR" BUILD=build CLANG="$CC" CC="python3 spill.py $CC" CPP="$CC -E" LINK="$LINK" >make.log 2>&1 || {
  tail -n 40 make.log >&2
  exit 1
}
cp build/runtime.wasm "$here/runtime.json" "$OUT/"
