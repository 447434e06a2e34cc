#!/bin/sh
# build.sh OUT TOOLS: Chez Scheme of Debian's source package as the runtime of .scm scripts. Its kernel is C, its compiler and
# library are code for a machine that the kernel plays ("pb"), and are in the source as boot files.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
debian_tarball trixie chezscheme=10.0.0+dfsg-5

build=$TOOLS/build/scheme
rm -rf "$build"
mkdir -p "$build/sys"
cp "$DIR"/c/*.[ch] "$DIR"/boot/pb/* "$here/port.h" "$here/zlib.h" "$here/kernel.c" "$here/host.scm" "$build"
cd "$build"
cat >config.h <<'END'
#define SCHEME_SCRIPT "scheme-script"
#define MACHINE_TYPE "pb"
#define DEFAULT_HEAP_PATH "/runtime"
#define DISABLE_ICONV
#define DISABLE_CURSES
#define DISABLE_X11
END
touch sys/wait.h sys/param.h lz4.h lz4hc.h lz4frame.h
cat >pwd.h <<'END'
struct passwd {
  char *pw_dir;
};
#define getpwuid(user) ((struct passwd *)0)
#define getpwnam(name) ((struct passwd *)0)
#define getuid() 0
END

# patch FILE PATTERN: PATTERN is a substitution of sed that has to find something.
patch() {
  sed "$2" "$1" >patched
  if cmp -s "$1" patched; then
    echo "$1: nothing is changed by $2" >&2
    exit 1
  fi
  mv patched "$1"
}
# Scheme leaves C by a note and a return instead of setjmp and longjmp, so that there are no exceptions, and a process can
# be parked; main.c says how.
patch schlib.c 's/LONGJMP(TO_VOIDP(CAAR(yp)), 1);/scheme_left = TO_VOIDP(CAAR(yp));/'
patch schlib.c 's/switch (SETJMP(jb)) {/S_generic_invoke(tc, S_G.invoke_code_object); if (scheme_left != jb) return; scheme_left = NULL; switch (1) {/'
patch schsig.c 's/LONGJMP(TO_VOIDP(CAAR(CCHAIN(tc))), -1);/S_generic_invoke(tc, S_G.error_invoke_code_object); scheme_ended(AC0(tc));/'
patch pb.c 's/S_error_abort("unsupported call prototype");/& } if (scheme_left) { return;/'
patch pb.c 's/S_pb_interp((ptr)regs\[0\], code);/& if (scheme_left) return;/'
# Seeds, times and unique names must not differ before stdin is read.
patch prim5.c 's/RANDOMSEED(tc) = RANDOMSEED(tc)/RANDOMSEED(tc) = scheme_seed(RANDOMSEED(tc))/'
patch prim5.c 's/    RANDOMSEED(tc) = x;/&\n    scheme_seeded = 1;/'
patch stats.c 's/^ptr S_unique_id() {/static ptr unused_unique_id() {/'
patch stats.c 's/^void S_gettime(/static void stats_gettime(/'
# Pointers of Scheme have 64 bits, memory has 32.
patch segment.c 's/^void \*S_getmem(iptr bytes, .*{$/& if (bytes > 0x7fffffff) out_of_memory();/'
# Stderr is another stream than stdout, whatever WASI says of their devices.
patch prim5.c 's/^static IBOOL s_same_devicep(INT fd1, INT fd2) {/& if (fd1 != fd2) return 0;/'

compile="$CC -O2 -I. -I$here/../shared -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -c"
for c in statics segment alloc symbol intern gcwrapper gc-011 gc-par gc-ocd gc-oce number schsig io new-io print fasl vfasl stats \
  foreign prim prim5 flushcache schlib thread expeditor scheme random ffi self-exe pb kernel; do
  $compile -w -include port.h -D__EMSCRIPTEN__ -DPORTABLE_BYTECODE $c.c
done
for c in "$here/../shared/host.c" "$here/../shared/script.c" "$here/main.c"; do
  (cd "$(dirname "$c")" && $compile -Wall -Wextra -Wno-c23-extensions --embed-dir="$build" -I"$build" "$(basename "$c")" -o "$build/our-$(basename "$c" .c).o")
done
$CC *.o $LINK -lwasi-emulated-signal -lwasi-emulated-process-clocks -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
