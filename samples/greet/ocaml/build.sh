#!/bin/sh
# build.sh OUT TOOLS: builds greet.ml with Debian's OCaml. ocamlc puts its bytecode into C; the runtime that
# interprets it is compiled from Debian's source package, once, and kept in TOOLS with the compilers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?the name of the module}")
mkdir -p "${2:?the folder for sources and compilers}"
TOOLS=$(realpath "$2")
. "$here/../../../runtimes/script/recipe/lib.sh"

ocaml=4.13.1-4
libc=0.0~git20240708.3f43ea9-2~bpo12+1

apt ocaml-nox clang-22 lld-22 libclang-rt-22-dev-wasm32
debian_source bookworm "ocaml=$ocaml"
source=$DIR/runtime
debian_unpack bookworm-backports "wasi-libc=$libc"
sysroot=$DIR/usr
runtime=$TOOLS/ocaml-$ocaml

# Exceptions that C code raises are longjmps: they need WebAssembly's exceptions, and its setjmp. The runtime
# counts on pointers that wrap around; -fwrapv alone has not meant them since clang 20.
target="--target=wasm32-wasip1 --sysroot=$sysroot"
setjmp="-mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false"
compile() {
  clang-22 $target $setjmp -O2 -fno-strict-aliasing -fwrapv -fwrapv-pointer -w -DCAML_NAME_SPACE -DCAMLDLLIMPORT= \
    -DSHRINKED_GNUC -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_GETPID \
    -I"$here/wasi" -I"$runtime" -I"$source" -ffile-prefix-map="$source"=runtime -c "$1" -o "$2"
}

# All of the runtime but the start, which looks for bytecode in a file.
if [ ! -f "$runtime/libcamlrun.a" ]; then
  rm -rf "$runtime"
  mkdir -p "$runtime/caml"
  echo '#define OCAML_VERSION_STRING "'"${ocaml%-*}"'"' >"$runtime/caml/version.h"
  for file in interp misc stacks fix_code startup_aux startup_byt freelist major_gc minor_gc memory alloc roots_byt \
    globroots fail_byt signals signals_byt printexc backtrace_byt backtrace compare ints eventlog floats str array io \
    extern intern hash sys meta parsing gc_ctrl md5 obj lexing callback debugger weak compact finalise custom dynlink \
    afl unix bigarray memprof domain skiplist codefrag; do
    compile "$source/$file.c" "$runtime/$file.o"
  done
  llvm-ar-22 rcsD "$runtime/new.a" "$runtime"/*.o
  mv "$runtime/new.a" "$runtime/libcamlrun.a"
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cp "$here/greet.ml" "$tmp"
cd "$tmp"
ocamlc -output-obj -o program.c greet.ml
compile program.c program.o
compile "$here/wasi/main.c" main.o
clang-22 $target --no-wasm-opt -Wl,-s -Wl,--stack-first -Wl,-z,stack-size=1048576 main.o program.o "$runtime/libcamlrun.a" \
  -lsetjmp -lm -lwasi-emulated-signal -lwasi-emulated-process-clocks -lwasi-emulated-getpid -o "$out"
