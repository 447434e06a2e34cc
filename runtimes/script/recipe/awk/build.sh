#!/bin/sh
# build.sh OUT TOOLS: the One True AWK of Debian's source package as the runtime of .awk scripts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"
. "$here/../shared/clang22.sh"
clang22
apt make gcc libc6-dev bison
debian_source bookworm original-awk=2022-09-12-1

build=$TOOLS/build/awk
rm -rf "$build"
mkdir -p "$TOOLS/build"
cp -r "$DIR" "$build"
cd "$build"
make awkgram.tab.c proctab.c >make.log 2>&1 || { cat make.log >&2; exit 1; }
# What main.c has instead.
for f in FATAL WARNING SYNTAX initgetrec; do sed -i "s/^void $f(/void old_$f(/" lib.c; done
sed -i 's/getc(inf)/awk_getc(inf)/' lib.c
sed -i 's/= getc(f)/= awk_getc(f)/' b.c
sed -i -e '/sys\/wait.h/d' -e 's/time((time_t \*)0)/awk_time(0)/' -e 's/^	fcn = execute(a\[0\]);/	awk_calls();\n&/' run.c
cat >>proto.h <<'END'
int awk_getc(FILE *);
long awk_time(void *);
void awk_calls(void);
FILE *popen(const char *, const char *);
int pclose(FILE *);
int system(const char *);
#define WIFEXITED(status) 1
#define WEXITSTATUS(status) (status)
#define WIFSIGNALED(status) 0
#define WTERMSIG(status) 0
#define WCOREDUMP(status) 0
END

compile="$CC -O2 -D_WASI_EMULATED_SIGNAL -I$here/../shared -I$build -c"
for c in b lib lex parse proctab tran run awkgram.tab; do $compile -w $c.c; done
for c in "$here/../shared/host.c" "$here/../shared/script.c" "$here/main.c"; do
  (cd "$(dirname "$c")" && $compile -Wall -Wextra "$(basename "$c")" -o "$build/our-$(basename "$c" .c).o")
done
$CC *.o $LINK -lwasi-emulated-signal -Wl,-z,stack-size=1048576 -o "$OUT/runtime.wasm"
cp "$here/runtime.json" "$OUT/"
