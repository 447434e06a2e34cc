#!/bin/sh
# build.sh [OUT [SOURCE]]: builds greet.swift, or SOURCE, and the glue beside it, with Debian 13's Swift and the clang CC (default: Debian's
# clang 14). The compiler is unpacked, with the libraries that it needs to run on Debian 12, in CACHE (default: fetched anew). LIBRARY
# is the lib.sh of the interpreters' recipes. It needs Debian 12 on amd64.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
source=$(realpath "${2:-$here/greet.swift}")
out=$(realpath -m "${1:-$here/greet.wasm}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "${CACHE:-$tmp/cache}"
TOOLS=$(realpath "${CACHE:-$tmp/cache}")
. "${LIBRARY:-$here/../../../runtimes/script/recipe/lib.sh}"

swift=6.0.3-2
CC=${CC:-clang-14}
[ "$CC" != clang-14 ] || c_compiler
suite trixie

# Of the compiler's package, which is large, what is needed here: the compiler itself, and Embedded Swift for wasm.
compiler=$TOOLS/swift-$swift
resources=$compiler/usr/libexec/swift/lib/swift
if [ ! -f "$compiler/ready" ]; then
  rm -rf "$compiler"
  mkdir -p "$compiler"
  (cd "$compiler" && APT_CONFIG=$TOOLS/suite/trixie/apt.conf apt-get download -qq "swiftlang=$swift" >"$TOOLS/source.log" 2>&1) || {
    cat "$TOOLS/source.log" >&2
    exit 1
  }
  dpkg --fsys-tarfile "$compiler"/swiftlang_*.deb | tar -xf - -C "$compiler" --wildcards './usr/libexec/swift/bin/swift-frontend' \
    './usr/libexec/swift/lib/clang/*' './usr/libexec/swift/lib/swift/clang' './usr/libexec/swift/lib/swift/shims/*' \
    './usr/libexec/swift/lib/swift/embedded/Swift.swiftmodule/wasm32-*'
  rm "$compiler"/swiftlang_*.deb
  # What is called through a pointer when an object ends has Swift's calling convention, also where clang does not say that it knows it.
  sed -i 's/^#if __has_feature(swiftasynccc)/#if 1/' "$resources/shims/EmbeddedShims.h"
  touch "$compiler/ready"
fi
debian_unpack trixie "libswiftlang=$swift"
libraries=$DIR/usr/libexec/swift/lib/swift/linux:$DIR/usr/libexec/swift/lib/swift/host
for package in libc6 libstdc++6 libgcc-s1 libedit2 libbsd0 libmd0 libncurses6 libtinfo6 libsqlite3-0 libuuid1 libxml2 libicu76 liblzma5 \
  libzstd1 zlib1g; do
  debian_unpack trixie $package
  libraries=$libraries:$DIR/usr/lib/x86_64-linux-gnu
done

cd "$(dirname "$source")"
# The compiler is started by the loader of its own Debian. A stack protector would want a seed.
"$TOOLS/unpacked/libc6/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" "$compiler/usr/libexec/swift/bin/swift-frontend" \
  -frontend -c "$(basename "$source")" -target wasm32-unknown-none-wasm -resource-dir "$resources" -enable-experimental-feature Embedded \
  -parse-as-library -disable-stack-protector -Osize -Xcc -fdeclspec -import-objc-header glue.h -module-name program -o "$tmp/program.o"
glue=glue.c
[ -f glue.c ] || glue=$here/glue.c
"$CC" --target=wasm32-wasi -Os -c "$glue" -o "$tmp/glue.o"
"$CC" --target=wasm32-wasi -Wl,-s "$tmp/program.o" "$tmp/glue.o" -o "$out"
