#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.ml, or SOURCE, with OCAMLC and CLANG (default: Debian's). ocamlc puts its bytecode into C; the runtime
# that interprets it is compiled from Debian's source package, once, and kept in CACHE (default: made anew). LIBRARY is the lib.sh of
# the interpreters' recipes. It needs Debian 12.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(realpath "${2:-$here/greet.ml}")
folder=$here
if [ -d "$(dirname "$source")/wasi" ]; then folder=$(dirname "$source"); fi
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "${CACHE:-$tmp/cache}"
TOOLS=$(realpath "${CACHE:-$tmp/cache}")
. "${LIBRARY:-$here/../../../runtimes/script/recipe/lib.sh}"

ocaml=4.13.1-4
libc=0.0~git20240708.3f43ea9-2~bpo12+1

apt ocaml-nox clang-22 lld-22 libclang-rt-22-dev-wasm32
OCAMLC=${OCAMLC:-ocamlc}
version=$("$OCAMLC" -version)
if [ "$version" != "${ocaml%-*}" ]; then
  echo "$OCAMLC is OCaml $version: this needs ${ocaml%-*}, whose runtime it builds" >&2
  exit 1
fi
debian_source bookworm "ocaml=$ocaml"
sources=$DIR/runtime
debian_unpack bookworm-backports "wasi-libc=$libc"
sysroot=$DIR/usr
runtime=$TOOLS/ocaml-$ocaml

# Exceptions that C code raises are longjmps: they need WebAssembly's exceptions, and its setjmp. The runtime
# counts on pointers that wrap around; -fwrapv alone has not meant them since clang 20.
target="--target=wasm32-wasip1 --sysroot=$sysroot"
setjmp="-mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false"
compile() {
  "${CLANG:-clang-22}" $target $setjmp -O2 -fno-strict-aliasing -fwrapv -fwrapv-pointer -w -DCAML_NAME_SPACE -DCAMLDLLIMPORT= \
    -DSHRINKED_GNUC -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_GETPID \
    -I"$folder/wasi" -I"$runtime" -I"$sources" -ffile-prefix-map="$sources"=runtime -c "$1" -o "$2"
}

# All of the runtime but the start, which looks for bytecode in a file.
if [ ! -f "$runtime/ready" ]; then
  rm -rf "$runtime"
  mkdir -p "$runtime/caml"
  echo '#define OCAML_VERSION_STRING "'"${ocaml%-*}"'"' >"$runtime/caml/version.h"
  for file in interp misc stacks fix_code startup_aux startup_byt freelist major_gc minor_gc memory alloc roots_byt \
    globroots fail_byt signals signals_byt printexc backtrace_byt backtrace compare ints eventlog floats str array io \
    extern intern hash sys meta parsing gc_ctrl md5 obj lexing callback debugger weak compact finalise custom dynlink \
    afl unix bigarray memprof domain skiplist codefrag; do
    compile "$sources/$file.c" "$runtime/$file.o"
  done
  touch "$runtime/ready"
fi

cp "$source" "$tmp/program.ml"
cd "$tmp"
"$OCAMLC" -output-obj -o bytecode.c program.ml
compile bytecode.c bytecode.o
compile "$folder/wasi/main.c" main.o
"${CLANG:-clang-22}" $target --no-wasm-opt -Wl,-s -Wl,--stack-first -Wl,-z,stack-size=1048576 main.o bytecode.o "$runtime"/*.o \
  -lsetjmp -lm -lwasi-emulated-signal -lwasi-emulated-process-clocks -lwasi-emulated-getpid -o "$out"
