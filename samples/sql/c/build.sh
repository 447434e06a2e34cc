#!/bin/sh
# build.sh OUT SOURCE: builds sql.c with Debian's clang 14 and wasi-libc. SOURCE is the folder with
# sqlite3.c and sqlite3.h, made by source.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
source=$(cd "$2" && pwd)
cd "$here"
# --stack-first: an overflow of the stack traps instead of overwriting data.
clang-14 --target=wasm32-wasi -Os -w -I"$source" \
  -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 -DSQLITE_DEFAULT_MEMSTATUS=0 \
  -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_ENABLE_MATH_FUNCTIONS \
  -Wl,-s -Wl,--stack-first -Wl,-z,stack-size=1048576 \
  sql.c vfs.c "$source/sqlite3.c" -o "$out"
