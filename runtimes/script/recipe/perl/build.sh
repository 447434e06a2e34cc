#!/bin/sh
# build.sh OUT TOOLS: makes a bundle of the Perl that comes by npm, with its standard library, in OUT.
# That is made for a JavaScript host. The modules here are merged into it: start.wat is the entry, host.wat stands in
# for the host, boot.wat for WASI until the interpreter is up.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" "$2"
OUT=$(cd "$1" && pwd)
TOOLS=$(cd "$2" && pwd)
. "$here/../lib.sh"

perl=1.0.10
binaryen=132.0.0

dir=$TOOLS/perl
mkdir -p "$dir"
if [ "$(cat "$dir/version" 2>/dev/null)" != "$perl $binaryen" ]; then
  command -v npm >/dev/null || apt npm
  rm -rf "$dir/node_modules"
  npm install --prefix "$dir" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --no-update-notifier \
    --loglevel=error "@6over3/zeroperl-ts@$perl" "binaryen@$binaryen" >/dev/null
  echo "$perl $binaryen" >"$dir/version"
fi
bin=$dir/node_modules/.bin

for module in start host boot; do
  "$bin/wasm-as" --enable-bulk-memory "$here/$module.wat" -o "$dir/$module.wasm"
done
# Feature by feature: with all of them the imports are encoded in a newer way than the engine reads.
"$bin/wasm-merge" --enable-bulk-memory --enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int \
  "$dir/node_modules/@6over3/zeroperl-ts/dist/esm/zeroperl.wasm" perl "$dir/start.wasm" start "$dir/host.wasm" env \
  "$dir/boot.wasm" wasi_snapshot_preview1 -o "$dir/merged.wasm"
LC_ALL=C sed 's/wasi_snapshot_preview0/wasi_snapshot_preview1/g' "$dir/merged.wasm" >"$OUT/runtime.wasm"

rm -rf "$OUT/files"
mkdir -p "$OUT/files"
cp -r "$here/lib" "$here/check.pl" "$OUT/files/"
cp "$here/runtime.json" "$OUT/runtime.json"
