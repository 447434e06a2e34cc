#!/bin/sh
# build.sh OUT TOOLS: jq of Debian's source package as the runtime of .jq scripts, with Oniguruma for regular expressions.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
debian_source bookworm libonig=6.9.8-1
onig=$DIR/src
jq=jq=1.7.1-6+deb13u4
debian_source trixie $jq || debian_tarball trixie $jq # mirrors can be late with security releases

build=$TOOLS/build/jq
rm -rf "$build"
mkdir -p "$build"
cp -r "$DIR/src" "$build/src"
cp -r "$onig" "$build/onig"
cd "$build"
echo '#define JQ_VERSION "1.7.1"' >src/version.h
echo '#define JQ_CONFIG ""' >src/config_opts.inc
# builtin.inc is builtin.jq as strings of C.
sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' src/builtin.jq >src/builtin.inc
cat >onig/config.h <<'END'
#define HAVE_ALLOCA 1
#define HAVE_ALLOCA_H 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDINT_H 1
#define HAVE_SYS_TIME_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_UNISTD_H 1
#define PACKAGE "onig"
#define PACKAGE_VERSION "6.9.8"
#define VERSION "6.9.8"
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_VOIDP 4
END
defines="-D_GNU_SOURCE -DUSE_DECNUM=1 -DHAVE_LIBONIG=1 -DHAVE_MEMMEM=1 -DHAVE_ALLOCA_H=1 -DHAVE_TIMEGM=1 -DHAVE_GMTIME_R=1 -DHAVE_GMTIME=1
  -DHAVE_LOCALTIME_R=1 -DHAVE_LOCALTIME=1 -DHAVE_STRPTIME=1 -DHAVE_STRFTIME=1 -DHAVE_MKTIME=1 -DHAVE_GETTIMEOFDAY=1 -DHAVE_SETENV=1
  -DHAVE_TM_TM_GMT_OFF=1 -DIEEE_8087=1 -DHAVE___THREAD=1 -DONIG_STATIC"
for f in acos acosh asin asinh atan2 atan atanh cbrt ceil copysign cos cosh exp2 exp expm1 fabs fdim floor fma fmax fmin fmod frexp \
  hypot j0 j1 ldexp lgamma log10 log1p log2 log logb modf lgamma_r nearbyint nextafter nexttoward pow remainder rint round scalbln \
  sin sinh sqrt tan tanh tgamma trunc y0 y1; do
  defines="$defines -DHAVE_$(echo $f | tr a-z A-Z)=1"
done

compile="$CC -O2 -D_WASI_EMULATED_SIGNAL -I$here -I$here/../shared -I$build -I$build/src -I$build/onig -c"
for c in builtin bytecode compile execute jv jv_alloc jv_aux jv_dtoa jv_dtoa_tsd jv_file jv_parse jv_print jv_unicode lexer \
  linker locfile parser util decNumber/decContext decNumber/decNumber; do
  $compile -w -include "$here/port.h" $defines src/$c.c -o "jq-$(basename $c).o"
done
for c in regparse regcomp regexec regenc regerror regext regsyntax regtrav regversion st unicode unicode_unfold_key \
  unicode_fold1_key unicode_fold2_key unicode_fold3_key utf8 ascii onig_init; do
  $compile -w -DHAVE_CONFIG_H onig/$c.c -o onig-$c.o
done
for c in "$here/../shared/host.c" "$here/../shared/script.c" "$here/main.c" "$here/strict.c" "$here/thread.c"; do
  (cd "$(dirname "$c")" && $compile -Wall -Wextra -Wno-unused-function "$(basename "$c")" -o "$build/our-$(basename "$c" .c).o")
done
$CC *.o $LINK -lwasi-emulated-signal -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
