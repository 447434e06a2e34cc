#!/bin/sh
# build.sh OUT TOOLS: builds the bundle of Lua in OUT; sources and compilers are kept in TOOLS.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"

clang22
debian_source trixie lua5.4=5.4.7-1
src=$DIR/src
build=$TOOLS/build/lua
rm -rf "$build"
mkdir -p "$build"
cp "$src"/*.[ch] "$build"
cd "$build"
# A recursion without end is to fail at 200,000 values, with 10 MiB of stack: at a million there would be 100 MiB first.
sed -i 's/^#define LUAI_MAXSTACK\([[:space:]]*\)1000000$/#define LUAI_MAXSTACK\1200000/' luaconf.h
grep -q 'LUAI_MAXSTACK[[:space:]]*200000$' luaconf.h
echo '#define DEB_HOST_MULTIARCH "wasm32-wasi"' >lua5.4-deb-multiarch.h # which Debian's package makes

compile="$CC -O2 -c -I. -I$here -I$here/../shared -D_WASI_EMULATED_SIGNAL"
$compile -Wall -Wextra "$here/main.c" "$here/../shared/host.c"
for f in lapi lauxlib lbaselib lcode lcorolib lctype ldblib ldebug ldo ldump lfunc lgc liolib llex lmathlib lmem loadlib lobject \
  lopcodes loslib lparser lstate lstring lstrlib ltable ltablib ltm lundump lutf8lib lvm lzio; do
  case $f in
  lmathlib) flags=-Dtime=no_time ;; # the first seed is a constant, which nobody draws from
  loadlib) flags="-Dgetenv=no_getenv -DluaL_loadfilex=load_script" ;; # no paths of the environment
  *) flags= ;;
  esac
  $compile -include "$here/port.h" $flags $f.c
done
$CC -O2 *.o $LINK -lwasi-emulated-signal -Wl,-z,stack-size=524288 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
