#!/bin/sh
# build.sh OUT TOOLS: builds CPython from Debian's source package, with zlib, as a bundle in OUT.
# host.c is its main program; host.py, how it loads a script; patch.py, what is changed in CPython.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"

python=3.13.5-2+deb13u5
zlib=1:1.3.dfsg+really1.3.1-1
libc=0.0~git20241209.574b88d-2

apt gcc libc6-dev make pkg-config clang-22 lld-22 llvm-22 libclang-rt-22-dev-wasm32
debian_unpack trixie "wasi-libc=$libc"
sysroot=$DIR/usr
debian_source trixie "zlib=$zlib" || debian_tarball trixie "zlib=$zlib" # Debian's changes do not matter here
zlib_source=$DIR
debian_source trixie "python3.13=$python"
python_source=$DIR

# All that is built is in one folder, made anew when the recipe or a version has changed.
dir=$TOOLS/python
recipe=$(cat "$here/../lib.sh" "$here/build.sh" "$here/host.c" "$here/patch.py" | sha256sum)
if [ "$(cat "$dir/ready" 2>/dev/null)" != "$recipe" ]; then
  rm -rf "$dir"
  mkdir -p "$dir/zlib" "$dir/native" "$dir/wasm"
  cp -r "$python_source" "$dir/source"
fi

# log FILE COMMAND...: shows what a command has written only if it fails.
log() {
  log_file=$dir/$1
  shift
  "$@" >"$log_file" 2>&1 || {
    tail -n 40 "$log_file" >&2
    return 1
  }
}

# A date in the module is that of the source; no path in it is of this machine.
export SOURCE_DATE_EPOCH=1750000000
jobs=$(nproc)
compiler="clang-22 --target=wasm32-wasip1 --sysroot=$sysroot -ffile-prefix-map=$TOOLS=."

# python_native builds the interpreter of this machine, with which that of the sandbox is built.
python_native() {
  cd "$dir/native"
  log native-configure.log ../source/configure -q --disable-test-modules --without-ensurepip CFLAGS=-O1
  log native-make.log make -j "$jobs" python Programs/_freeze_module
  cd "$dir"
}

# python_wasm builds the interpreter of the sandbox. It is configured with the C library's stubs for processes.
python_wasm() {
  for c in adler32 compress crc32 deflate infback inffast inflate inftrees trees uncompr zutil; do
    $compiler -O2 -c "$zlib_source/$c.c" -o "$dir/zlib/$c.o"
  done
  llvm-ar-22 rcs "$dir/zlib/libz.a" "$dir/zlib"/*.o
  cp "$here/host.c" "$dir/source/Programs/python.c"
  "$dir/native/python" -I -S "$here/patch.py" "$dir/source"
  cd "$dir/wasm"
  CC=$compiler CPP="$compiler -E" AR=llvm-ar-22 RANLIB=llvm-ranlib-22 PKG_CONFIG=false \
    ZLIB_CFLAGS="-I$zlib_source" ZLIB_LIBS="$dir/zlib/libz.a" \
    OPT="-DNDEBUG -O3" \
    CONFIG_SITE=../source/Tools/wasm/config.site-wasm32-wasi \
    log wasm-configure.log ../source/configure -q --host=wasm32-unknown-wasip1 --build=x86_64-pc-linux-gnu \
    --with-build-python="$dir/native/python" --disable-test-modules --without-ensurepip --prefix=/runtime
  log wasm-make.log make -j "$jobs" python.wasm LINKFORSHARED="-Wl,-s -Wl,--wrap=__wasi_clock_time_get"
  cd "$dir"
}

if [ ! -f "$dir/ready" ]; then
  python_native
  python_wasm
  echo "$recipe" >"$dir/ready"
fi

rm -rf "$OUT/files"
mkdir -p "$OUT/files/lib"
"$dir/native/python" -I -S "$here/library.py" "$python_source/Lib" "$OUT/files/lib"
mkdir -p "$dir/own"
cp "$here/host.py" "$dir/own/_polyvoke.py"
echo 'build_time_vars = {}' >"$dir/own/_sysconfigdata__wasi_wasm32-wasi.py"
"$dir/native/python" -I -S "$here/library.py" "$dir/own" "$OUT/files/lib"
cp "$python_source/LICENSE" "$OUT/files/LICENSE"
cp "$dir/wasm/python.wasm" "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/runtime.json"
