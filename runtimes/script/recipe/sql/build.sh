#!/bin/sh
# build.sh OUT TOOLS: SQLite of Debian's source package as the runtime of .sql scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
apt make gcc libc6-dev tcl
debian_source trixie sqlite3=3.46.1-7+deb13u2
if [ ! -f "$DIR/build/sqlite3.c" ]; then
  mkdir -p "$DIR/build"
  (cd "$DIR/build" && ../configure >configure.log 2>&1 && make sqlite3.c >make.log 2>&1)
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# The sources are named from their own folders: no path of this machine gets into the bytes.
compile() {
  (cd "$1" && $CC -O2 -I"$here" -I"$here/../shared" -I"$DIR/build" $3 \
    -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_CORE \
    -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_FTS5 -DSQLITE_DQS=0 \
    -c "$2" -o "$tmp/$2.o")
}
compile "$DIR/build" sqlite3.c -w
compile "$DIR/ext/misc" regexp.c -w
compile "$DIR/ext/misc" series.c -w
for c in host script; do compile "$here/../shared" $c.c "-Wall -Wextra"; done
for c in main functions rows vfs; do compile "$here" $c.c "-Wall -Wextra"; done
$CC "$tmp"/*.o $LINK -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
