# clang22.sh: the compiler of the interpreters in C that need setjmp, which becomes WebAssembly exceptions. A recipe
# sources it after lib.sh. It needs what lib.sh needs.

# clang22: installs Debian's clang 22, unpacks a newer wasi-libc, and sets CC to the command that compiles C and links.
# Without --no-wasm-opt clang would run whatever wasm-opt it finds.
clang22() {
  apt clang-22 lld-22 libclang-rt-22-dev-wasm32
  debian_unpack bookworm-backports 'wasi-libc=0.0~git20240708.3f43ea9-2~bpo12+1'
  CC="clang-22 --target=wasm32-wasi -Wno-deprecated --no-wasm-opt -Wno-unused-command-line-argument --sysroot=$DIR/usr -fwrapv-pointer \
    -mllvm -wasm-enable-sjlj -mllvm -wasm-use-legacy-eh=false"
}

# LINK is what host.c needs of the linker: our own start, a stack that ends in a trap and not in the data, and
# a look at each read, since the first one of stdin matters.
LINK="-nostartfiles -lsetjmp -Wl,--wrap=__wasi_fd_read -Wl,--stack-first -Wl,--gc-sections -Wl,--strip-all"
