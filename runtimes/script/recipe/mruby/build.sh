#!/bin/sh
# build.sh OUT TOOLS: mruby of Debian's source package as a runtime of Ruby scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
apt gcc libc6-dev bison ruby rake
debian_source trixie mruby=3.3.0-1

# The build for this machine makes mrbc and can stay.
build=$TOOLS/build/mruby
mkdir -p "$TOOLS/build"
[ -d "$build" ] || cp -r "$DIR" "$build"
cd "$build"
rm -rf build/wasi
cp "$here/gems.rb" wasi.rb
WASI_CC=$CC MRUBY_CONFIG=$build/wasi.rb rake -q >rake.log 2>&1 || { tail -n 30 rake.log >&2; exit 1; }
# io.inc is io.rb as strings of C.
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$here/io.rb" >build/wasi/include/io.inc

for c in "$here/../shared/host.c" "$here/../shared/script.c" "$here/main.c"; do
  (cd "$(dirname "$c")" && $CC -O2 -Wall -Wextra -DMRB_UTF8_STRING -DMRB_STR_LENGTH_MAX=0 -DMRB_ARY_LENGTH_MAX=0 -I"$here/../shared" -isystem "$build/include" -isystem "$build/build/wasi/include" \
    -c "$(basename "$c")" -o "$build/build/wasi/our-$(basename "$c" .c).o")
done
$CC $(find build/wasi -name '*.o' | LC_ALL=C sort) $LINK -lwasi-emulated-signal -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
