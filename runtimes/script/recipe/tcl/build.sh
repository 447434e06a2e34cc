#!/bin/sh
# build.sh OUT TOOLS: Jim of Debian's source package as the runtime of .tcl scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
apt make gcc libc6-dev
debian_source bookworm jimtcl=0.81+dfsg0-2

# A copy is patched and built in: the paths in the bytes are those below it.
build=$TOOLS/build/tcl
rm -rf "$build"
mkdir -p "$TOOLS/build"
cp -r "$DIR" "$build"
cd "$build"
[ -f autosetup/jimsh0.c ] || ./make-bootstrap-jim >autosetup/jimsh0.c
sed -i -e 's/^Jim_Obj \*Jim_GetVariable(/Jim_Obj *tcl_get_variable(/' \
  -e 's/interp->prngState == NULL/tcl_unseeded(interp)/' -e '/^    environ = env;/d' \
  -e 's/lastCollectTime = JimClock()/lastCollectTime = 0/' -e 's/JimClock() - interp->lastCollectTime/0/' jim.c

emulated="-D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -D_WASI_EMULATED_GETPID"
libraries="-lwasi-emulated-signal -lwasi-emulated-getpid"
# configure tries programs as a whole: it gets a compiler that links.
printf '#!/bin/sh\nexec %s %s -O2 -w "$@" -lsetjmp %s\n' "$CC" "$emulated" "$libraries" >cc
chmod +x cc
extensions=stdlib,tclcompat,aio,regexp,array,clock,namespace,nshelper,json,jsonencode,oo,tree,pack,binary,file,readdir,glob,package,tclprefix
CC=$build/cc CC_FOR_BUILD=gcc ./configure --host=wasm32-wasi --prefix=/runtime --utf8 --math \
  --without-ext=default --with-ext=$extensions >configure.log 2>&1
# What wasi-libc declares only.
sed -i -E '/HAVE_(SHUTDOWN|SYS_UN_H|SYS_SOCKET_H|DLFCN_H|SELECT|STRUCT_FLOCK) /d' jimautoconf.h
printf '#define umask(mask) 0\n#define mktemp(name) NULL\n' >>jim-config.h
printf 'Jim_Obj *tcl_get_variable(Jim_Interp *interp, Jim_Obj *nameObjPtr, int flags);\n' >>jim.h
sed -i 's/#include "jim.h"/#include "port.h"\n&/' jim.c
sed -i '/sys\/wait.h/d' jimiocompat.h
sed -i '/^set env \[env\]/d' tclcompat.tcl # main.c does, later
cp "$here/port.h" .
make AR=true RANLIB=true libjim.a >make.log 2>&1 || { tail -n 30 make.log >&2; exit 1; }

for c in "$here/../shared/host.c" "$here/../shared/script.c" "$here/main.c" "$here/encoding.c"; do
  (cd "$(dirname "$c")" && $CC -O2 -Wall -Wextra $emulated -I"$here/../shared" -I"$build" -c "$(basename "$c")" -o "$build/our-$(basename "$c").o")
done
$CC *.o jsmn/*.o $LINK $libraries -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
