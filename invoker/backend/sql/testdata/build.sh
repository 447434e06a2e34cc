#!/bin/sh
# build.sh OUT SOURCE: builds shell.c with SQLite's own way to files, by Debian's clang 14 and wasi-libc. SOURCE is the
# folder with sqlite3.c and sqlite3.h that samples/sql/c/source.sh makes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "$1")
source=$(cd "$2" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# WASI has no locks, no mmap and no users; a run is alone with its snapshot.
for c in "$here/shell.c" "$source/sqlite3.c"; do
  clang-14 --target=wasm32-wasi -Os -w -I"$source" -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_MMAN \
    -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_OMIT_SHARED_CACHE \
    -DSQLITE_DEFAULT_LOCKING_MODE=0 -DSQLITE_TEMP_STORE=2 -include "$here/wasi.h" \
    ${SQLITE_FLAGS:-} -c "$c" -o "$tmp/$(basename "$c").o"
done
clang-14 --target=wasm32-wasi -Wl,-s -Wl,--stack-first -Wl,-z,stack-size=1048576 "$tmp"/*.o \
  -lwasi-emulated-getpid -lwasi-emulated-mman -o "$out"
