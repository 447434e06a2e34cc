#!/bin/sh
# build.sh OUT TOOLS: builds the runtime "javascript" in OUT: QuickJS, from Debian 13's source package, behind the host
# program of this folder.
set -eu
quickjs=2025.04.26-1 # of Debian's package

here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(realpath "$1")
TOOLS=$(realpath "$2")
. "$here/../lib.sh"

c_compiler
debian_source trixie "quickjs=$quickjs"
quickjs_source=$DIR
work=$TOOLS/javascript
rm -rf "$work"
mkdir -p "$work/include"

# prelude.js and node.js become arrays. Debian's clang looks for setjmp.h in the headers of the machine; nothing here calls it.
for name in prelude node; do
  echo "static const char ${name}_source[] = {"
  od -An -v -tx1 "$here/$name.js" | sed 's/ \(..\)/0x\1,/g'
  echo '0};'
done >"$work/include/prelude.h"
: >"$work/include/setjmp.h"

# See atoms.c.
{
  sed -e 's/^static inline BOOL __JS_AtomIsConst/static int32_t uncounted_atoms = JS_ATOM_END;\n\n&/' \
    -e 's/return (int32_t)v < JS_ATOM_END;/return (int32_t)v < uncounted_atoms;/' "$quickjs_source/quickjs.c"
  cat "$here/atoms.c"
} >"$work/quickjs.c"

# EMSCRIPTEN is QuickJS's word for: no threads, no computed goto, no malloc_usable_size (host.c brings its own memory
# functions). It also takes out the check of the stack's depth, which works here.
# The first 1 MiB of memory is the stack; an overflow of it would be a trap, as it grows down. QuickJS sees how deep it is by the
# address of a frame. Some functions that call themselves keep next to nothing in memory, but take from the engine's own
# stack, which it cannot see: with an address inside of 128 bytes that they have for nothing else, both grow together.
stack=1048576
cd "$quickjs_source"
clang-14 --target=wasm32-wasi -O2 -w -fwrapv -ffile-prefix-map="$quickjs_source"=. -ffile-prefix-map="$here"=. \
  -DEMSCRIPTEN -DCONFIG_STACK_CHECK -D_GNU_SOURCE -DNDEBUG "-DCONFIG_VERSION=\"$(cat VERSION)\"" \
  -Dgettimeofday=host_time '-D__builtin_frame_address(level)=__builtin_alloca(128)' "-DSTACK_SIZE=$stack" -I"$work/include" -I"$quickjs_source" \
  -Wl,-s -Wl,--stack-first -Wl,-z,stack-size=$stack \
  "$here/host.c" "$here/modules.c" "$here/process.c" "$here/surface.c" \
  "$work/quickjs.c" libregexp.c libunicode.c cutils.c dtoa.c -o "$work/runtime.wasm"

cp "$here/runtime.json" "$OUT/runtime.json"
mv "$work/runtime.wasm" "$OUT/runtime.wasm"
